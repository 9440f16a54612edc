"""Whatever is done to the champions of two pipelines, in whatever order, ledger and alias are what they should be."""

import dataclasses
import logging
import random
from collections import Counter
from contextlib import nullcontext
from datetime import UTC, datetime
from itertools import pairwise
from typing import ClassVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from airloom.core.errors import GateError
from airloom.core.records import Answered, Chosen
from airloom.steps.apply import apply, apply_choice
from airloom.steps.choose import choose
from airloom.steps.reconcile import reconcile
from airloom.stores.ledger import Ledger, effective
from airloom.stores.models import ModelRegistry
from airloom.stores.notes import Notes
from airloom.stores.pins import Pins
from airloom.stores.state_schema import upgrade_state
from airloom.stores.tracking import open_client
from tests.faults import ledger_model as model
from tests.faults import ledger_world as world
from tests.worlds.installation import settings_at

#: So many lives of so many steps each, and how many steps they are at least: a few lives are short. PostgreSQL takes
#: several times as long to answer.
LENGTH = 60
KINDS = [
    ("sqlite", 7, 300),
    ("postgresql", 2, 60),
    pytest.param("sqlite", 45, 2000, marks=pytest.mark.long),
    pytest.param("postgresql", 10, 400, marks=pytest.mark.long),
]
#: Only so many steps are sure to have met everything.
MANY = 2000

names = st.sampled_from(world.NAMES)
#: What must have happened: a machine that never gets there proves nothing.
EXPECTED = (
    *("first", "better", "tie", "rejected", "incomparable", "older", "pinned", "superseded", "declined", "refused"),
    *(f"moved by {how}" for how in ("first", "better", "approve", "promote", "rollback", "adopt")),
    *("killed before any effect", "killed between two effects"),
)

plants = st.sampled_from(["better"] * 5 + ["tie", "weak", "broken", "worse slice", "incomparable"])
answers = st.sampled_from(["not asked", "not asked", "yes", "no", "nothing"])
actions = st.sampled_from(["promote", "rollback", "pin", "unpin", "unpin"])
any_number = st.integers(0, 20)
#: Nights go forwards as a rule; some are run again, or an older one is backfilled.
nights = st.sampled_from([1, 1, 1, 0, -1, -3])
#: Before which commit the process dies, if it does.
deaths = st.one_of(st.none(), st.none(), st.integers(0, 16))


