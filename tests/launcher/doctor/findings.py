"""What tests ask of findings."""

from airloom.launcher.doctor.findings import Check


def look(check, subject):
    """What a check finds, also where it raises."""
    return Check(check.__name__, check).findings(subject)


def states(found):
    """The worst state of each check."""
    order = ("ok", "skipped", "warning", "wrong")
    worst = {}
    for each in found:
        worst[each.check] = max(worst.get(each.check, "ok"), each.state, key=order.index)
    return worst


def of_state(found, state):
    """The checks of a state."""
    return {each.check for each in found if each.state == state}


def the(found, state):
    """The only finding of a state."""
    [only] = [each for each in found if each.state == state]
    return only
