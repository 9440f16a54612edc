"""Which classes and functions a model's file may name: those that compute, of the libraries that models are made of.

A file is verified before it is read (`airloom.stores.model_files`). That a file may name these alone is the second
guard: none of them reads a file, opens a connection or runs code that it is given.
"""

from __future__ import annotations

import importlib

#: Packages whose own classes and functions are trusted.
_PACKAGES = (
    *(
        f"sklearn.{name}"
        for name in (
            "_loss",
            "calibration",
            "cluster",
            "compose",
            "covariance",
            "cross_decomposition",
            "decomposition",
            "discriminant_analysis",
            "dummy",
            "ensemble",
            "feature_extraction",
            "feature_selection",
            "frozen",
            "gaussian_process",
            "impute",
            "isotonic",
            "kernel_approximation",
            "kernel_ridge",
            "linear_model",
            "manifold",
            "metrics",
            "mixture",
            "model_selection",
            "multiclass",
            "multioutput",
            "naive_bayes",
            "neighbors",
            "neural_network",
            "pipeline",
            "preprocessing",
            "random_projection",
            "semi_supervised",
            "svm",
            "tree",
            "utils._bunch",
            "utils._metadata_requests",
            "utils._weight_vector",
            "utils.validation",
        )
    ),
    *(f"scipy.{name}" for name in ("interpolate", "sparse", "spatial", "special", "stats")),
    "catboost.core",
    "lightgbm.basic",
    "lightgbm.sklearn",
    "torch._C._nn",
    "torch.nn",
    "xgboost.core",
    "xgboost.sklearn",
    # The code of pipelines: it runs anyway.
    "include",
)

#: Single names of packages that have others as well.
_NAMES = {
    "builtins.set",
    "collections.OrderedDict",
    "collections.defaultdict",
    "functools.partial",
    "numpy.dtype",
    *(f"numpy.{name}" for name in ("max", "mean", "median", "min", "std", "sum", "var")),
    "scipy._lib.array_api_compat.numpy._aliases.asarray",
}


def is_trusted(name: str) -> bool:
    """Tell whether a file may name a class or a function.

    Args:
        name: Its module and its name, `sklearn.tree._tree.Tree`.
    """
    if name in _NAMES:
        return True
    module, _, attribute = name.rpartition(".")
    if not _is_within(module):
        return False
    try:
        named = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError):
        return False
    # What a module has imported is not its own. A module may lie in a package: that which travels with a model does.
    return callable(named) and f".{getattr(named, '__module__', module)}".endswith(f".{module}")


def _is_within(module: str) -> bool:
    return any(module == package or module.startswith(f"{package}.") for package in _PACKAGES)