class Champions(RuleBasedStateMachine):
    """Real ledger and real registry on one side, the model on the other."""

    template: ClassVar
    settings: ClassVar
    seen: ClassVar[Counter] = Counter()

    evaluations = Bundle("evaluations")
    verdicts = Bundle("verdicts")
    wishes = Bundle("wishes")

    def __init__(self):
        super().__init__()
        self.template.bring_back(self.settings)
        self.ledger, self.reader = Ledger(self.settings.state_url), world.Reader(self.settings)
        first = model.State(foreign=frozenset([world.FOREIGN]))
        self.state = dict.fromkeys(world.NAMES, first)
        self.newest = dict.fromkeys(world.NAMES, 0)
        self.versions = dict.fromkeys(world.NAMES, world.VERSIONS)
        self.judged = {}
        self.random = random.Random(1)
        self.moments = [(datetime.now(UTC), dict.fromkeys(world.NAMES, 0))]

    def teardown(self):
        for verdict in self.judged.values():
            assert self.ledger.verdict(verdict.id) == verdict
        for name, state in self.state.items():
            notes = Notes(self.settings.state_url).of(name)
            assert tuple((note.kind, note.subject, note.actor) for note in notes) == state.notes
            assert [pin.pinned for pin in Pins(self.settings.state_url).history(name)] == list(state.pins)
            assert ModelRegistry(self.settings, name).alias() == state.alias
        self.reader.close()

    @initialize(target=verdicts, name=names)
    def the_first_night(self, name):
        return self._judge(self._evaluate(name, 0, 0, "better"))

    @rule(target=evaluations, name=names, ahead=nights, number=any_number, planted=plants)
    def train_a_night(self, name, ahead, number, planted):
        return self._evaluate(name, ahead, number, planted)

    @rule(target=verdicts, evaluated=evaluations)
    def decide_later(self, evaluated):
        return self._judge(evaluated)

    @rule(
        target=verdicts,
        name=names,
        ahead=nights,
        number=any_number,
        planted=plants,
        adopts=st.booleans(),
        said=answers,
        death=deaths,
    )
    def run_a_night(self, name, ahead, number, planted, adopts, said, death):
        verdict = self._judge(self._evaluate(name, ahead, number, planted))
        self._apply(verdict, death, adopts=adopts, said=said)
        return verdict

    @rule(target=verdicts, name=names, number=any_number, said=answers, death=deaths)
    def run_a_night_twice_at_once(self, name, number, said, death):
        verdicts = [self._judge(self._evaluate(name, ahead, number + ahead, "better")) for ahead in (1, 0)]
        self._apply(verdicts[0], None)
        self._apply(verdicts[1], death, said=said)
        return verdicts[1]

    @rule(verdict=verdicts, adopts=st.booleans(), said=answers, death=deaths)
    def apply_a_verdict(self, verdict, adopts, said, death):
        self._apply(verdict, death, adopts=adopts, said=said)

    @rule(
        target=wishes,
        name=names,
        action=actions,
        number=st.none() | any_number,
        ahead=nights,
    )
    def choose(self, name, action, number, ahead):
        return self._choose(name, action, number, ahead)

    @rule(
        target=wishes,
        name=names,
        action=actions,
        number=st.none() | any_number,
        ahead=nights,
        death=deaths,
    )
    def choose_and_apply(self, name, action, number, ahead, death):
        chosen = self._choose(name, action, number, ahead)
        if not isinstance(chosen, Chosen):
            return chosen
        self._apply_choice(chosen, death)
        return chosen

    @rule(chosen=wishes, adopts=st.booleans(), death=deaths)
    def apply_a_wish(self, chosen, adopts, death):
        self._apply_choice(chosen, death, adopts=adopts)

    @rule(
        name=names, what=st.sampled_from(["move the alias", "delete the alias", "delete a version"]), number=any_number
    )
    def somebody_works_in_mlflow(self, name, what, number):
        state, there, client = self.state[name], self._there(name), open_client(self.settings)
        version = there[-1 - number % len(there)]
        if what == "move the alias":
            client.set_registered_model_alias(name, "champion", str(version))
            state = dataclasses.replace(state, alias=version, by_hand=version != (state.head and state.head.version))
        elif what == "delete the alias":
            client.delete_registered_model_alias(name, "champion")
            state = dataclasses.replace(state, alias=None)
        elif len(there) > 2:
            client.delete_model_version(name, str(version))
            alias = None if state.alias == version else state.alias
            state = dataclasses.replace(state, deleted=state.deleted | {version}, alias=alias)
        self._now(name, state, what)

    @rule(name=names, adopts=st.booleans(), death=deaths)
    def reconcile(self, name, adopts, death):
        states = model.reconciled(self.state[name], adopts)
        self._do(name, states, death, lambda: reconcile(world.declared(name, adopts=adopts), self.settings))

    @invariant()
    def what_must_hold_after_every_step(self):
        self.seen["steps"] += 1
        for name, state in self.state.items():
            history = self.ledger.history(name)
            assert [row.epoch for row in history] == list(range(1, len(history) + 1))
            for before, after in pairwise(history):
                assert after.effective_from >= before.effective_from or after.reason.startswith("rollback:")
            self._check_verdicts(name, history)
            assert self.reader.durable(name, history) == state.durable
            self._check_past(name, state, history)
        self._ask_the_past(self.random.choice(world.NAMES))

    def _check_verdicts(self, name, history):
        """Who was moved by a verdict was judged against the champion before, and no verdict moves twice."""
        moving = [row for row in history if row.verdict]
        assert len({row.verdict for row in moving}) == len(moving)
        for row in moving:
            verdict, before = self.judged[row.verdict], history[row.epoch - 2] if row.epoch > 1 else None
            assert verdict.accepted
            assert (verdict.pipeline, verdict.challenger.version) == (name, row.version)
            assert (verdict.champion and verdict.champion.version) == (before and before.version)

    def _check_past(self, name, state, history):
        for number in range(-6, self.newest[name] + 2):
            assert _row(effective(history, world.day_of(number))) == state.as_of(world.day_of(number))

    def _ask_the_past(self, name):
        day, (moment, epochs) = (
            world.day_of(self.random.randint(-6, self.newest[name])),
            self.random.choice(self.moments),
        )
        assert _row(self.ledger.champion_as_of(name, day)) == self.state[name].as_of(day)
        champion = self.ledger.champion_at(name, moment)
        assert (champion.epoch if champion else 0) == epochs[name]

    def _evaluate(self, name, ahead, number, planted):
        """Train on a night: every other one registers a version, the others find one again."""
        self.newest[name] = max(self.newest[name], self.newest[name] + ahead)
        day = world.day_of(self.newest[name] + min(ahead, 0))
        champion = self.state[name].as_of(day)
        version = self._version(name, number)
        if number % 2 or version is None or version == (champion and champion.version):
            version = world.register(self.settings, name, self.template.tags)
            assert version == self.versions[name] + 1
            self.versions[name] = version
        return world.Evaluated(name, version, day, champion, planted)

    def _judge(self, evaluated):
        verdict, champion = world.judged(self.settings, evaluated), evaluated.champion
        state = self.state[evaluated.pipeline]
        assert verdict.outcome == model.outcome(
            state, evaluated.planted, evaluated.day, champion.version if champion else None
        )
        assert self.ledger.verdict(verdict.id) == verdict
        self.judged[verdict.id] = verdict
        with pytest.raises(GateError, match="about another pipeline"):
            apply(world.declared(_other(verdict.pipeline)), verdict.partition, verdict.id, self.settings, "mistaken")
        self.seen[verdict.outcome] += 1
        return verdict

    def _apply(self, verdict, death, *, adopts=False, said="not asked"):
        row = model.Row(
            verdict.challenger.version,
            verdict.partition,
            verdict.id,
            "a run",
            f"{verdict.outcome}: {verdict.reasons}",
        )
        ruling = model.Ruling(verdict.id, verdict.accepted, verdict.head.epoch if verdict.head else 0, row)
        name, asks, approved = verdict.pipeline, said != "not asked", said == "yes"
        answer = _answer(verdict, approved) if said in ("yes", "no") else None
        by = answer and answer.actor
        states = model.applied(self.state[name], ruling, adopts, asks=asks, approved=approved, by=by)
        pipeline = world.declared(name, adopts=adopts, asks=asks)
        self._do(
            name, states, death, lambda: apply(pipeline, verdict.partition, verdict.id, self.settings, "a run", answer)
        )

    def _choose(self, name, action, number, ahead):
        version = None if number is None or action in ("pin", "unpin") else 1 + number % self.versions[name]
        day, reason = world.day_of(self.newest[name] + ahead), f"wish {len(self.moments)}"
        if action == "promote" and version is None:
            version = self.versions[name]
        try:
            expected = model.wanted(self.state[name], action, version, day)
        except model.Refused:
            with pytest.raises(GateError):
                choose(world.declared(name), day, action, version, "ann", reason, self.settings)
            return multiple()
        chosen = choose(world.declared(name), day, action, version, "ann", reason, self.settings)
        assert (chosen.version, chosen.epoch) == (expected, len(self.state[name].rows))
        return chosen

    def _apply_choice(self, chosen, death, *, adopts=False):
        reason = f"{chosen.action}: {chosen.reason}"
        row = model.Row(chosen.version, chosen.partition, None, chosen.actor, reason)
        states = model.granted(self.state[chosen.pipeline], model.Wish(chosen.action, chosen.epoch, row), adopts)
        pipeline = world.declared(chosen.pipeline, adopts=adopts)
        self._do(chosen.pipeline, states, death, lambda: apply_choice(pipeline, chosen, self.settings))

    def _do(self, name, states, death, action):
        """Act in reality and in the model; a death leaves what there was after some of the effects."""
        before, (passed, refused) = self.state[name], model.unfold(self.state[name], states)
        try:
            with world.killed_before_commit(death), nullcontext() if not refused else pytest.raises(GateError):
                action()
            self._check_alias(name)
        except world.Killed:
            found = self.reader.durable(name, self.ledger.history(name))
            left = [number for number, state in enumerate(passed) if state.durable == found]
            assert left, "a crash has left what no state in between is"
            self.seen[
                "killed between two effects" if 0 < left[-1] < len(passed) - 1 else "killed before any effect"
            ] += 1
            passed = passed[: left[-1] + 1]
        if before.pinned:
            assert model.only_people(passed[-1].rows[len(before.rows) :])
        for row in passed[-1].rows[len(before.rows) :]:
            self.seen[f"moved by {row.reason.partition(':')[0]}"] += 1
        for kind, *_ in passed[-1].notes[len(before.notes) :]:
            self.seen[kind] += 1
        self._now(name, passed[-1], "refused" if refused else "done")

    def _check_alias(self, name):
        """After an action that nothing has killed the alias is the champion, or nothing when its version is gone."""
        history = self.ledger.history(name)
        _, alias, *_ = self.reader.durable(name, history)
        gone = not history or history[-1].version in self.state[name].deleted
        assert alias == (None if gone else history[-1].version)

    def _now(self, name, state, what):
        self.state[name] = state
        self.seen[what] += 1
        epochs = {each: len(self.state[each].rows) for each in world.NAMES}
        self.moments.append((datetime.now(UTC), epochs))

    def _there(self, name):
        state = self.state[name]
        return [version for version in range(1, self.versions[name] + 1) if version not in state.deleted]

    def _version(self, name, number):
        """Return a version of one's own that is still there; the champion's is one of them."""
        mine = [version for version in self._there(name) if version != world.FOREIGN]
        return mine[-1 - number % len(mine)] if mine else None


