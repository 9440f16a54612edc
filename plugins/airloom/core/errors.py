"""The errors that Airloom raises: each says what, where, found, expected and what to do."""

from __future__ import annotations


class AirloomError(Exception):
    """Describe one problem so that the person who meets it can act.

    Args:
        what: One sentence that says what is wrong.
        where: File, line, table or setting at which it is wrong.
        found: What was there.
        expected: What should have been there.
        do: What to do about it.
    """

    exit_code = 1

    def __init__(
        self,
        what: str,
        *,
        where: str | None = None,
        found: str | None = None,
        expected: str | None = None,
        do: str | None = None,
    ) -> None:
        self.what, self.where, self.found, self.expected, self.do = what, where, found, expected, do
        super().__init__(what)

    @property
    def brief(self) -> str:
        """The problem as one line, for where there is nothing to do about it."""
        return " ".join(filter(None, [self.what, self.where, self.found]))

    @property
    def sentence(self) -> str:
        """The problem and what to do about it as one line, for where there is room for no more."""
        found = f" ({self.found})" if self.found else ""
        return f"{self.what.removesuffix('.')}{found}" + (f"; {self.do}." if self.do else ".")

    def __str__(self) -> str:
        details = {"where": self.where, "found": self.found, "expected": self.expected, "do": self.do}
        lines = [f"  {name + ':':<10}{text}" for name, text in details.items() if text]
        return "\n".join([self.what, *lines])


class UsageError(AirloomError):
    """A command, parameter or partition that makes no sense as given."""

    exit_code = 2


class DeclarationError(UsageError):
    """A pipeline folder that cannot be read as a pipeline."""


class DataError(AirloomError):
    """Data that must not go on; running the same again does not help."""

    exit_code = 3


class GateError(AirloomError):
    """A champion that could not be moved."""

    exit_code = 4


class ChampionMoved(GateError):
    """A decision against a champion that is not champion any more."""


class ChampionPinned(GateError):
    """A champion that a person has pinned, and that only people may move."""


class VersionGone(GateError):
    """A version that the registry does not have, or not any more."""


class SetupError(AirloomError):
    """A part of the environment that is missing, busy or of the wrong version."""

    exit_code = 5


class Unavailable(SetupError):
    """A server that does not answer, or not do its work, now; the same again may help."""


class UnexpectedError(AirloomError):
    """An error of a pipeline's code or of a library, described without its message; the same again may help."""


class NotDue(AirloomError):
    """A run that has nothing to do and ends as skipped, with its reason."""
