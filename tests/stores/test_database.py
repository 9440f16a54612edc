"""How the state database is opened, and what is told when it cannot be."""

import os
import signal
import socket
import time
from datetime import date
from multiprocessing import get_context

import pytest
from sqlalchemy import make_url, text

from airloom.core.errors import SetupError
from airloom.stores.database import connect_options, open_database, without_password
from airloom.stores.notes import Notes
from airloom.stores.online_postgres import _reader
from airloom.stores.state import state_engine
from airloom.stores.state_schema import REVISION, found_revision
from tests.servers.postgres import PASSWORD, running_postgres
from tests.servers.process import free_port

NIGHT = date(2013, 2, 1)


def refused(url) -> SetupError:
    with pytest.raises(SetupError) as told:
        open_database(str(url), "The state database", "AIRLOOM_STATE_URL").connect()
    assert PASSWORD not in str(told.value)
    return told.value


@pytest.fixture
def url(postgres):
    return make_url(postgres.url("postgres"))


def shown(url):
    return url.render_as_string(hide_password=False)


def test_what_may_be_told_of_a_url_has_no_password_and_no_options():
    full = "postgresql+psycopg://ann:secret@db:5433/airloom?sslpassword=secret"
    for url in (full, make_url(full), make_url(full).set(password="half@sec:ret")):
        assert without_password(url) == "postgresql+psycopg://db:5433/airloom"
    assert without_password("sqlite:////var/air loom.db?timeout=3") == "sqlite:////var/air loom.db"


def test_a_server_that_is_not_there_is_an_error_that_says_where(url):
    error = refused(shown(url.set(port=free_port())))
    assert error.what == "The state database cannot be reached."
    assert error.where.startswith("postgresql+psycopg://127.0.0.1:")
    assert "refused" in error.found
    assert "AIRLOOM_STATE_URL" in error.do


def test_a_wrong_password_is_an_error_that_does_not_tell_it(url):
    error = refused(shown(url.set(password="planted-wrong")))
    assert 'password authentication failed for user "postgres"' in error.found
    assert "planted-wrong" not in str(error)


def test_a_database_that_does_not_exist_is_an_error(url):
    assert 'database "nowhere" does not exist' in refused(shown(url.set(database="nowhere"))).found


def test_a_server_that_accepts_and_does_not_answer_is_given_up(url, monkeypatch):
    monkeypatch.setattr("airloom.stores.database._CONNECT_SECONDS", 2)
    with running_postgres() as server:
        url = server.url("postgres")
        os.kill(server.process.pid, signal.SIGSTOP)
        try:
            assert "timeout" in refused(url).found
        finally:
            os.kill(server.process.pid, signal.SIGCONT)


def socket_options(connection):
    """What the system was told about a connection: seconds until a probe, between probes, how many, milliseconds."""
    with socket.socket(fileno=os.dup(connection.fileno())) as opened:
        names = (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT, socket.TCP_USER_TIMEOUT)
        return tuple(opened.getsockopt(socket.IPPROTO_TCP, name) for name in names)


def test_a_host_that_vanishes_is_noticed_within_a_minute_unless_the_url_says_otherwise(url):
    own = url.update_query_dict({"keepalives_idle": "60", "tcp_user_timeout": "90000", "connect_timeout": "3"})
    for given, options in ((url, (30, 10, 3, 30_000)), (own, (60, 10, 3, 90_000))):
        with open_database(shown(given), "The state database", "AIRLOOM_STATE_URL").connect() as connection:
            assert socket_options(connection.connection.driver_connection) == options
        assert socket_options(_reader(shown(given))) == options
    assert "connect_timeout" not in connect_options(shown(own))["connect_args"]
    assert connect_options("mysql://ann@db/airflow")["connect_args"].keys() == {"connect_timeout"}


@pytest.mark.parametrize(
    "url",
    [
        "nothing",
        "ann:secret@db/airloom",
        "mongodb://ann:secret@db/airloom",
        "postgresql+nosuch://ann:secret@db/a",
        "postgresql+psycopg://ann:secret@db:54a32/airloom",
        "postgresql+psycopg://ann:half@secret@db/airloom",
        "postgresql+psycopg://ann:half@sec:secret@db:5432/airloom",
    ],
)
def test_a_url_that_is_none_is_an_error_that_does_not_repeat_it(url):
    error = refused(url)
    assert error.where == "AIRLOOM_STATE_URL"
    assert "secret" not in str(error)
    assert error.__suppress_context__ or error.__context__ is None


def test_a_read_is_answered_while_another_process_writes(state_url):
    notes = Notes(state_url)
    _add(state_url, "before")
    with state_engine(state_url).begin() as writer:
        writer.execute(text("DELETE FROM airloom_night_notes"))
        began = time.monotonic()
        assert [note.subject for note in notes.of("p")] == ["subject before"]
        assert found_revision(state_url) == REVISION
        assert time.monotonic() - began < 10
    assert notes.of("p") == []


def _add(url, number):
    Notes(url).add("p", "failed", NIGHT, f"subject {number}", "a run", "why")


def test_an_engine_that_was_used_before_a_fork_can_be_used_on_both_sides(state_url):
    notes, context = Notes(state_url), get_context("fork")
    assert notes.of("p") == []
    processes = [context.Process(target=_add, args=(state_url, number)) for number in range(4)]
    for process in processes:
        process.start()
    _add(state_url, "here")
    for process in processes:
        process.join(600)
    assert [process.exitcode for process in processes] == [0] * 4
    assert len(notes.of("p")) == 5


def test_a_server_that_was_started_again_is_connected_to_again():
    with running_postgres() as server:
        url = server.create("again")
        engine = state_engine(url)
        with engine.connect() as connection:
            assert connection.execute(text("SELECT 1")).scalar() == 1
        server.kill(signal.SIGINT)
        with pytest.raises(SetupError, match="cannot be reached"):
            engine.connect()
        server.start()
        with engine.connect() as connection:
            assert connection.execute(text("SELECT 1")).scalar() == 1
