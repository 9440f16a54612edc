"""What can be said of the Helm values without the chart and without a cluster."""

import json
import os
import re
import subprocess
import sys

import pytest
import yaml

from tests.deploy.compose import PROJECT, read_compose

HELM = PROJECT / "deploy" / "helm"
EXECUTORS = {"celery": "CeleryExecutor", "kubernetes": "KubernetesExecutor"}
#: Variables that the chart sets itself: which of the values names the Secret, and the key that it reads there.
BY_THE_CHART = {
    "AIRFLOW__API_AUTH__JWT_SECRET": (("jwtSecretName",), "jwt-secret"),
    "AIRFLOW__API__SECRET_KEY": (("apiSecretKeySecretName",), "api-secret-key"),
    "AIRFLOW__CELERY__BROKER_URL": (("data", "brokerUrlSecretName"), "connection"),
    "AIRFLOW__CELERY__RESULT_BACKEND": (("data", "resultBackendSecretName"), "connection"),
    "AIRFLOW__CORE__FERNET_KEY": (("fernetKeySecretName",), "fernet-key"),
    "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": (("data", "metadataSecretName"), "connection"),
}
CREDENTIAL = re.compile(
    "PASSWORD|SECRET|ACCESS_KEY|FERNET|STATE_URL|ONLINE_URL|BROKER_URL|RESULT_BACKEND|SQL_ALCHEMY_CONN"
)


class _Any(dict):
    """Gives every variable a value, as if `.env` were there."""

    def get(self, name, default=""):
        return "x"


@pytest.fixture(scope="module")
def compose():
    return read_compose(_Any())


@pytest.fixture(scope="module", params=EXECUTORS)
def values(request):
    """The values of one executor, merged as Helm merges them."""
    common, own = (
        yaml.safe_load((HELM / name).read_text()) for name in ("values.yaml", f"values-{request.param}.yaml")
    )
    return merged(common, own)


@pytest.fixture(scope="module")
def celery():
    return yaml.safe_load((HELM / "values-celery.yaml").read_text())["workers"]["celery"]


def merged(below, above):
    """Mappings are merged; everything else, lists too, is replaced."""
    both = below.keys() & above.keys()
    deep = {key: merged(below[key], above[key]) for key in both if isinstance(below[key], dict)}
    return below | above | deep


def given(values):
    """Every variable with what sets it: a value, or a Secret's name and key."""
    plain = {each["name"]: each["value"] for each in values["env"]}
    templated = dict(re.findall(r"- name: (\S+)\n\s+value: (.+)", values["extraEnv"]))
    secret = {each["envName"]: (each["secretName"], each["secretKey"]) for each in values["secret"]}
    chart = {name: (at(values, path), key) for name, (path, key) in BY_THE_CHART.items() if at(values, path)}
    return plain | templated | secret | chart | own(login_container(values)) | own(workers(values))


def own(container):
    """The variables of one container alone."""
    return {
        each["name"]: each.get("value") or tuple(each["valueFrom"]["secretKeyRef"].values())
        for each in container.get("env", [])
    }


def workers(values):
    return values["workers"][values["executor"].removesuffix("Executor").lower()]


def at(values, path):
    for key in path:
        values = values.get(key, {})
    return values


def login_container(values):
    return values["apiServer"]["extraInitContainers"][0]


def leaves(value):
    """Every text in the values."""
    if isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from leaves(each)
    elif isinstance(value, str):
        yield value


def test_both_executors_set_every_variable_of_the_compose_file(values, compose):
    wanted = set(compose["x-environment"])
    if values["executor"] == "KubernetesExecutor":
        wanted = {name for name in wanted if "__CELERY__" not in name}
    assert wanted - set(given(values)) == set()


def test_each_file_chooses_its_executor(values):
    assert values["executor"] in EXECUTORS.values()
    assert "{{ .Values.executor | quote }}" in given(values)["AIRFLOW__CORE__EXECUTOR"]


def test_credentials_come_from_secrets_that_somebody_else_makes(values):
    plain = {each["name"] for each in values["env"]} | set(re.findall(r"- name: (\S+)", values["extraEnv"]))
    assert {name for name in plain if CREDENTIAL.search(name)} == set()
    assert {name for name in given(values) if "PASSWORD" in name} == {"AIRLOOM_ADMIN_PASSWORD"}
    assert not values.keys() & {"fernetKey", "jwtSecret", "apiSecretKey", "extraSecrets"}


