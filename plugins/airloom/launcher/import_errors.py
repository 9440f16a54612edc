"""What of an import error, as Airflow keeps it, may be shown: the message of a module's own error may hold values."""

from __future__ import annotations

import re

#: What to do about one.
DO = "correct the file; Airflow shows the whole error under Dag Errors"

_HEAD = "Traceback (most recent call last):"
_FRAME = re.compile(r'  File "(?P<file>[^"]+)", line (?P<line>\d+)(?P<call>, in )?')
_ERROR = re.compile(r"(?P<module>(?:\w+\.)*)(?P<kind>[A-Za-z_]\w*)(?:: (?P<words>.*))?")
_KIND = re.compile(r"\w+(?:Error|Exception)(?=: )")
#: Python's own words for a name that is missing, and the errors that have them.
_OF_NAMES = ("ImportError", "ModuleNotFoundError", "NameError")
_MISSING = re.compile(r"(?:No module named|name|cannot import name) '([\w.]+)'")
#: Code that is not the user's, on this machine or another.
_FOREIGN = re.compile(r"/(?:site|dist)-packages/|/lib/python3|/plugins/airloom/|^<")
_OURS = "airloom.core.errors."


def described(traceback: str) -> str:
    """Return file, line and type of an error, and its words where these are ours or Python's about syntax or names.

    Args:
        traceback: The text that Python prints of an error, or only its last line, of which just the type is shown.

    Returns:
        `/project/include/flight_delays/source.py, line 41: ValueError`.
    """
    lines = traceback.rpartition(_HEAD)[2].splitlines()
    frames = [(number, frame) for number, line in enumerate(lines) if (frame := _FRAME.match(line))]
    if not frames:
        kind = _KIND.match(traceback)
        return kind[0] if kind else "an error"
    users = [frame for _, frame in frames if not _FOREIGN.search(frame["file"])]
    place = users[-1] if users else frames[-1][1]
    number, last = frames[-1]
    raised = next((line for line in lines[number + 1 :] if not line.startswith(" ")), "")
    return f"{place['file']}, line {place['line']}: {_said(raised, of_syntax=not last['call'])}"


def _said(raised: str, of_syntax: bool) -> str:
    error = _ERROR.fullmatch(raised)
    if error is None:
        return "an error"
    kind, words = error["kind"], error["words"] or ""
    if of_syntax or error["module"] == _OURS:
        return f"{kind}: {words}"
    missing = _MISSING.match(words) if kind in _OF_NAMES else None
    return f"{kind} of {missing[1]}" if missing else kind
