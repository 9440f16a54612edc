"""The only file that Airflow's plugin loader runs: it registers what Airloom adds to Airflow."""

from typing import Any

from airflow.plugins_manager import AirflowPlugin

from airloom.operators.links import ModelRunLink, ModelVersionLink, ValidationLink
from airloom.scheduling import preload
from airloom.scheduling.timetable import Nightly


async def web(scope: Any, receive: Any, send: Any) -> None:
    """Serve Airloom's pages; only the process that serves them imports a web framework."""
    from airloom.web.validations import app

    await app(scope, receive, send)


class AirloomPlugin(AirflowPlugin):
    """The Nightly timetable, the operators' links, the listener that preloads and the page of validation results."""

    name = "airloom"
    timetables = [Nightly]
    operator_extra_links = [ModelRunLink(), ModelVersionLink(), ValidationLink()]
    listeners = [preload]
    fastapi_apps = [{"name": "airloom", "app": web, "url_prefix": "/airloom"}]
