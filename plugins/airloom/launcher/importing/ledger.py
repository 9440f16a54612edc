"""The ledger of another installation: every champion, verdict, pin and note with its epoch and its moment."""

from __future__ import annotations

from airloom.core.settings import Settings
from airloom.core.wording import counted
from airloom.launcher.brought import Brought
from airloom.stores.copied_rows import copy_rows, count_rows, missing_rows
from airloom.stores.ledger_schema import open_tables, schema


def is_imported(source: Settings, settings: Settings) -> bool:
    """Tell whether this ledger has all of another one.

    Raises:
        DataError: It has another history of the same pipelines.
    """
    tables = schema().metadata.sorted_tables
    with open_tables(source.state_url).begin() as there, open_tables(settings.state_url).begin() as here:
        # Every table is compared with its whole: what differs anywhere must be found before anything is copied.
        missing = [sum(map(len, missing_rows(there, here, table))) for table in tables]
        return not any(missing) and any(count_rows(there, table) for table in tables)


def import_ledger(source: Settings, settings: Settings) -> Brought:
    """Copy the ledger in one transaction.

    Raises:
        DataError: This ledger has another history of the same pipelines.
    """
    with open_tables(source.state_url).begin() as there, open_tables(settings.state_url).begin() as here:
        copied = {table.name: copy_rows(there, here, table) for table in schema().metadata.sorted_tables}
    champions, verdicts = copied["airloom_champions"], copied["airloom_verdicts"]
    outcome = f"{counted(champions, 'champion')} and {counted(verdicts, 'verdict')} copied"
    return Brought("ledger", changed=any(copied.values()), outcome=outcome)
