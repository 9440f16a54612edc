"""What an audit has found, as OpenLineage's facets of data quality."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airloom.core.records import Validation
from airloom.core.settings import Settings
from airloom.stores.validations import ValidationResults

if TYPE_CHECKING:
    from openlineage.client.facet_v2 import InputDatasetFacet, data_quality_assertions_dataset


def quality(validation: Validation, settings: Settings) -> dict[str, InputDatasetFacet]:
    """Return every expectation with its severity and outcome; no value of the data is in it.

    Args:
        validation: The audit.
        settings: Where its immutable result is.
    """
    from openlineage.client.facet_v2 import data_quality_assertions_dataset, data_quality_metrics_input_dataset

    results = ValidationResults(settings.validations).read(validation.result)["results"]
    return {
        "dataQualityAssertions": data_quality_assertions_dataset.DataQualityAssertionsDatasetFacet(
            assertions=[_assertion(each) for each in results]
        ),
        "dataQualityMetrics": data_quality_metrics_input_dataset.DataQualityMetricsInputDatasetFacet(
            columnMetrics={}, rowCount=validation.rows
        ),
    }


def _assertion(result: dict[str, Any]) -> data_quality_assertions_dataset.Assertion:
    from openlineage.client.facet_v2 import data_quality_assertions_dataset

    expected = {name: value for name, value in result["arguments"].items() if not name.startswith("column")}
    return data_quality_assertions_dataset.Assertion(
        assertion=result["expectation"],
        success=result["outcome"] == "held",
        column=result["arguments"].get("column"),
        severity=result["severity"],
        expected=", ".join(f"{name} {value}" for name, value in expected.items()) or None,
        actual=result["found"] or None,
    )
