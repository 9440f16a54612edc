"""Single checks, on real servers with one fault each."""

import json
import shutil
import socket
import subprocess
import sys
import time
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pyarrow as pa
import pytest

from airloom.core.declaration import read_pipelines
from airloom.core.errors import SetupError
from airloom.launcher.doctor.airflow import airflow
from airloom.launcher.doctor.clocks import judge_clock
from airloom.launcher.doctor.databases import airflow_database, state_database
from airloom.launcher.doctor.features import features
from airloom.launcher.doctor.lineage import lineage
from airloom.launcher.doctor.lost import lost_champions
from airloom.launcher.doctor.machine import disk, judge_room, ports
from airloom.launcher.doctor.models import champions, mlflow
from airloom.launcher.doctor.online import online_store
from airloom.launcher.doctor.packages import packages
from airloom.launcher.doctor.predictions import predictions
from airloom.launcher.doctor.published import published_days
from airloom.launcher.doctor.secrets import secrets, weakness
from airloom.launcher.doctor.storage import storage
from airloom.launcher.doctor.workers import workers
from airloom.launcher.process import Background, stop
from airloom.lineage.delivery.unsent import Unsent
from airloom.steps.references import load_reference
from airloom.stores.objects import objects_below
from airloom.stores.online_postgres import _TABLES
from airloom.stores.state_schema import upgrade_state
from airloom.stores.tracking import open_client
from airloom.stores.withdrawals import Withdrawals
from tests.launcher.doctor.findings import look, of_state, states, the
from tests.servers.mlflow_server import running_mlflow
from tests.servers.process import free_port
from tests.worlds.installation import publish

GIB = 2**30


def test_published_days_that_lie_ahead_are_named(installed):
    assert look(published_days, installed.subject()) == []
    for day in (date(2024, 1, 10), date(2042, 1, 2), date(2042, 1, 3)):
        publish(installed.settings, "parcels", "raw.parcels", day, pa.table({"id": [1]}))
    found = the(look(published_days, installed.subject()), "wrong")
    assert found.said == "parcels: raw.parcels has days that have not ended in Europe/Berlin: 2042-01-02, 2042-01-03"
    assert found.do.endswith("airloom unpublish parcels raw.parcels --day 2042-01-02")


def test_days_that_were_taken_back_are_told_and_what_was_not_finished_is_wrong(installed):
    withdrawals = Withdrawals.of("parcels", installed.settings)
    withdrawals.finish(withdrawals.begin("raw.parcels", date(2024, 1, 2), "one", "ann", "wrong"))
    told = the(look(published_days, installed.subject()), "ok")
    assert told.said == "parcels: taken back, and not published again: raw.parcels 2024-01-02"
    withdrawals.begin("predictions", date(2024, 1, 3), "two", "ann", "wrong")
    found = the(look(published_days, installed.subject()), "wrong")
    assert found.said.startswith("parcels: taking a day back was not finished: predictions 2024-01-03, by ann on")
    assert found.do == "airloom unpublish parcels predictions --day 2024-01-03"


def test_champions_that_the_ledger_has_lost_are_named_and_what_to_do(installed):
    assert look(lost_champions, installed.subject()) == []
    publish(installed.settings, "parcels", "predictions", date(2024, 1, 10), pa.table({"id": [1]}))
    found = the(look(lost_champions, installed.subject()), "wrong")
    assert found.said == "parcels: the ledger does not have the champion that has made the predictions of the lake"
    assert found.do.endswith("airloom upgrade --accept-loss")


def test_a_pipeline_whose_models_may_be_pickles_is_named(installed):
    file = installed.settings.include / "parcels" / "pipeline.yaml"
    file.write_text(file.read_text() + "\nartifacts: {pickle: allow}\n")
    found = the(look(champions, installed.subject()), "warning")
    assert found.said == "parcels: files of its models may be pickles, which run code when they are loaded"


