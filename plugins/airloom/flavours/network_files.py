"""Files of torch: weights, and whole modules. What is read is built of tensors and of classes that are trusted."""

from __future__ import annotations

import importlib
import pickle
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from airloom.core.errors import DataError
from airloom.stores.trusted import is_trusted

if TYPE_CHECKING:
    import torch
    from torch import nn


def save_weights(weights: dict[str, torch.Tensor], file: Path) -> None:
    """Write a torch module's `state_dict`, on the CPU whatever device it was trained on."""
    import torch

    torch.save({name: tensor.detach().cpu() for name, tensor in weights.items()}, file)


def load_weights(file: Path) -> dict[str, torch.Tensor]:
    """Read what `save_weights` wrote.

    Raises:
        DataError: The file holds anything but tensors.
    """
    return cast("dict[str, torch.Tensor]", _load(file, []))


def save_module(module: nn.Module, file: Path) -> None:
    """Write a whole module, on the CPU whatever device it was trained on.

    Raises:
        DataError: It holds something that cannot be read again.
    """
    import torch

    try:
        torch.save(module.cpu(), file)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise DataError(
            f"A {type(module).__name__} cannot be saved.",
            found=str(error).partition("\n")[0],
            do="use named classes and functions of a module in `include`, no local ones and no lambda",
        ) from error
    _trusted_classes(file)


def load_module(file: Path) -> nn.Module:
    """Read what `save_module` wrote.

    Raises:
        DataError: The file holds anything but tensors and what is trusted.
    """
    return cast("nn.Module", _load(file, _trusted_classes(file)))


def _trusted_classes(file: Path) -> list[Any]:
    """Return the classes and functions that a file names and that torch does not trust by itself, with the names.

    Raises:
        DataError: One is not trusted.
    """
    from torch.serialization import get_unsafe_globals_in_checkpoint

    asked = get_unsafe_globals_in_checkpoint(file)
    if refused := [name for name in asked if not is_trusted(name)]:
        raise _refused(file, ", ".join(refused))
    return [(_named(each), each) for each in asked]


def _named(name: str) -> Any:
    module, _, attribute = name.rpartition(".")
    return getattr(importlib.import_module(module), attribute)


def _load(file: Path, trusted: list[Any]) -> Any:
    import torch

    try:
        with torch.serialization.safe_globals(trusted):
            return torch.load(file, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError) as error:
        raise _refused(file, str(error).partition("\n")[0] or type(error).__name__) from error


def _refused(file: Path, found: str) -> DataError:
    return DataError(
        "A model's file holds what it must not; nothing of it was executed.",
        where=str(file),
        found=found,
        do="build the module of classes of `torch.nn` and of your own modules in `include`, and train it again",
    )