def test_the_page_makes_every_secret_that_the_values_name(values):
    page = (PROJECT / "docs" / "kubernetes.md").read_text().replace("\\\n", " ")
    commands = re.findall(r"kubectl create secret generic (\S+)(.+)", page)
    made = {(name, key) for name, rest in commands for key in re.findall(r"--from-literal=([\w-]+)=", rest)}
    assert {found for found in given(values).values() if isinstance(found, tuple)} - made == set()


def test_no_url_carries_a_password(values):
    assert [text for text in leaves(values) if re.search(r"://[^/@\s]*:[^/@\s]*@", text)] == []


def test_the_image_is_the_one_of_the_compose_file_and_pinned(values, compose):
    name, tag = compose["services"]["worker"]["image"].split(":")
    assert values["defaultAirflowRepository"].rpartition("/")[2] == name
    assert values["defaultAirflowTag"] == tag
    assert f"FROM apache/airflow:slim-{values['airflowVersion']}-" in (PROJECT / "Dockerfile").read_text()
    assert login_container(values)["image"] == '{{ include "airflow_image" . }}'


def test_no_container_runs_as_root_or_may_become_more(values):
    pod, container = values["securityContexts"]["pod"], values["securityContexts"]["containers"]
    assert (pod["runAsNonRoot"], pod["runAsUser"]) == (True, 50000)
    assert container == {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    assert login_container(values)["securityContext"] == container


def test_services_put_nothing_into_the_environment(values):
    assert values["enableServiceLinks"] is False


def test_nothing_is_open_to_the_outside(values):
    assert values["apiServer"]["service"]["type"] == "ClusterIP"
    assert values["ingress"]["apiServer"]["enabled"] is False


def test_the_databases_of_the_chart_are_left_out(values):
    assert [values[name]["enabled"] for name in ("postgresql", "redis")] == [False, False]


def test_every_component_is_limited(values):
    parts = [values[name] for name in ("apiServer", "scheduler", "dagProcessor", "triggerer", "migrateDatabaseJob")]
    for part in (*parts, login_container(values), workers(values), *workers(values).get("sets", [])):
        assert set(part["resources"]["limits"]) == set(part["resources"]["requests"]) == {"cpu", "memory"}


def test_tables_are_upgraded_before_pods_are_replaced(values):
    job = values["migrateDatabaseJob"]
    assert job["useHelmHooks"] is False
    assert job["jobAnnotations"]["helm.sh/hook"] == "post-install,pre-upgrade"


def test_servers_and_workers_are_started_as_by_the_compose_file(values, celery, compose):
    services = compose["services"]
    assert values["apiServer"]["args"] == services["airflow-api-server"]["command"]
    assert values["migrateDatabaseJob"]["args"] == services["airflow-init"]["command"][:2]
    for name, each in (("worker", celery), ("worker-training", celery["sets"][0])):
        assert each["args"] == services[name]["command"][: len(each["args"])]


def test_workers_preload_and_let_their_tasks_end(celery, compose):
    assert {"name": "AIRLOOM_PRELOAD", "value": "1"} in celery["env"]
    seconds = {"10m": 600, "1h": 3600}
    assert celery["terminationGracePeriodSeconds"] == seconds[compose["services"]["worker"]["stop_grace_period"]]
    training = celery["sets"][0]["terminationGracePeriodSeconds"]
    assert training == seconds[compose["services"]["worker-training"]["stop_grace_period"]]


def test_there_are_as_many_workers_as_the_tasks_of_their_queue_need(celery):
    for each in (celery, celery["sets"][0]):
        queue, _, concurrency = each["args"][-3:]
        assert f"/ {concurrency})" in each["keda"]["query"]
        assert f"queue = '{queue}'" in each["keda"]["query"]


def test_the_login_is_made_of_the_secret(values, tmp_path):
    program, *arguments = login_container(values)["args"]
    assert program == "python"
    variables = {"AIRLOOM_VAR": str(tmp_path), "AIRLOOM_ADMIN_PASSWORD": "of-the-secret"}
    subprocess.run([sys.executable, *arguments], env={**os.environ, **variables}, check=True)
    assert json.loads((tmp_path / "secrets" / "passwords.json").read_text()) == {"admin": "of-the-secret"}
