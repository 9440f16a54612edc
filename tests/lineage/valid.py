"""Whether an event is what the OpenLineage client's models and Airloom's own schemas say."""

import attr
import jsonschema
from openlineage.client import event_v2, facet_v2
from openlineage.client.generated import base

from airloom.lineage.custom import PARTITION, RUN, TRAINING, VERDICT, schema_of

OURS = {name: schema_of(name) for name in (PARTITION, RUN, TRAINING, VERDICT)}
#: Facets of Airflow's provider that are not in the standard.
AIRFLOW = {"airflow", "airflowDagRun", "airflowState", "airflow_mappedTask"}


def _models():
    modules = [module for module in vars(facet_v2).values() if type(module).__name__ == "module"]
    classes = [each for module in modules for each in vars(module).values() if attr.has(each)]
    return {each.__name__: each for each in classes if issubclass(each, base.BaseFacet)}


MODELS = _models()


def require_valid(event):
    """Fail when an event, one of its datasets or one of its facets is not what is published about it."""
    event_v2.RunEvent(
        eventTime=event["eventTime"],
        eventType=event_v2.RunState(event["eventType"]),
        producer=event["producer"],
        run=event_v2.Run(event["run"]["runId"]),
        job=event_v2.Job(event["job"]["namespace"], event["job"]["name"]),
    )
    for name, facet in _facets(event):
        if name in OURS:
            jsonschema.validate(facet, OURS[name])
        elif name not in AIRFLOW:
            _build(MODELS[facet["_schemaURL"].rpartition("/")[2]], facet)


def _facets(event):
    yield from event["run"]["facets"].items()
    yield from event["job"]["facets"].items()
    for dataset in (*event.get("inputs", ()), *event.get("outputs", ())):
        assert dataset["namespace"]
        assert dataset["name"]
        for kind in ("facets", "inputFacets", "outputFacets"):
            yield from dataset.get(kind, {}).items()


def _build(model, facet):
    """Build the client's model: it refuses fields that are missing, unknown or not what they should be."""
    model(**{name: value for name, value in facet.items() if name not in ("_producer", "_schemaURL")})
