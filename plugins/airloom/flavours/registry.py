"""Which flavour takes what a candidate has returned; a pipeline can register flavours of its own."""

from __future__ import annotations

from typing import Any, TypeVar

from airloom.contracts import Model
from airloom.core.errors import DataError
from airloom.flavours.estimator import OWN, Estimator
from airloom.flavours.flavour import Flavour, Target
from airloom.flavours.lightgbm_booster import LightGBMBooster
from airloom.flavours.network import Network, SkorchNetwork
from airloom.flavours.pickled import PickledEstimator
from airloom.flavours.xgboost_booster import XGBoostBooster

_FLAVOURS: list[type[Flavour]] = [LightGBMBooster, XGBoostBooster, Network, SkorchNetwork, Estimator]

F = TypeVar("F", bound=type[Flavour])


def register(flavour: F) -> F:
    """Add a flavour, as a decorator of its class; it is asked before those that are there.

    Args:
        flavour: A class of a module that the candidate imports, so that it is known wherever the candidate runs.
    """
    _FLAVOURS.insert(0, flavour)
    return flavour


def as_model(returned: Any, target: Target, pickle: bool = False) -> Model:
    """Make a model of what a candidate has returned.

    Args:
        returned: A model of a library, or an object with `predict`, `save` and `load`.
        target: What it must predict.
        pickle: An estimator may be kept as a pickle where nothing else can keep it.

    Raises:
        DataError: It is none of these, or cannot predict what the label asks for.
    """
    if not isinstance(returned, type):
        for flavour in _FLAVOURS:
            if flavour.takes(returned):
                kept = PickledEstimator if pickle and flavour is Estimator else flavour
                return kept.of(returned, target)
        if all(callable(getattr(returned, name, None)) for name in ("predict", *OWN)):
            return returned  # type: ignore[no-any-return]
    raise DataError(
        "A candidate returns no model.",
        found=f"the class {returned.__name__}" if isinstance(returned, type) else f"a {type(returned).__name__}",
        expected="a fitted estimator or Pipeline with `predict`, a Booster, `airloom.flavours.network.Network`, or an "
        "object with `predict`, `save` and `load`",
        do=_hint(returned),
    )


def _hint(returned: Any) -> str:
    if returned is None:
        return "end the function with `return model`"
    if isinstance(returned, type):
        return "return the fitted object, not its class"
    if isinstance(returned, tuple | list):
        return "return the model alone"
    if any(each.__module__.startswith("torch.nn") for each in type(returned).__mro__):
        return "say what the module reads: `return Network(module, inputs=...)`, docs/models.md"
    return "wrap it in a class with `predict`, `save` and `load`, or register a flavour: docs/models.md"
