"""What can be said of the stack without a Docker engine; tests/system/test_topology.py runs it."""

import copy
import os
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
import yaml
from check_jsonschema.builtin_schemas import get_builtin_schema

from tests.deploy.compose import FILE, PROJECT, MissingVariable, read_compose, read_variables


@pytest.fixture
def env_file(tmp_path):
    """The file that a person makes before the first start."""
    (tmp_path / "deploy").mkdir()
    shutil.copy(PROJECT / "deploy" / "create-env.sh", tmp_path / "deploy")
    subprocess.run(["bash", str(tmp_path / "deploy" / "create-env.sh")], check=True, capture_output=True)
    return tmp_path / ".env"


@pytest.fixture
def compose(env_file):
    return read_compose(read_variables(env_file))


def services(compose):
    return compose["services"].items()


def ours(compose):
    return {name: service for name, service in services(compose) if service["image"].startswith("airloom:")}


def problems(compose):
    schema = get_builtin_schema("vendor.compose-spec")
    validator = jsonschema.validators.validator_for(schema)
    return [error.message for error in validator(schema).iter_errors(compose)]


def test_the_stack_is_what_the_compose_specification_allows(compose):
    assert problems(compose) == []


@pytest.mark.parametrize(
    ("where", "misspelt"),
    [((), "service"), (("services", "redis"), "enviroment"), (("services", "worker", "healthcheck"), "intervall")],
)
def test_a_misspelt_key_is_found(compose, where, misspelt):
    wrong = copy.deepcopy(compose)
    place = wrong
    for key in where:
        place = place[key]
    place[misspelt] = "1"
    assert any(misspelt in problem for problem in problems(wrong))


def test_without_its_env_file_nothing_starts():
    with pytest.raises(MissingVariable, match=r"run deploy/create-env\.sh"):
        read_compose({})


def test_every_secret_is_made_here_and_differs_from_all_others(env_file, tmp_path):
    variables = read_variables(env_file)
    secrets = {name: value for name, value in variables.items() if re.search("PASSWORD|SECRET|KEY", name)}
    assert len(set(secrets.values())) == len(secrets) == 11
    assert all(len(value) >= 43 for value in secrets.values())
    assert stat.S_IMODE(env_file.stat().st_mode) == 0o600


def test_the_secrets_of_a_running_stack_are_never_replaced(env_file):
    before = env_file.read_text()
    subprocess.run(["bash", str(env_file.parent / "deploy" / "create-env.sh")], check=True, capture_output=True)
    assert env_file.read_text() == before


def test_where_no_secret_can_be_made_there_is_no_file_with_empty_ones(tmp_path):
    (tmp_path / "deploy").mkdir()
    shutil.copy(PROJECT / "deploy" / "create-env.sh", tmp_path / "deploy")
    (tmp_path / "tr").write_text("#!/bin/sh\ncat > /dev/null\n")
    (tmp_path / "tr").chmod(0o755)
    script = ["bash", str(tmp_path / "deploy" / "create-env.sh")]
    variables = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    made = subprocess.run(script, env=variables, capture_output=True, text=True)
    assert made.returncode == 1
    assert "No secret could be made" in made.stderr
    assert not (tmp_path / ".env").exists()


def test_no_secret_is_written_down_in_the_file():
    text = FILE.read_text()
    for setting in re.findall(r"(?:PASSWORD|SECRET_KEY|JWT_SECRET|FERNET_KEY): (.+)", text):
        assert setting.startswith("${"), setting
    assert not re.search(r"://[^:/@\s]*:(?!\$\{)[^@\s]+@", text)


def test_the_fernet_key_is_one(env_file):
    from cryptography.fernet import Fernet

    Fernet(read_variables(env_file)["AIRFLOW_FERNET_KEY"])


def test_ports_are_open_to_this_machine_only(compose):
    ports = [port for _, service in services(compose) for port in service.get("ports", [])]
    assert ports
    assert [port for port in ports if not port.startswith("127.0.0.1:")] == []


def test_images_are_pinned_by_version(compose):
    images = {name: service["image"] for name, service in services(compose)}
    assert [name for name, image in images.items() if not re.search(r":v?\d+\.\d+", image)] == []


def test_one_service_builds_the_image_of_all_and_none_is_asked_for_elsewhere(compose):
    assert [name for name, service in services(compose) if "build" in service] == ["mlflow"]
    assert {service["pull_policy"] for service in ours(compose).values()} == {"never"}


def test_services_run_as_nobody_in_particular_and_may_not_become_more(compose):
    for name, service in ours(compose).items():
        assert service["user"] == "50000:0", name
    # The images of PostgreSQL and Redis begin as root, own their volume, and become somebody else by themselves.
    for name, service in services(compose):
        assert service.get("cap_drop") == (None if name in ("postgres", "redis") else ["ALL"]), name
        assert service["security_opt"] == ["no-new-privileges:true"], name


