import pytest

from tests.stores.linearizability import EMPTY, CompareAndSet, Operation, Read, linearization


def promote(process, started, ended, expected, won, version=None):
    return Operation(process, started, ended, CompareAndSet(expected, version or process, won))


def read(process, started, ended, epoch, version):
    return Operation(process, started, ended, Read((epoch, version) if epoch else EMPTY))


GOOD = {
    "nothing": [],
    "one after the other": [promote(1, 0, 1, 0, True), read(2, 2, 3, 1, 1), promote(2, 4, 5, 1, True)],
    "a loser at the same time": [promote(1, 0, 9, 0, True), promote(2, 0, 9, 0, False)],
    "a read while it is written may see either": [
        promote(1, 0, 9, 0, True),
        read(2, 1, 2, 0, None),
        read(2, 3, 4, 1, 1),
    ],
    "who was answered later may have been first": [
        promote(1, 0, 9, 1, True),
        promote(2, 1, 3, 0, True),
        read(3, 4, 8, 1, 2),
    ],
    "refused for a champion that came later than expected": [promote(1, 0, 1, 0, True), promote(2, 2, 3, 0, False)],
}
BAD = {
    "two winners of one epoch": [promote(1, 0, 9, 0, True), promote(2, 0, 9, 0, True)],
    "an epoch that was skipped": [promote(1, 0, 1, 0, True), promote(1, 2, 3, 2, True)],
    "refused although nobody had moved it": [promote(1, 0, 1, 0, False), promote(2, 2, 3, 0, True)],
    "a write that is not seen afterwards": [promote(1, 0, 1, 0, True), read(2, 2, 3, 0, None)],
    "a read that sees the future": [read(2, 0, 1, 1, 1), promote(1, 2, 3, 0, True)],
    "a read that goes back": [promote(1, 0, 9, 0, True), read(2, 1, 2, 1, 1), read(2, 3, 4, 0, None)],
    "reads of two processes that disagree": [
        promote(1, 0, 9, 0, True),
        read(2, 1, 2, 1, 1),
        read(3, 3, 4, 0, None),
    ],
    "the champion of somebody else": [promote(1, 0, 1, 0, True), read(2, 2, 3, 1, 2)],
}


@pytest.mark.parametrize("history", GOOD.values(), ids=GOOD)
def test_a_history_that_could_have_happened_in_one_order_is_given_that_order(history):
    order = linearization(history)
    assert sorted(order, key=history.index) == history
    state = EMPTY
    for operation in order:
        state = operation.what.after(state)
        assert state is not None


@pytest.mark.parametrize("history", BAD.values(), ids=BAD)
def test_a_history_that_could_not_have_happened_in_any_order_is_refused(history):
    assert linearization(history) is None
