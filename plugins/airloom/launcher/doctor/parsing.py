"""Parses all DAG files of an installation and prints what came of it: a process of its own, run by the doctor."""

from __future__ import annotations

import json
import sys


def main() -> None:
    """Print one line of JSON."""
    from airflow import plugins_manager
    from airflow.configuration import conf
    from airflow.dag_processing.dagbag import DagBag

    # Airflow may write to the standard output while it works; the last line is ours.
    timetables = plugins_manager.get_timetables_plugins()
    bag = DagBag(conf.get("core", "dags_folder"))
    files = sorted(bag.dagbag_stats, key=lambda each: each.duration)
    found = {
        "dags": sorted(bag.dags),
        "seconds": sum(each.duration.total_seconds() for each in files),
        "slowest": files[-1].file if files else "",
        "errors": bag.import_errors,
        "plugins": sorted(plugins_manager.get_import_errors()),
        "timetable": any(name.endswith(".Nightly") for name in timetables),
    }
    sys.stdout.write(f"\n{json.dumps(found)}\n")


if __name__ == "__main__":
    main()
