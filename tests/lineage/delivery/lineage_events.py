"""OpenLineage events as the provider makes them, and the transport to a backend."""

from uuid import UUID

from openlineage.client.event_v2 import Job, Run, RunEvent, RunState
from openlineage.client.facet_v2 import documentation_job

from airloom.lineage.delivery.backend import BackendConfig, BackendTransport

#: A bound that no answer on this machine comes near.
PATIENT = 30.0


def event(number=1, state=RunState.START, text=""):
    """The event of one run, in a document of about the length of the text."""
    return RunEvent(
        eventTime="2013-02-10T02:00:00+00:00",
        eventType=state,
        run=Run(runId=run_id(number)),
        job=Job("airloom", "p.score", {"documentation": documentation_job.DocumentationJobFacet(description=text)}),
        producer="https://example.com/producer",
    )


def run_id(number):
    return str(UUID(int=number))


def transport(url, folder, bound=PATIENT, **auth):
    return BackendTransport(
        BackendConfig.from_dict({"url": url, "folder": str(folder), "timeout": bound, "auth": auth})
    )
