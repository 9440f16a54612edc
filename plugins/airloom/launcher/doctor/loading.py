"""Loads the libraries that checks use, once, before several threads would."""

from __future__ import annotations

from contextlib import suppress

from airloom.core.errors import SetupError
from airloom.core.failures import failure
from airloom.launcher.doctor.quoting import plain

#: What these say names a setting or a form, and no more than that.
_TELLING = ("AirflowConfigException", "ArgumentError", "NoSuchModuleError")


def load_airflow() -> None:
    """Load Airflow, whose settings are read meanwhile, with all of its models.

    SQLAlchemy loads these while it holds a lock, for which a thread that loads one of them would wait, and neither
    would ever go on.

    Raises:
        SetupError: A setting makes no sense.
    """
    try:
        from airflow.models import import_all_models

        import_all_models()  # type: ignore[no-untyped-call]
    except Exception as error:  # noqa: BLE001 - whatever it is, people are told, and other checks are made
        raise SetupError(
            "Airflow cannot be loaded with these settings.",
            found=plain(error) if type(error).__name__ in _TELLING else failure(error),
            do="correct AIRFLOW__DATABASE__SQL_ALCHEMY_CONN, or whichever AIRFLOW__<SECTION>__<KEY> it is",
        ) from None


def load_libraries() -> None:
    """Load what takes many seconds on a busy machine, and would be taken for a server that does not answer."""
    from airloom.stores.feast_loading import load_feast
    from airloom.stores.tracking import load_mlflow

    for load in (load_feast, load_mlflow):
        # The checks that need one that is missing meet it again, and tell it.
        with suppress(ImportError):
            load()
