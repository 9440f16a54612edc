"""The stored validation results, readable by whoever may see plugins in Airflow."""

from __future__ import annotations

from typing import Annotated

from airflow.api_fastapi.auth.managers.models.resource_details import AccessView
from airflow.api_fastapi.core_api.security import requires_access_view
from fastapi import Depends, FastAPI, HTTPException, Path
from fastapi.responses import Response

from airloom.core.errors import SetupError
from airloom.core.settings import Settings
from airloom.stores.files import read_bytes

#: No slash and no leading dot: a name can never leave the folder of results.
Name = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-][A-Za-z0-9_.-]{0,99}$")]

app = FastAPI(title="Airloom", docs_url=None, redoc_url=None, openapi_url=None)


@app.get(
    "/validations/{pipeline}/{table}/{partition}/{result}",
    dependencies=[Depends(requires_access_view(AccessView.PLUGINS))],
)
def validation(pipeline: Name, table: Name, partition: Name, result: Name) -> Response:
    """Return one immutable validation result as JSON.

    Args:
        pipeline: Name of the pipeline.
        table: The audited table.
        partition: The day.
        result: File name of the result.

    Raises:
        HTTPException: There is no such result, or what keeps it cannot be reached.
    """
    file = Settings.from_environment().validations / pipeline / table / partition / result
    try:
        return Response(read_bytes(file), media_type="application/json")
    except FileNotFoundError:
        raise HTTPException(404, f"There is no validation result {result} of {table} for {partition}.") from None
    except SetupError as error:
        raise HTTPException(503, error.what) from None
