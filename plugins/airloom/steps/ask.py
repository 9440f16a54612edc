"""ask: find out whether a verdict is to be shown to a person before it is applied."""

from __future__ import annotations

from airloom.core.errors import NotDue
from airloom.core.settings import Settings
from airloom.core.verdict import Verdict
from airloom.stores.ledger import Ledger


def ask(verdict_id: str, settings: Settings) -> Verdict:
    """Return the verdict that a person is to answer.

    Args:
        verdict_id: The night's verdict.
        settings: Where the ledger is.

    Raises:
        NotDue: There is nothing to answer: the verdict moves nobody, or has done so already.
        GateError: The verdict is unknown.
    """
    ledger = Ledger(settings.state_url)
    verdict = ledger.verdict(verdict_id)
    if not verdict.accepted:
        raise NotDue(f"The verdict is {verdict.outcome}: the champion stays, and nobody is asked.")
    if any(row.verdict == verdict.id for row in ledger.history(verdict.pipeline)):
        raise NotDue("The verdict has moved the champion before: nobody is asked again.")
    return verdict
