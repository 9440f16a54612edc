"""Windows written straight into an online store: quick, and by processes that are forked, killed and stopped."""

import multiprocessing
import os
import signal
from datetime import UTC, datetime, timedelta

import pyarrow as pa
from feast.protos.feast.types.EntityKey_pb2 import EntityKey
from feast.protos.feast.types.Value_pb2 import Value

from airloom.core.failpoints import ARMED

FIRST = datetime(2024, 3, 1, 5, tzinfo=UTC)


def moment(day):
    return FIRST + timedelta(days=day)


def table(rows):
    """Rows of the view `driver`: name, day of the event, day on which it was known, rate."""
    names, events, known, rates = zip(*rows, strict=True) if rows else ((), (), (), ())
    return pa.table(
        {
            "driver_id": pa.array(names, pa.string()),
            "rate": pa.array(rates, pa.float64()),
            "trips": pa.array([1] * len(rows), pa.int64()),
            "home": pa.array(["home"] * len(rows), pa.string()),
            "as_of": pa.array([moment(day) for day in events], pa.timestamp("us", "UTC")),
            "known_at": pa.array([moment(day) for day in known], pa.timestamp("us", "UTC")),
        }
    )


def pulled(lake):
    """How a store reads a lake: `{day: {name: rate}}`."""

    def pull(first, last):
        newest = {name: day for day in sorted(lake) if first <= moment(day) <= last for name in lake[day]}
        return table([(name, day, day, lake[day][name]) for name, day in newest.items()])

    return pull


def write(store, lake, first, last=None, config=None):
    view, window = store.get_feature_view("driver"), (moment(first), moment(first if last is None else last))
    pull = lake if callable(lake) else pulled(lake)
    return store.provider.online_store.replace_window(config or store.config, view, window, pull)


def push(store, name, day, known, rate, config=None):
    features = {"rate": Value(double_val=rate), "trips": Value(int64_val=1), "home": Value(string_val="home")}
    row = (*keys_of(name), features, moment(day), moment(known))
    store.provider.online_store.online_write_batch(
        config or store.config, store.get_feature_view("driver"), [row], None
    )


def read(store, names, config=None):
    """Rate and day of those that are there."""
    view = store.get_feature_view("driver")
    found = store.provider.online_store.online_read(config or store.config, view, keys_of(*names))
    return {
        name: (features["rate"].double_val, (event - FIRST).days)
        for name, (event, features) in zip(names, found, strict=True)
        if features is not None
    }


def keys_of(*names):
    return [EntityKey(join_keys=["driver_id"], entity_values=[Value(string_val=name)]) for name in names]


def forked(action, *arguments, armed=""):
    """Run an action in a process forked from this one, with a failpoint armed."""
    process = multiprocessing.get_context("fork").Process(target=_run, args=(armed, action, *arguments))
    process.start()
    return process


def _run(armed, action, *arguments):
    os.environ[ARMED] = armed
    action(*arguments)


def wait_until_stopped(process):
    _, status = os.waitpid(process.pid, os.WUNTRACED)
    assert os.WIFSTOPPED(status), status


def ended(process, go_on=False):
    """How a process ended."""
    if go_on:
        os.kill(process.pid, signal.SIGCONT)
    process.join(600)
    return process.exitcode
