"""Every operator of the package, and one of each with made up arguments."""

import importlib
import inspect
import pkgutil

from airflow.sdk import BaseOperator

import airloom.operators
from airloom.operators.lineage import LineageOperator
from airloom.operators.step import StepOperator
from airloom.operators.waiting import WaitOperator

BASES = (LineageOperator, StepOperator, WaitOperator)


def every_operator():
    for module in pkgutil.iter_modules(airloom.operators.__path__, "airloom.operators."):
        for _, member in inspect.getmembers(importlib.import_module(module.name), inspect.isclass):
            if issubclass(member, BaseOperator) and member.__module__ == module.name and member not in BASES:
                yield member


OPERATORS = sorted(every_operator(), key=lambda operator: operator.__name__)
STEPS = [operator for operator in OPERATORS if issubclass(operator, StepOperator)]


OPTIONAL = {"partition", "actor"}


def own_parameters(operator):
    return set(inspect.signature(operator.__init__).parameters) - {"self", "kwargs"}


def build(operator, **changes):
    inherited = {"pipeline"} if issubclass(operator, StepOperator) else set()
    wanted = {name: f"some {name}" for name in (own_parameters(operator) | inherited) - OPTIONAL}
    return operator(task_id="task", **{**wanted, "partition": "2013-02-10", **changes})
