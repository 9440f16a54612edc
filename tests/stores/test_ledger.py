import time
from datetime import date

import pytest

from airloom.core.errors import GateError
from airloom.core.gate import decide
from airloom.core.rules import Gate
from airloom.core.verdict import Case, Judged, Proof
from airloom.stores.ledger import Ledger
from tests.stores.linearizability import EMPTY, CompareAndSet, Operation, Read, linearization
from tests.worlds.processes import PROCESSES, map_at_once, start


@pytest.fixture
def ledger(state_url):
    return Ledger(state_url)


def promote(ledger, version, day, epoch):
    return ledger.promote(
        "p", expected_epoch=epoch, effective_from=day, version=version, verdict=None, actor="test", reason="better"
    )


def test_there_is_no_champion_at_first(ledger):
    assert ledger.head("p") is None
    assert ledger.champion_as_of("p", date(2013, 2, 10)) is None


def test_the_champion_as_of_a_day_is_the_one_that_was_effective_then(ledger):
    promote(ledger, 1, date(2013, 2, 1), 0)
    promote(ledger, 2, date(2013, 2, 10), 1)
    versions = [ledger.champion_as_of("p", date(2013, 2, day)) for day in (1, 9, 10, 28)]
    assert [champion.version for champion in versions] == [1, 1, 2, 2]
    assert ledger.champion_as_of("p", date(2013, 1, 31)) is None


def test_a_decision_against_a_champion_that_has_moved_is_refused(ledger):
    promote(ledger, 1, date(2013, 2, 1), 0)
    with pytest.raises(GateError, match="has moved since"):
        promote(ledger, 2, date(2013, 2, 2), 0)
    assert [row.version for row in ledger.history("p")] == [1]


def _race(url, version):
    try:
        promote(Ledger(url), version, date(2013, 2, 1), 0)
    except GateError:
        return False
    return True


def test_of_several_processes_that_promote_at_once_exactly_one_wins(ledger):
    outcomes = map_at_once(_race, [ledger.state_url] * 8, range(8))
    assert outcomes.count(True) == 1
    assert len(ledger.history("p")) == 1


def _timed(process, ask):
    started = time.monotonic_ns()
    answer = ask()
    return Operation(process, started, time.monotonic_ns(), answer)


def _attempt(ledger, version, epoch):
    try:
        promote(ledger, version, date(2013, 2, 1), epoch)
    except GateError:
        return CompareAndSet(epoch, version, won=False)
    return CompareAndSet(epoch, version, won=True)


def _look(ledger):
    head = ledger.head("p")
    return Read((head.epoch, head.version) if head else EMPTY)


def _race_and_look(url, version, rounds, barrier, histories):
    ledger, history = Ledger(url), []
    for epoch in range(rounds):
        barrier.wait(timeout=600)
        history.append(_timed(version, lambda epoch=epoch: _attempt(ledger, version, epoch)))
        history.append(_timed(version, lambda: _look(ledger)))
    histories.put(history)


def _only_look(url, process, rounds, barrier, histories):
    ledger, history = Ledger(url), []
    for _ in range(rounds):
        barrier.wait(timeout=600)
        history += [_timed(process, lambda: _look(ledger)) for _ in range(2)]
    histories.put(history)


@pytest.mark.parametrize("rounds", [50, pytest.param(200, marks=pytest.mark.long)])
def test_what_processes_that_promote_and_look_at_once_are_answered_could_have_happened_one_after_the_other(
    ledger, rounds
):
    assert ledger.head("p") is None
    barrier, histories = PROCESSES.Barrier(3), PROCESSES.Queue()
    targets = {1: _race_and_look, 2: _race_and_look, 3: _only_look}
    processes = [
        start(target, ledger.state_url, number, rounds, barrier, histories) for number, target in targets.items()
    ]
    history = [operation for _ in processes for operation in histories.get(timeout=600)]
    for process in processes:
        process.join()
    order = linearization(history)
    assert order is not None
    won = [(each.what.expected + 1, each.what.version) for each in order if getattr(each.what, "won", False)]
    assert won == [(row.epoch, row.version) for row in ledger.history("p")]
    assert len(won) == rounds


def test_a_verdict_is_kept_once_and_read_back_whole(ledger):
    challenger = Judged(version=1, as_of=date(2013, 2, 1), rows=10, rows_digest="r", metrics={"roc_auc": 0.7})
    case = Case(
        pipeline="p",
        partition=date(2013, 2, 1),
        challenger=challenger,
        champion=None,
        head=None,
        proof=Proof(version=1),
        training_digest="t",
        pipeline_digest="d",
    )
    verdict = decide(case, Gate(metric="roc_auc"))
    ledger.record(verdict)
    ledger.record(verdict)
    assert ledger.verdicts("p") == [verdict]
    assert ledger.verdict(verdict.id) == verdict


def test_an_unknown_verdict_is_an_error(ledger):
    with pytest.raises(GateError, match="no verdict"):
        ledger.verdict("0123456789abcdef")
