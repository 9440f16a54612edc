import os
import signal

import pytest
import redis

from airloom.core.errors import SetupError
from airloom.stores.online_redis import _RedisChange
from airloom.stores.online_redis_scripts import MERGE
from tests.stores.online_windows import ended, forked, pulled, read, write
from tests.worlds.feature_lake import open_small
from tests.worlds.installation import settings_at

NAMES = [f"d{number}" for number in range(3000)]
HALF = NAMES[::2]


@pytest.fixture
def url(redis_server):
    return redis_server.empty()


@pytest.fixture
def server(url):
    with redis.Redis.from_url(url) as client:
        yield client


@pytest.fixture
def store(tmp_path, url):
    return open_small(settings_at(tmp_path, online_url=url))


def killed_in_its_last_merge(store, lake):
    run = _RedisChange._run

    def one_page(self, script, *arguments):
        answer = run(self, script, *arguments)
        if script is MERGE and answer != b"0":
            os.kill(os.getpid(), signal.SIGKILL)
        return answer

    _RedisChange._run = one_page
    write(store, lake, 0)


def test_a_kill_between_the_pages_of_a_merge_is_seen_by_nobody(store, server):
    write(store, {0: dict.fromkeys(NAMES, 1.0)}, 0)
    assert ended(forked(killed_in_its_last_merge, store, {0: dict.fromkeys(HALF, 2.0)})) == -signal.SIGKILL
    assert server.exists("airloom:small.driver:pending")
    assert read(store, NAMES) == dict.fromkeys(HALF, (2.0, 0))
    server.delete("airloom:small.driver:lock")
    write(store, {1: {"ann": 3.0}}, 1)
    assert read(store, [*NAMES, "ann"]) == {**dict.fromkeys(HALF, (2.0, 0)), "ann": (3.0, 1)}
    assert server.hlen("airloom:small.driver:rows") == len(HALF) + 1


def test_every_key_is_below_the_projects_view_and_none_is_left_when_it_is_forgotten(store, server):
    server.set("of somebody else", "1")
    write(store, {0: dict.fromkeys(NAMES, 1.0)}, 0)
    write(store, {0: dict.fromkeys(HALF, 2.0)}, 0)
    keys = {key.decode() for key in server.scan_iter()}
    assert keys == {"of somebody else", *(f"airloom:small.driver:{part}" for part in ("rows", "meta", "layouts"))}
    store.provider.online_store.teardown(store.config, [store.get_feature_view("driver")], [])
    assert list(server.scan_iter()) == [b"of somebody else"]


def test_a_writer_whose_view_was_forgotten_meanwhile_is_refused(store, server):
    def forgets(first, last):
        server.delete("airloom:small.driver:lock")
        store.provider.online_store.teardown(store.config, [store.get_feature_view("driver")], [])
        return pulled({0: {"ann": 1.0}})(first, last)

    with pytest.raises(SetupError, match="Another writer"):
        write(store, forgets, 0)
    assert list(server.scan_iter()) == []


def test_scripts_are_sent_again_to_a_server_that_has_lost_them(store, server):
    write(store, {0: {"ann": 1.0}}, 0)
    server.script_flush()
    write(store, {1: {"ann": 2.0}}, 1)
    assert read(store, ["ann"]) == {"ann": (2.0, 1)}
