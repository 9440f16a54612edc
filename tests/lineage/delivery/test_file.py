"""The client's own file transport, as we configure it: what we rely on."""

import json

from openlineage.client.transport import get_default_factory

from tests.lineage.delivery.lineage_events import event
from tests.worlds.processes import run_at_once

PROCESSES, EVENTS, LENGTH = 8, 200, 50_000


def write(file):
    transport = get_default_factory().create({"type": "file", "log_file_path": str(file), "append": True})
    one = event(text="x" * LENGTH)
    for _ in range(EVENTS):
        transport.emit(one)


def test_lines_of_several_processes_do_not_mix(tmp_path):
    file = tmp_path / "events.ndjson"
    run_at_once(write, *[(file,)] * PROCESSES)
    with file.open() as lines:
        lengths = [len(line) for line in lines if json.loads(line)["eventType"] == "START"]
    assert len(lengths) == PROCESSES * EVENTS
    assert min(lengths) == max(lengths) > LENGTH
