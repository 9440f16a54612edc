import signal
import threading
import time
import traceback
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import make_url

from airloom.core.errors import SetupError
from airloom.stores import online_postgres, online_redis
from tests.servers.process import free_port
from tests.stores.online_windows import ended, forked, pulled, push, read, wait_until_stopped, write
from tests.worlds.feature_lake import open_small
from tests.worlds.installation import settings_at

FAILPOINTS = ["online.after_remove", "online.before_commit", "online.after_commit"]
NAMES = ["ann", "bob", "eve", "dan"]
OLD = {0: {"ann": 1.0, "bob": 1.0}, 1: {"ann": 2.0, "eve": 2.0}}
NEW = {0: {"ann": 1.0, "bob": 1.0, "eve": 1.5}, 1: {"bob": 3.0}}


@pytest.fixture
def store(tmp_path, new_online):
    return open_small(settings_at(tmp_path, online_url=new_online()))


@pytest.fixture
def impatient(monkeypatch):
    """Give up soon on a writer that stands still."""
    monkeypatch.setattr(online_postgres, "_STALLED_SECONDS", 1)
    monkeypatch.setattr(online_redis, "_LEASE_SECONDS", 1)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("failpoint", FAILPOINTS)
def test_a_kill_leaves_the_old_values_or_the_new_ones_and_the_next_try_converges(store, failpoint):
    write(store, OLD, 0, 1)
    write(store, NEW, 0)
    before = read(store, NAMES)
    killed = forked(write, store, NEW, 1, armed=f"{failpoint}:kill")
    assert ended(killed) == -signal.SIGKILL
    after = {"ann": (1.0, 0), "bob": (3.0, 1), "eve": (1.5, 0)}
    assert read(store, NAMES) == (after if failpoint == "online.after_commit" else before)
    write(store, NEW, 1)
    assert read(store, NAMES) == after


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("failpoint", FAILPOINTS)
@pytest.mark.parametrize("new_online", ["postgres", "redis"], indirect=True)
def test_a_writer_that_stood_still_while_another_one_wrote_is_refused(store, failpoint):
    write(store, OLD, 0, 1)
    stopped = forked(write, store, {1: {"ann": 99.0, "dan": 99.0}}, 1, armed=f"{failpoint}:stop")
    wait_until_stopped(stopped)
    write(store, NEW, 0, 1)
    after = read(store, NAMES)
    assert after == {"ann": (1.0, 0), "bob": (3.0, 1), "eve": (1.5, 0)}
    assert ended(stopped, go_on=True) == (0 if failpoint == "online.after_commit" else 1)
    assert read(store, NAMES) == after
    write(store, NEW, 1)
    assert read(store, NAMES) == after


def test_an_error_while_the_lake_is_read_changes_nothing_and_lets_the_next_writer_in(store):
    write(store, OLD, 0, 1)
    before = read(store, NAMES)
    with pytest.raises(TypeError):
        write(store, {0: {}, 1: None}, 0, 1)
    assert read(store, NAMES) == before
    write(store, NEW, 0, 1)
    assert read(store, NAMES)["bob"] == (3.0, 1)


def test_of_two_writers_the_later_one_reads_after_the_earlier_one_has_written(store):
    order, reading, waiting = [], threading.Event(), threading.Event()

    def slow(first, last):
        reading.set()
        waiting.wait(60)
        time.sleep(0.3)
        order.append("first has read")
        return pulled({0: {"ann": 0.0}})(first, last)

    def quick(first, last):
        order.append(("second reads", read(store, ["ann"])))
        return pulled({0: {"ann": 1.0}})(first, last)

    one = threading.Thread(target=write, args=(store, slow, 0))
    one.start()
    reading.wait(60)
    two = threading.Thread(target=write, args=(store, quick, 0))
    two.start()
    waiting.set()
    one.join(600), two.join(600)
    assert order == ["first has read", ("second reads", {"ann": (0.0, 0)})]
    assert read(store, ["ann"]) == {"ann": (1.0, 0)}


def test_a_reader_never_sees_half_a_window(store):
    names = [f"d{number}" for number in range(1500)]
    windows = [{0: dict.fromkeys(names, float(value))} for value in range(6)]
    write(store, windows[0], 0)
    writer = threading.Thread(target=lambda: [write(store, window, 0) for window in windows[1:]])
    writer.start()
    seen = []
    while writer.is_alive():
        seen.append({rate for rate, _ in read(store, names).values()})
    writer.join()
    assert [len(rates) for rates in seen] == [1] * len(seen)
    assert read(store, names) == dict.fromkeys(names, (5.0, 0))


