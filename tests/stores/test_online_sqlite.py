import subprocess
import sys

import pytest

from airloom.core.errors import SetupError
from airloom.stores.online_sqlite import GuardedSqliteOnlineStore
from tests.worlds.feature_lake import online, open_small
from tests.worlds.installation import settings_at


def test_a_file_that_is_not_a_database_is_named(tmp_path):
    settings = settings_at(tmp_path)
    store = open_small(settings)
    settings.online.write_text("nothing like a database")
    with pytest.raises(SetupError) as refused:
        online(store, ["ann"])
    assert refused.value.where == str(settings.online)


def test_no_driver_of_another_store_and_no_store_of_feast_is_imported():
    others = {"psycopg", "redis", "feast.infra.online_stores.sqlite"}
    code = f"import sys, airloom.stores.online_sqlite; print(sorted({others!r} & set(sys.modules)))"
    script = f"import sys; sys.path[:0] = {sys.path!r}; {code}"
    answer = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"


def test_what_feast_would_find_out_of_old_versions_is_known_without_importing_its_other_stores():
    store = GuardedSqliteOnlineStore()
    assert store._versioned_read_supported is store._is_versioned_read_supported() is False
