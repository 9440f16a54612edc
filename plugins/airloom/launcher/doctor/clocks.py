"""Whether the clock of a server and this machine's agree."""

from __future__ import annotations

from datetime import datetime

from airloom.launcher.doctor.findings import Finding, ok, warning, wrong

_SECONDS, _TOO_MANY_SECONDS = 5.0, 60.0


def judge_clock(name: str, before: datetime, there: datetime, after: datetime) -> Finding:
    """Judge how far a server's clock is from this machine's.

    Args:
        name: Whose clock it is.
        before: What this machine's clock has shown before the server was asked.
        there: What the server's has shown, to the second.
        after: What this machine's clock has shown when the server had answered.
    """
    # Between the two, nobody knows how long the question was under way, and how long the answer.
    seconds = max((there - after).total_seconds(), 0.0) or min((there - before).total_seconds(), 0.0)
    said = f"{abs(seconds):,.0f} s {'ahead of' if seconds > 0 else 'behind'} this machine's"
    do = "set both clocks by NTP: timedatectl set-ntp true"
    if abs(seconds) > _TOO_MANY_SECONDS:
        return wrong(name, said, do)
    return warning(name, said, do) if abs(seconds) > _SECONDS else ok(name, "agrees with this machine's")
