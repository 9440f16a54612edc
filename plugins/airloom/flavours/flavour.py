"""What a flavour is, and what a model must answer."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol, Self

from airloom.contracts import Model
from airloom.core.errors import DataError
from airloom.core.metrics import Kind

_TARGET = "target.json"


@dataclass(frozen=True)
class Target:
    """What a model predicts.

    Args:
        kind: The kind of label.
        classes: Its classes in their declared order, where they are declared.
    """

    kind: Kind
    classes: tuple[str, ...] = ()

    def save(self, folder: Path) -> None:
        """Write it beside the files of a model."""
        (folder / _TARGET).write_text(json.dumps(asdict(self)), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        facts = json.loads((folder / _TARGET).read_text(encoding="utf-8"))
        return cls(facts["kind"], tuple(facts["classes"]))


class Flavour(Model, Protocol):
    """One kind of model: a class whose instances hold what a candidate has returned."""

    @classmethod
    def takes(cls, returned: Any) -> bool:
        """Tell whether what a candidate has returned is of this kind; imports no library for it."""
        ...

    @classmethod
    def of(cls, returned: Any, target: Target) -> Self:
        """Wrap what a candidate has returned.

        Raises:
            DataError: It cannot predict what the label asks for.
        """
        ...


def unusable(returned: Any, found: str, do: str) -> DataError:
    """Describe a returned object of a known kind that cannot be used as it is."""
    steps = getattr(returned, "steps", None)
    last = steps[-1][1] if isinstance(steps, list) and steps else returned
    return DataError(f"{type(last).__name__} cannot be used as a model.", found=found, do=do)
