"""The one mapping of errors to Airflow's: what is skipped, what is tried again, and what of it others may read.

The error that leaves a task goes to lineage and to callbacks, with all that it was caused by. What a pipeline's code or
a library says may hold values of the data: it goes to the task's log here, and no further.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from airloom.core.errors import AirloomError, NotDue, Unavailable, UnexpectedError
from airloom.core.failures import failure

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator


@contextmanager
def airflow_errors(task: BaseOperator) -> Iterator[None]:
    """Raise what happens in a task as Airflow's errors; what cannot be helped by a retry is not retried.

    Args:
        task: The task, in whose log the causes are.

    Raises:
        AirflowSkipException: There is nothing to do.
        AirflowFailException: Running the same again does not help.
        Unavailable: A server does not answer.
        UnexpectedError: The pipeline's code or a library has failed; another try may help.
    """
    try:
        yield
    except NotDue as reason:
        raise AirflowSkipException(str(reason)) from None
    except AirflowSkipException:
        raise
    except AirloomError as error:
        if error.__cause__ is not None:
            task.log.error("What was behind the error:", exc_info=error)
        if isinstance(error, Unavailable):
            raise error from None
        raise AirflowFailException(str(error)) from None
    except (Exception, SystemExit) as error:
        task.log.error("The error as it was raised:", exc_info=error)
        described = UnexpectedError(
            "The pipeline's code or a library has failed.",
            where=f"task {task.task_id}",
            found=failure(error),
            do="read its own message in the log of the task",
        )
        # A source may know itself that another try does not help.
        raise (AirflowFailException(str(described)) if isinstance(error, AirflowFailException) else described) from None
