"""The name that projects know: what it held is in `airloom.flavours.estimator_files` and `network_files`."""

from airloom.flavours.estimator_files import load_estimator, save_estimator
from airloom.flavours.network_files import load_weights, save_weights

__all__ = ["load_estimator", "load_weights", "save_estimator", "save_weights"]
