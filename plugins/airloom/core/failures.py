"""Failures of a pipeline's own code, described without their message, which may hold values of the data."""

from __future__ import annotations

import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from traceback import walk_tb

from airloom.core.errors import AirloomError, DataError, Unavailable

_LIBRARIES = tuple(sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib"))
_AIRLOOM = str(Path(__file__).parents[1])
#: What databases call errors about values: their messages hold them.
_ABOUT_VALUES = {"DataError", "IntegrityError"}


def failure(error: BaseException) -> str:
    """Return type, file and line of an error, `KeyError at include/flight_delays/models.py, line 41`.

    The place is the innermost one in the code of a pipeline, or else in Airloom's, or else in a library; the file is
    named from the root of its package.
    """
    calls = [(frame.f_code.co_filename, line, frame.f_globals) for frame, line in walk_tb(error.__traceback__)]
    # What is compiled into a library has no path of this machine.
    outside = [call for call in calls if Path(call[0]).is_absolute() and not call[0].startswith(_LIBRARIES)]
    own = [call for call in outside if not call[0].startswith(_AIRLOOM)] or outside or calls
    if not own:
        return type(error).__name__
    file, line, names = own[-1]
    depth = str(names.get("__name__")).count(".") + 1
    return f"{type(error).__name__} at {'/'.join(Path(file).parts[-depth:])}, line {line}"


def words(error: BaseException | None) -> str:
    """Return the first line of what a server says, or only what kind of error it is where that is about values."""
    if _ABOUT_VALUES & {each.__name__ for each in type(error).__mro__}:
        return f"{type(error).__name__}; what the server says may hold values and is in the log of the task"
    # Redis quotes the arguments of a command that it does not know.
    return str(error).strip().partition("\n")[0].partition(", with args beginning with:")[0]


def reason(error: Exception) -> str:
    """Return why something went wrong, in one line: in our words, or as type, file and line."""
    return error.brief if isinstance(error, AirloomError) else failure(error)


@contextmanager
def failing(what: str) -> Iterator[None]:
    """Run code of a pipeline, and turn whatever it raises, also `SystemExit`, into an error of ours.

    Args:
        what: One sentence that says what could not be done.

    Raises:
        AirloomError: The code has raised it.
        Unavailable: A server did not answer the code: another try may help.
        DataError: The code has raised something else.
    """
    try:
        yield
    except AirloomError:
        raise
    except (ConnectionError, TimeoutError) as error:
        raise Unavailable(what, found=failure(error), do="run it again once the server answers") from error
    except (Exception, SystemExit) as error:
        raise DataError(
            what,
            found=failure(error),
            do="correct the code; its own message is in the log of the task, or shown by `airloom --debug <command>`",
        ) from error