def test_every_service_is_limited_and_what_stays_is_watched(compose):
    for name, service in services(compose):
        assert set(service["deploy"]["resources"]["limits"]) == {"cpus", "memory"}, name
        assert service["restart"] == "no" or "healthcheck" in service, name


def test_marquez_has_the_password_of_its_database_and_no_other(compose, env_file):
    service = compose["services"]["marquez"]
    [mounted] = [volume.split(":") for volume in service["volumes"]]
    assert service["environment"].pop("MARQUEZ_CONFIG") == mounted[1]
    text = (PROJECT / mounted[0]).read_text()
    assert set(re.findall(r"\$\{(\w+)\}", text)) == set(service["environment"]) == {"MARQUEZ_DATABASE_PASSWORD"}
    assert yaml.safe_load(text)["db"]["password"] == "${MARQUEZ_DATABASE_PASSWORD}"
    assert yaml.safe_load(text)["db"]["url"].endswith("//postgres:5432/marquez")


def test_pages_and_links_follow_a_port_that_is_chosen(env_file):
    chosen = read_variables(env_file) | {"AIRLOOM_AIRFLOW_PORT": "8081", "AIRLOOM_MLFLOW_PORT": "5001"}
    compose = read_compose(chosen)
    environment = compose["services"]["airflow-api-server"]["environment"]
    assert environment["AIRFLOW__API__BASE_URL"] == "http://localhost:8081"
    assert environment["AIRLOOM_MLFLOW_URL"] == "http://localhost:5001"
    [allowed] = [word for word in compose["services"]["mlflow"]["command"] if word.startswith("--allowed-hosts=")]
    assert set(allowed.partition("=")[2].split(",")) == {"mlflow:5000", "localhost:*", "127.0.0.1:*"}


def test_what_redis_answers_is_on_disk_and_it_refuses_before_it_is_ended(compose):
    service = compose["services"]["redis"]
    options = dict(zip(service["command"][1::2], service["command"][2::2], strict=True))
    assert (options["--appendonly"], options["--appendfsync"]) == ("yes", "always")
    assert options["--maxmemory-policy"] == "noeviction"
    assert int(options["--maxmemory"].removesuffix("mb")) < 1024
    assert service["deploy"]["resources"]["limits"]["memory"] == "1g"


def test_each_database_has_a_role_of_its_own(compose):
    urls = re.findall(r"postgresql\+psycopg://(\w+):([^@]+)@postgres:5432/(\w+)", str(compose))
    assert {(role, database) for role, _, database in urls} == {
        (name, name) for name in ("airflow", "airloom", "mlflow")
    }
    assert len({password for _, password, _ in urls}) == 3


def test_training_has_workers_of_its_own(compose):
    queues = {
        name: service["command"][service["command"].index("--queues") + 1]
        for name, service in services(compose)
        if "--queues" in service.get("command", [])
    }
    assert queues == {"worker": "default", "worker-training": "training"}


def test_the_image_passes_the_linter():
    hadolint = Path(sys.executable).with_name("hadolint")
    found = subprocess.run([str(hadolint), str(PROJECT / "Dockerfile")], capture_output=True, text=True)
    assert (found.returncode, found.stdout) == (0, "")


def test_the_image_holds_what_the_project_needs_and_no_secret():
    kept = {line.removeprefix("!") for line in (PROJECT / ".dockerignore").read_text().split() if line[0] == "!"}
    assert kept >= {"dags", "plugins", "include", "config", "requirements.txt"}
    assert not kept & {".env", "var", "tests", ".git"}
    copied = re.findall(r"COPY --chown=\S+ (.+) \./", (PROJECT / "Dockerfile").read_text())
    assert {name for names in copied for name in names.split()} == kept


def test_the_page_about_production_explains_every_setting(compose):
    page = (PROJECT / "docs" / "production.md").read_text()
    ours = {name for name in compose["x-environment"] if name.startswith("AIRLOOM_")}
    read = set(
        re.findall(r'"(AIRLOOM_\w+_(?:URL|CONNECTION))"', (PROJECT / "plugins/airloom/connections.py").read_text())
    )
    assert {name for name in ours | read | {"AIRLOOM_PRELOAD"} if f"`{name}`" not in page} == set()
    assert {"AIRLOOM_STATE_URL", "AIRLOOM_STORAGE_CONNECTION"} <= ours | read


@pytest.mark.parametrize("page", ["production.md", "kubernetes.md"])
def test_links_between_pages_lead_somewhere(page):
    text = (PROJECT / "docs" / page).read_text()
    for target in re.findall(r"\]\(([\w-]+\.md)(?:#([\w-]+))?\)", text):
        linked = PROJECT / "docs" / target[0]
        headings = re.findall(r"^#+ (.+)$", linked.read_text(), re.MULTILINE)
        anchors = {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
        assert not target[1] or target[1] in anchors, target


def test_the_databases_script_can_be_run():
    assert os.access(PROJECT / "deploy" / "postgres" / "create-databases.sh", os.X_OK)