def test_processes_that_are_forked_from_a_reader_read_and_write_for_themselves(store):
    write(store, OLD, 0, 1)
    assert read(store, ["ann"]) == {"ann": (2.0, 1)}
    children = [forked(_write_and_read, store, f"child {number}") for number in range(3)]
    assert [read(store, ["ann"]) for _ in range(20)] == [{"ann": (2.0, 1)}] * 20
    assert [ended(child) for child in children] == [0, 0, 0]
    assert len(read(store, [f"child {number}" for number in range(3)])) == 3


def _write_and_read(store, name):
    push(store, name, 1, 1, 7.0)
    assert [read(store, [name, "ann"]) for _ in range(20)] == [{name: (7.0, 1), "ann": (2.0, 1)}] * 20


days, names = st.integers(0, 4), st.sampled_from(NAMES)
published = st.tuples(st.just("publish"), days, st.dictionaries(names, st.integers(0, 99).map(float)))
windows = st.tuples(st.just("write"), days, days)
pushes = st.tuples(st.just("push"), names, days, days)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.one_of(published, windows, pushes), max_size=12))
def test_the_store_is_what_a_dictionary_would_be(store, steps):
    config = store.config.model_copy(update={"project": uuid4().hex})
    lake, model = {}, {}
    for action, first, *rest in steps:
        if action == "publish":
            lake[first] = rest[0]
        elif action == "push":
            push(store, first, *rest, 0.5, config)
            put(model, first, (*rest, 0.5))
        else:
            window = sorted((first, rest[0]))
            write(store, lake, *window, config)
            replace(model, lake, *window)
        assert read(store, NAMES, config) == {name: (rate, day) for name, (day, _, rate) in model.items()}


def put(model, name, row):
    if name not in model or row[:2] >= model[name][:2]:
        model[name] = row


def newest(lake, first, last):
    return {name: (day, day, rate) for day in sorted(lake) if first <= day <= last for name, rate in lake[day].items()}


def replace(model, lake, first, last):
    rows, earlier = newest(lake, first, last), newest(lake, 0, first - 1)
    gone = [n for n, (day, *_) in model.items() if first <= day <= last and rows.get(n, (None,))[0] != day]
    for name in gone:
        del model[name]
    for name, row in {**{n: earlier[n] for n in gone if n in earlier and n not in rows}, **rows}.items():
        put(model, name, row)


@pytest.mark.parametrize("new_online", ["postgres", "redis"], indirect=True)
@pytest.mark.parametrize("wrong", ["password", "port"])
def test_a_server_that_lets_nobody_in_is_named_without_the_password(tmp_path, new_online, wrong):
    url = make_url(new_online())
    url = url.set(password="planted-mistake") if wrong == "password" else url.set(port=free_port())
    with pytest.raises(SetupError) as refused:
        read(open_small(settings_at(tmp_path, online_url=url.render_as_string(hide_password=False))), ["ann"])
    assert refused.value.where == f"{url.drivername}://127.0.0.1:{url.port}/{url.database}"
    assert "planted" not in "".join(traceback.format_exception(refused.value))


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://:planted@[half",
        "postgresql://ann:half@planted@here/1",
        "postgresql://ann:planted/1@here/1",
        "redis://:planted/1@cache",
        "mysql://ann:planted@here/1",
    ],
)
def test_a_url_that_cannot_be_used_is_not_shown(tmp_path, url):
    with pytest.raises(SetupError) as refused:
        read(open_small(settings_at(tmp_path, online_url=url)), ["ann"])
    assert "planted" not in "".join(traceback.format_exception(refused.value))
    assert "postgresql://" in refused.value.expected or "redis://" in refused.value.expected


@pytest.mark.parametrize("new_online", ["postgres", "redis"], indirect=True)
def test_a_password_is_in_no_representation_of_a_store(tmp_path, new_online):
    store = open_small(settings_at(tmp_path, online_url=new_online()))
    assert "planted" not in f"{store.config!r}{store.config.online_store!r}{store.config.online_store}"
