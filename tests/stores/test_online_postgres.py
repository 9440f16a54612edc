import threading
from uuid import uuid4

import psycopg
import pytest

from tests.stores.online_windows import read, write
from tests.worlds.feature_lake import open_small
from tests.worlds.installation import settings_at


@pytest.fixture
def database():
    return f"online_{uuid4().hex}"


@pytest.fixture
def store(tmp_path, postgres, database):
    return open_small(settings_at(tmp_path, online_url=postgres.create(database)))


def test_a_reader_goes_on_when_the_server_has_closed_its_connection(store, postgres, database):
    write(store, {0: {"ann": 1.0}}, 0)
    assert read(store, ["ann"]) == {"ann": (1.0, 0)}
    postgres.run(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{database}'")
    assert read(store, ["ann"]) == {"ann": (1.0, 0)}


def test_threads_read_each_on_a_connection_of_its_own(store):
    write(store, {0: {"ann": 1.0}}, 0)
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(read(store, ["ann"]))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(600)
    assert answers == [{"ann": (1.0, 0)}] * 4


def test_writing_often_does_not_use_up_the_numbers_of_views_and_layouts(store, postgres, database):
    for hour in range(5):
        write(store, {hour: {"ann": float(hour)}}, hour)
    url = postgres.url(database).replace("+psycopg", "")
    with psycopg.connect(url) as connection:
        for table in ("views", "layouts"):
            [(used, there)] = connection.execute(
                f"SELECT last_value, (SELECT count(*) FROM airloom_online_{table}) FROM airloom_online_{table}_id_seq"
            )
            assert used == there
