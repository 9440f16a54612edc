"""What Airflow connections say, put into the environment of the process that needs it, when it begins.

A setting that is `connection:<id>` is replaced by the URL of that connection; `AIRLOOM_STORAGE_CONNECTION` names the
one with the keys of the bucket. So a secret is in no file, and in no process that does not need it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING
from urllib.parse import quote

from airloom.core.errors import SetupError

if TYPE_CHECKING:
    from airflow.sdk import Connection

_NAMED = "connection:"
_STORAGE = "AIRLOOM_STORAGE_CONNECTION"
_ONLINE = "AIRLOOM_ONLINE_URL"
_DATABASES = ("postgres", "postgresql")
_PORTS = {"postgresql": 5432, "redis": 6379}


def use_connections() -> None:
    """Replace settings that name an Airflow connection by what it says, in this process.

    Raises:
        SetupError: There is no such connection, or it lacks what is needed.
    """
    for setting, read in _SETTINGS.items():
        value = os.environ.get(setting, "")
        if value.startswith(_NAMED):
            os.environ.update(read(setting, find_connection(setting, value.removeprefix(_NAMED))))
    if name := os.environ.get(_STORAGE):
        os.environ.update(_keys(find_connection(_STORAGE, name)))
        # Every event of lineage asks again; Airflow is asked once a process, by several threads at most at once.
        os.environ.pop(_STORAGE, None)


def named_connections(variables: Mapping[str, str]) -> dict[str, str]:
    """Return the Airflow connection that each setting names, of those that name one."""
    named = {name: variables.get(name, "") for name in _SETTINGS}
    found = {name: value.removeprefix(_NAMED) for name, value in named.items() if value.startswith(_NAMED)}
    return found | {name: variables[name] for name in (_STORAGE,) if variables.get(name)}


def find_connection(setting: str, name: str) -> Connection:
    """Return an Airflow connection.

    Args:
        setting: The variable that names it.
        name: Its id.

    Raises:
        SetupError: There is none, as far as this process may know.
    """
    from airflow.sdk import Connection
    from airflow.sdk.exceptions import AirflowNotFoundException, AirflowRuntimeError

    try:
        found: Connection = Connection.get(name)
        return found
    except (AirflowNotFoundException, AirflowRuntimeError):
        raise SetupError(
            f"There is no Airflow connection {name}, or this process may not see it.",
            where=setting,
            do=f"set AIRFLOW_CONN_{name.upper()}, which every process sees; those that are added under Admin, "
            "Connections are seen by Airflow's servers and tasks, and by commands that know Airflow's database on a "
            "server, once its tables are there: airloom exec -- airflow db migrate",
        ) from None


def _database(setting: str, connection: Connection) -> dict[str, str]:
    if connection.conn_type not in _DATABASES:
        raise SetupError(
            "An Airflow connection is of another type than is needed.",
            where=f"connection {connection.conn_id}, {setting}",
            found=str(connection.conn_type),
            expected="redis or postgres" if setting == _ONLINE else "postgres",
            do="a type that Airflow does not know becomes generic on its command line: give it with --conn-json",
        )
    return {setting: _url("postgresql+psycopg", "postgresql", setting, connection, connection.schema)}


def _online(setting: str, connection: Connection) -> dict[str, str]:
    if connection.conn_type == "redis":
        scheme = "rediss" if connection.extra_dejson.get("ssl") else "redis"
        return {setting: _url(scheme, "redis", setting, connection, str(connection.extra_dejson.get("db", 0)))}
    return _database(setting, connection)


def _tracking(setting: str, connection: Connection) -> dict[str, str]:
    scheme = connection.schema or connection.conn_type or "http"
    port = f":{connection.port}" if connection.port else ""
    login = {"MLFLOW_TRACKING_USERNAME": connection.login, "MLFLOW_TRACKING_PASSWORD": connection.password}
    return {setting: f"{scheme}://{_host(setting, connection)}{port}"} | _given(login)


def _keys(connection: Connection) -> dict[str, str]:
    extra = connection.extra_dejson
    return _given(
        {
            "AWS_ACCESS_KEY_ID": connection.login,
            "AWS_SECRET_ACCESS_KEY": connection.password,
            "AWS_SESSION_TOKEN": extra.get("aws_session_token"),
            "AWS_REGION": extra.get("region_name"),
            "AWS_ENDPOINT_URL_S3": extra.get("endpoint_url"),
        }
    )


def _url(scheme: str, kind: str, setting: str, connection: Connection, path: str | None) -> str:
    login, password = (quote(each or "", safe="") for each in (connection.login, connection.password))
    who = f"{login}:{password}@" if login or password else ""
    return f"{scheme}://{who}{_host(setting, connection)}:{connection.port or _PORTS[kind]}/{path or ''}"


def _host(setting: str, connection: Connection) -> str:
    if not connection.host:
        raise SetupError("The Airflow connection names no host.", where=f"connection {connection.conn_id}, {setting}")
    return connection.host


def _given(options: dict[str, str | None]) -> dict[str, str]:
    return {name: value for name, value in options.items() if value}


_Read = Callable[[str, "Connection"], dict[str, str]]
_SETTINGS: dict[str, _Read] = {
    "AIRLOOM_STATE_URL": _database,
    "AIRLOOM_PREDICTIONS_URL": _database,
    _ONLINE: _online,
    "AIRLOOM_TRACKING_URL": _tracking,
}