def _other(name):
    return next(other for other in world.NAMES if other != name)


def _row(champion):
    return champion and world.row_of(champion)


def _answer(verdict, approved):
    words = "approved by ann" if approved else "declined by ann"
    facts = {"pipeline": verdict.pipeline, "partition": verdict.partition, "headline": words, "actor": "ann"}
    return Answered(approved=approved, verdict=verdict.id, **facts)


def _databases(kind, folder, request):
    """Settings with a database for the template, and with one for the lives."""
    here = [settings_at(folder / name) for name in ("template", "lives")]
    if kind == "sqlite":
        return here
    postgres = request.getfixturevalue("postgres")
    urls = [postgres.create(f"{folder.name}_{each.var.parent.name}") for each in here]
    for url in urls:
        upgrade_state(url)
    return [dataclasses.replace(each, state_url=url) for each, url in zip(here, urls, strict=True)]


@pytest.mark.parametrize(("kind", "lives_of", "steps"), KINDS)
def test_ledger_and_alias_are_what_they_should_be_whatever_happens(
    kind, lives_of, steps, request, tmp_path, monkeypatch, caplog, record_property
):
    template, here = _databases(kind, tmp_path, request)
    monkeypatch.setattr(Champions, "template", world.make(template), raising=False)
    monkeypatch.setattr(Champions, "settings", here, raising=False)
    monkeypatch.setattr(Champions, "seen", Counter())
    caplog.set_level(logging.ERROR, "airloom")
    # A failure is not shrunk: that takes minutes, and the last steps before it tell most. Add Phase.shrink to have it.
    lives = settings(
        max_examples=lives_of,
        stateful_step_count=LENGTH,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(Champions, settings=lives)
    record_property("seen", dict(sorted(Champions.seen.items())))
    assert Champions.seen["steps"] >= steps
    assert steps < MANY or not [what for what in EXPECTED if not Champions.seen[what]]