@pytest.mark.parametrize(("free", "state"), [(20 * GIB, "ok"), (4 * GIB, "warning"), (GIB // 2, "wrong")])
def test_room_on_the_disk(free, state):
    assert judge_room(Path("/srv/var"), free).state == state


def test_a_shared_folder_on_another_disk_is_looked_at_too(installed):
    assert len(look(disk, installed.subject(storage=installed.folder / "not yet"))) == 1
    [_, shared] = look(disk, installed.subject(storage=Path("/dev/shm/airloom")))
    assert shared.said.endswith("free for /dev/shm/airloom")


@pytest.mark.parametrize(
    ("seconds", "state"), [(0, "ok"), (-4, "ok"), (6, "warning"), (-59, "warning"), (61, "wrong"), (-7200, "wrong")]
)
def test_clocks(seconds, state):
    here = datetime(2026, 1, 1, tzinfo=UTC)
    assert judge_clock("clock", here, here + timedelta(seconds=seconds), here).state == state


@pytest.mark.parametrize(("seconds", "state"), [(0, "ok"), (20, "ok"), (40, "ok"), (46, "warning"), (-6, "warning")])
def test_a_clock_that_is_asked_for_long_is_not_taken_for_one_that_is_wrong(seconds, state):
    asked = datetime(2026, 1, 1, tzinfo=UTC)
    there, answered = asked + timedelta(seconds=seconds), asked + timedelta(seconds=40)
    assert judge_clock("clock", asked, there, answered).state == state


def test_storage_in_a_folder_and_in_a_bucket_is_left_as_it_was(installed, bucket):
    for place in (installed.settings.var, bucket):
        found = look(storage, installed.subject(storage=place))
        assert of_state(found, "ok") == {each.check for each in found}
    assert list(objects_below(bucket)) == []
    assert not list(installed.settings.var.glob(".airloom-doctor*"))


@pytest.mark.parametrize(("method", "path"), [("PUT", "probe"), ("GET", "probe"), ("GET", "prefix="), ("DELETE", "")])
def test_a_bucket_that_may_not_be_used(installed, bucket, faulty, method, path):
    faulty.spoil("AccessDenied", 9, method, path)
    found = the(look(storage, installed.subject(storage=bucket)), "wrong")
    assert found.check == "storage"
    assert "S3 refuses access" in found.said
    assert found.do.startswith("grant it")
    assert "planted" not in str(found)


def test_a_bucket_in_which_two_writers_replace_each_other(installed, bucket, faulty):
    faulty.ignore_conditions()
    found = the(look(storage, installed.subject(storage=bucket)), "wrong")
    assert "lets several writers create the same object at once" in found.said
    assert "conditional writes are atomic" in found.do
    assert list(objects_below(bucket)) == []


@pytest.mark.parametrize(("behind", "state"), [(30, "warning"), (3600, "wrong")])
def test_a_bucket_whose_clock_is_behind(installed, bucket, faulty, behind, state):
    faulty.date = format_datetime(datetime.now(UTC) - timedelta(seconds=behind), usegmt=True)
    found = the(look(storage, installed.subject(storage=bucket)), state)
    assert (found.check, "behind this machine" in found.said) == ("clock of the storage", True)
    assert "set-ntp" in found.do


def test_a_bucket_whose_server_never_answers_is_told_soon(installed, bucket, s3_client, monkeypatch):
    monkeypatch.setattr("airloom.stores.s3._CONNECT_SECONDS", 1)
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        s3_client(f"http://127.0.0.1:{deaf.getsockname()[1]}")
        begun = time.monotonic()
        found = the(look(storage, installed.subject(storage=bucket)), "wrong")
    assert time.monotonic() - begun < 20
    assert "S3 cannot be reached" in found.said
    assert "AWS_ENDPOINT_URL_S3" in found.do


def test_a_folder_that_may_not_be_written(installed):
    folder = installed.folder / "file"
    folder.write_text("")
    found = the(look(storage, installed.subject(storage=folder)), "wrong")
    assert (found.check, found.do) == ("storage", "run: airloom up")


def test_a_state_database_on_postgresql_and_its_clock(installed, empty_state_url):
    upgrade_state(empty_state_url)
    found = look(state_database, installed.subject(state_url=empty_state_url))
    clock = set() if empty_state_url.startswith("sqlite") else {"clock of the state database"}
    assert of_state(found, "ok") == {"state database", *clock}


def test_a_server_for_the_state_that_is_not_there(installed):
    url = f"postgresql+psycopg://airloom:planted-password@127.0.0.1:{free_port()}/airloom"
    found = the(look(state_database, installed.subject(state_url=url)), "wrong")
    assert "cannot be reached" in found.said
    assert "planted" not in str(found)


def test_celery_with_a_database_that_is_a_file(installed, monkeypatch):
    monkeypatch.setenv("AIRFLOW__CORE__EXECUTOR", "CeleryExecutor")
    monkeypatch.setenv("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", "sqlite:////nowhere/airflow.db")
    found = the(look(airflow_database, installed.subject()), "wrong")
    assert "SQLite with CeleryExecutor" in found.said
    assert "PostgreSQL" in found.do


def test_features_that_are_registered_otherwise_than_they_are_defined(installed):
    from feast import Entity, Field
    from feast.types import Int64

    from airloom.stores.features import apply_features
    from airloom.stores.source import lake_view

    [pipeline], _ = read_pipelines(installed.settings.include)
    defined = vars(load_reference(pipeline.features.module, installed.settings.project))
    views = {name: defined[name] for name in pipeline.features.views}
    assert the(look(features, installed.subject()), "ok").said.endswith("in the SQL registry of the state database")
    schema = [Field(name=field.name, dtype=Int64) for field in views["depot_traffic"].features]
    other = lake_view("depot_traffic", entities=[defined["depot"]], ttl=views["depot_traffic"].ttl, schema=schema)
    entities = [each for each in defined.values() if isinstance(each, Entity)]
    apply_features(pipeline, installed.settings, [*entities, *(views | {"depot_traffic": other}).values()])
    found = the(look(features, installed.subject()), "wrong")
    assert found.said.endswith("features says: depot_traffic")
    assert found.do == "run: airloom apply"


def test_redis_that_keeps_everything(installed, redis_server):
    import redis

    url = redis_server.empty()
    with redis.Redis.from_url(url) as server:
        server.config_set("maxmemory-policy", "noeviction")
        found = look(online_store, installed.subject(online_url=url))
        assert states(found) == {"online store": "ok", "Redis keeps features": "ok"}
        assert server.dbsize() == 0


def test_redis_that_forgets(installed, redis_server):
    import redis

    with redis.Redis.from_url(redis_server.url()) as server:
        server.config_set("maxmemory-policy", "allkeys-lru")
        server.config_set("appendonly", "no")
        try:
            found = look(online_store, installed.subject(online_url=redis_server.url()))
        finally:
            server.config_set("maxmemory-policy", "noeviction")
            server.config_set("appendonly", "yes")
    assert states(found) == {"online store": "ok", "Redis keeps features": "wrong"}
    assert "maxmemory-policy noeviction" in the(found, "wrong").do
    assert "appendonly yes" in the(found, "warning").do


def test_redis_that_lets_nobody_in_with_this_password(installed, redis_server):
    url = redis_server.url().replace(redis_server.password, "planted-wrong-one")
    found = the(look(online_store, installed.subject(online_url=url)), "wrong")
    assert "invalid username-password pair" in found.said
    assert "planted" not in str(found)


@pytest.mark.parametrize("tables", ["", _TABLES], ids=["new", "in use"])
def test_an_online_store_on_postgresql_is_left_as_it_was(installed, postgres, tables):
    import psycopg

    url = postgres.create(f"online_{'used' if tables else 'new'}")
    address, everything = url.replace("+psycopg", ""), "SELECT relname FROM pg_class WHERE relname LIKE 'airloom%'"
    with psycopg.connect(address, autocommit=True) as connection:
        if tables:
            connection.execute(tables)
        before = connection.execute(everything).fetchall()
        assert states(look(online_store, installed.subject(online_url=url))) == {"online store": "ok"}
        assert connection.execute(everything).fetchall() == before
        if tables:
            assert connection.execute("SELECT count(*) FROM airloom_online_entities").fetchone() == (0,)


def test_an_online_store_on_postgresql_that_may_only_be_read(installed, postgres):
    url = postgres.create("online_read")
    postgres.run("CREATE ROLE online_reader LOGIN PASSWORD 'planted-reader'")
    reader = url.replace(f"postgres:{postgres.password}", "online_reader:planted-reader")
    found = the(look(online_store, installed.subject(online_url=reader)), "wrong")
    assert "permission denied" in found.said
    assert "planted" not in str(found)


def test_mlflow_of_another_version(installed, answering):
    with answering(200, "2.9.1") as server:
        found = the(look(mlflow, installed.subject(tracking_url=server.url)), "wrong")
    assert "2.9.1 on the server" in found.said
    assert found.do.startswith("run the server with mlflow==")


def test_mlflow_that_refuses_and_mlflow_that_does_not_answer(installed, answering):
    with answering(403) as server:
        found = the(look(mlflow, installed.subject(tracking_url=server.url)), "wrong")
    assert "--allowed-hosts" in found.do
    gone = f"http://user:planted-password@127.0.0.1:{free_port()}"
    found = the(look(mlflow, installed.subject(tracking_url=gone)), "wrong")
    assert "does not answer" in found.said
    assert "planted" not in str(found)


def test_files_of_models_are_tried_where_trainings_keep_them_and_leave_nothing_behind(installed, tmp_path):
    place = tmp_path / "elsewhere"
    open_client(installed.settings).create_experiment("parcels", artifact_location=place.as_uri())
    assert "files of models can be written" in the(look(mlflow, installed.subject()), "ok").said
    assert list(place.iterdir()) == []
    place.rmdir()
    place.write_text("")
    found = the(look(mlflow, installed.subject()), "wrong")
    assert "MLflow cannot keep the files of models." in found.said
    assert "let this user write" in found.do


def test_a_server_of_mlflow_whose_store_for_files_cannot_be_written(installed, tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with running_mlflow(tmp_path, f"sqlite:///{tmp_path / 'mlflow.db'}") as server:
        subject = installed.subject(tracking_url=server.url)
        assert "files of models can be written" in the(look(mlflow, subject), "ok").said
        assert [path for path in (tmp_path / "kept").rglob("*") if path.is_file()] == []
        shutil.rmtree(tmp_path / "kept")
        (tmp_path / "kept").write_text("")
        found = the(look(mlflow, subject), "wrong")
    assert "MLflow cannot keep the files of models. mlflow-artifacts:/0: " in found.said
    assert "500 error responses" in found.said
    assert "--artifacts-destination" in found.do


@pytest.fixture
def celery(monkeypatch):
    def at(broker):
        monkeypatch.setenv("AIRFLOW__CORE__EXECUTOR", "CeleryExecutor")
        monkeypatch.setenv("AIRFLOW__CELERY__BROKER_URL", broker)
        monkeypatch.setenv("AIRFLOW__CELERY__RESULT_BACKEND", "db+sqlite://")
        monkeypatch.setenv("AIRFLOW__CELERY_BROKER_TRANSPORT_OPTIONS__VISIBILITY_TIMEOUT", "86400")

    return at


def test_a_broker_that_is_down(installed, celery):
    celery(f"redis://:planted-password@127.0.0.1:{free_port()}/0")
    found = the(look(workers, installed.subject()), "wrong")
    assert "The broker of Celery cannot be used" in found.said
    assert "AIRFLOW__CELERY__BROKER_URL" in found.do
    assert "planted" not in str(found)


def test_a_broker_that_lets_nobody_in_with_this_password(installed, celery, redis_server):
    celery(redis_server.url(5).replace(redis_server.password, "planted-wrong-one"))
    found = the(look(workers, installed.subject()), "wrong")
    assert "The broker of Celery cannot be used" in found.said
    assert "planted" not in str(found)


def test_a_queue_without_a_worker(installed, celery, redis_server, tmp_path):
    celery(redis_server.url(5))
    assert len([each for each in look(workers, installed.subject()) if each.state == "wrong"]) == 2
    on_demand = look(workers, installed.subject({"AIRLOOM_QUEUES_ON_DEMAND": "training"}))
    assert "queue default" in the(on_demand, "wrong").said
    assert "queue training, which has some on demand only" in the(on_demand, "warning").said
    code = (
        f"from celery import Celery; app = Celery(broker='{redis_server.url(5)}');"
        "app.worker_main(['worker', '--queues=default', '--pool=solo', '--hostname=one@here', '--loglevel=INFO'])"
    )
    with (tmp_path / "worker.log").open("wb") as log:
        worker = subprocess.Popen([sys.executable, "-W", "ignore", "-c", code], stdout=log, stderr=log, cwd=tmp_path)
    try:
        deadline = time.monotonic() + 600
        while "ready" not in (tmp_path / "worker.log").read_text():
            assert time.monotonic() < deadline, (tmp_path / "worker.log").read_text()
            time.sleep(0.1)
        found = look(workers, installed.subject())
    finally:
        worker.kill()
        worker.wait()
    assert "one@here" in the(found, "ok").said
    assert "queue training" in the(found, "wrong").said
    assert "--queues training" in the(found, "wrong").do


def test_airflow_that_is_elsewhere_and_does_not_answer(installed, answering):
    def elsewhere(url):
        return look(airflow, replace(installed.subject({"AIRLOOM_AIRFLOW_URL": url}), on_servers=True))

    assert "does not answer" in the(elsewhere(f"http://127.0.0.1:{free_port()}"), "wrong").said
    with answering(200, '{"metadatabase": {"status": "healthy"}, "scheduler": {"status": "unhealthy"}}') as server:
        assert "not healthy: scheduler" in the(elsewhere(server.url), "wrong").said
    nothing = {name: {"status": "unhealthy"} for name in ("metadatabase", "scheduler", "triggerer", "dag_processor")}
    with answering(200, json.dumps(nothing)) as server:
        found = the(elsewhere(server.url), "wrong")
    assert "answers, and cannot use Airflow's database" in found.said
    assert found.do.startswith("start the database")


def test_packages_of_an_image_are_mended_by_another_image(installed):
    lock = installed.settings.project / "requirements.txt"
    lock.unlink()
    lock.write_text("pydantic==0.1\n")
    subject = installed.subject()
    assert the(look(packages, subject), "wrong").do == "make setup"
    assert "build the image again" in the(look(packages, replace(subject, on_servers=True)), "wrong").do


def test_a_server_that_other_machines_can_reach(installed):
    code = (
        "import socket, time; probe = socket.socket(); probe.bind(('{host}', 0)); probe.listen();"
        "print('listening', flush=True); time.sleep(600)"
    )

    def listening(host):
        server = Background("api-server", ("-c", code.format(host=host)), installed.settings.var, 0.5)
        server.start({}, installed.folder)
        try:
            deadline = time.monotonic() + 600
            while "listening" not in server.last_lines():
                assert time.monotonic() < deadline, server.last_lines()
                time.sleep(0.05)
            return look(ports, installed.subject())
        finally:
            stop([server])
            server.log.unlink()

    assert of_state(listening("127.0.0.1"), "ok") == {"ports"}
    found = the(listening("0.0.0.0"), "wrong")
    assert "api-server listens on 0.0.0.0:" in found.said


def test_predictions_that_are_to_be_copied_nowhere(installed):
    assert states(look(predictions, installed.subject())) == {"predictions": "ok"}
    file = installed.settings.include / "parcels" / "pipeline.yaml"
    file.write_text(file.read_text().replace("{entities: orders}", "{entities: orders, sink: {table: predicted}}"))
    found = the(look(predictions, installed.subject()), "wrong")
    assert "AIRLOOM_PREDICTIONS_URL" in found.do
    url = f"postgresql+psycopg://me:planted-password@127.0.0.1:{free_port()}/db"
    found = the(look(predictions, installed.subject(predictions_url=url)), "wrong")
    assert "cannot be reached" in found.said
    assert "planted" not in str(found)


def test_events_that_were_not_sent(installed):
    unsent = Unsent(installed.settings.delivery)
    for _ in range(2):
        unsent.hold("{}").let_go()
    found = the(look(lineage, installed.subject()), "warning")
    assert (found.said, found.do) == ("2 events not sent yet", "airloom lineage resend")


@pytest.mark.parametrize(
    ("status", "state"), [(200, "ok"), (400, "ok"), (405, "ok"), (404, "warning"), (403, "wrong"), (500, "wrong")]
)
def test_what_a_lineage_backend_answers(installed, answering, monkeypatch, status, state):
    with answering(status) as backend:
        monkeypatch.setenv("AIRLOOM_LINEAGE_URL", backend.url)
        assert states(look(lineage, installed.subject())) == {"lineage": state}


def test_a_lineage_backend_whose_connection_cannot_be_looked_up_or_holds_no_key(installed, monkeypatch):
    monkeypatch.setenv("AIRLOOM_LINEAGE_URL", f"http://127.0.0.1:{free_port()}")
    monkeypatch.setenv("AIRLOOM_LINEAGE_CONNECTION", "marquez")
    found = the(look(lineage, installed.subject()), "wrong")
    assert "There is no Airflow connection marquez" in found.said
    assert "AIRFLOW_CONN_MARQUEZ" in found.do
    monkeypatch.setenv("AIRFLOW_CONN_MARQUEZ", '{"conn_type": "http", "login": "planted-user"}')
    found = the(look(lineage, installed.subject()), "wrong")
    assert "holds no key" in found.said
    assert "planted" not in str(found)


def test_lineage_that_is_switched_off(installed, monkeypatch):
    monkeypatch.setenv("AIRFLOW__OPENLINEAGE__DISABLED", "True")
    found = the(look(lineage, installed.subject()), "warning")
    assert "switched off" in found.said
    assert "AIRFLOW__OPENLINEAGE__DISABLED" in found.do


def test_a_lineage_backend_that_is_not_there(installed, monkeypatch):
    monkeypatch.setenv("AIRLOOM_LINEAGE_URL", f"http://127.0.0.1:{free_port()}")
    assert "does not take events" in the(look(lineage, installed.subject()), "wrong").said


@pytest.mark.parametrize(
    ("password", "user", "why"),
    [
        ("", "", "is empty"),
        ("minioadmin", "", "is one that everybody tries first"),
        ("Airflow", "", "is one that everybody tries first"),
        ("a-long-user-name", "a-long-user-name", "is one that everybody tries first"),
        ("elevenchars", "", "is shorter than 12 characters"),
        ("twelve-chars", "somebody", ""),
    ],
)
def test_what_a_weak_password_is(password, user, why):
    assert weakness(password, user) == why


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AIRLOOM_STATE_URL", "postgresql+psycopg://airloom:airflow@postgres:5432/airloom"),
        ("AIRLOOM_ONLINE_URL", "redis://:@redis:6379/1"),
        ("AIRFLOW__CELERY__RESULT_BACKEND", "db+postgresql://u:p%40stgres@postgres/airflow"),
        ("AIRFLOW_CONN_WAREHOUSE", "postgres://me:short@warehouse/db"),
        ("AWS_SECRET_ACCESS_KEY", "minioadmin"),
        ("AIRLOOM_ADMIN_PASSWORD", "admin"),
    ],
)
def test_a_weak_password_in_the_environment_is_named_and_not_told(installed, name, value):
    found = the(look(secrets, installed.subject({name: value})), "wrong")
    assert name in found.said
    assert value not in str(found)


def test_a_server_without_a_password(installed):
    found = the(look(secrets, installed.subject({"AIRLOOM_ONLINE_URL": "redis://redis:6379/1"})), "warning")
    assert "AIRLOOM_ONLINE_URL holds no password" in found.said


def test_good_secrets_of_a_deployment_are_never_told(installed):
    names = ("AIRFLOW__API_AUTH__JWT_SECRET", "AIRFLOW__API__SECRET_KEY", "AIRFLOW__CORE__FERNET_KEY")
    variables = {name: f"planted-{name.lower()}" for name in names}
    variables["AIRLOOM_STATE_URL"] = "postgresql+psycopg://airloom:planted-long-one@postgres/airloom"
    found = look(secrets, installed.subject(variables))
    assert states(found) == {"secrets": "ok"}
    assert "planted" not in str(found)


def test_secrets_that_are_missing_or_the_same(installed):
    same = {
        "AIRFLOW__API_AUTH__JWT_SECRET": "planted-the-same",
        "AIRFLOW__API__SECRET_KEY": "planted-the-same",
    }
    found = look(secrets, installed.subject(same))
    assert the(found, "wrong").said == f"these are the same: {', '.join(same)}"
    installed.secrets.fernet.unlink()
    found = look(secrets, installed.subject())
    assert "AIRFLOW__CORE__FERNET_KEY is not set" in the(found, "wrong").said


def test_a_login_that_everybody_knows(installed):
    installed.secrets.passwords.write_text('{"admin": "admin"}')
    found = the(look(secrets, installed.subject()), "wrong")
    assert "password of admin" in found.said


def test_an_error_becomes_a_finding_with_all_that_it_says(installed):
    def fail(_):
        raise SetupError("It is broken.", where="here", found="two\n  lines", expected="one", do="mend it")
        yield

    [found] = look(fail, installed.subject())
    assert (found.state, found.said, found.do) == ("wrong", "It is broken. here: two lines", "mend it")
