"""Materialization: Feast as it comes (its file offline store, its online store) and Airloom's stores.

Both write the same rows through `FeatureStore.materialize`, each in a process of its own, in turns, and both are read
back through `get_online_features`; the answers must agree. Run: python bench/materialize.py --entities 100000
The online stores are SQLite files, or in the PostgreSQL or Redis server that `AIRLOOM_ONLINE_URL` names; Feast's own
PostgreSQL store needs psycopg-pool besides.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    import pyarrow as pa
    from feast import FeatureStore

PLUGINS = Path(__file__).resolve().parents[1] / "plugins"
DAY = date(2024, 3, 1)
MOMENT = datetime(2024, 3, 2, tzinfo=UTC)
READS, KEYS_A_READ = 30, 100


def main() -> None:
    """Measure both and print a table."""
    arguments = _arguments()
    if arguments.only:
        sys.stdout.write(json.dumps(_measure(arguments.only, arguments.entities, arguments.features)))
        return
    results: dict[str, list[dict[str, Any]]] = {"feast": [], "airloom": []}
    for _ in range(arguments.repeat):
        for name, runs in results.items():
            runs.append(_run_alone(name, arguments))
    answers = {json.dumps(run["answer"], sort_keys=True) for runs in results.values() for run in runs}
    if len(answers) != 1:
        raise SystemExit("The two stores do not answer the same.")
    _print(results, arguments)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entities", type=int, default=20_000)
    parser.add_argument("--features", type=int, default=10)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--only", choices=["feast", "airloom"], help=argparse.SUPPRESS)
    return parser.parse_args()


def _run_alone(name: str, arguments: argparse.Namespace) -> dict[str, Any]:
    command = [sys.executable, __file__, "--only", name]
    command += ["--entities", str(arguments.entities), "--features", str(arguments.features)]
    paths = [str(PLUGINS), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    answer = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if answer.returncode:
        raise SystemExit(answer.stderr)
    result: dict[str, Any] = json.loads(answer.stdout)
    return result


def _measure(name: str, entities: int, features: int) -> dict[str, Any]:

    rows = _rows(entities, features)
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        store: FeatureStore = _STORES[name](Path(folder), rows, features)
        before = _peak()
        first = _seconds(lambda: store.materialize(MOMENT - timedelta(days=1), MOMENT, feature_views=["stats"]))
        again = _seconds(lambda: store.materialize(MOMENT - timedelta(days=1), MOMENT, feature_views=["stats"]))
        names = [f"stats:f{number}" for number in range(features)]
        keys = [{"key": f"entity-{number * entities // KEYS_A_READ}"} for number in range(KEYS_A_READ)]
        reads = [_seconds(lambda: store.get_online_features(names, keys)) for _ in range(READS)]
        answer = store.get_online_features(names, keys[:3]).to_dict()
        store.teardown()
    return {
        "first": first,
        "again": again,
        "read": statistics.median(reads),
        "peak": _peak(),
        "grown": _peak() - before,
        "answer": answer,
    }


def _rows(entities: int, features: int) -> pa.Table:
    import numpy as np
    import pyarrow as pa

    random = np.random.default_rng(7)
    moment = pa.array([MOMENT] * entities, pa.timestamp("us", "UTC"))
    values = {f"f{number}": random.random(entities) for number in range(features)}
    return pa.table({"key": [f"entity-{number}" for number in range(entities)], **values, "as_of": moment})


def _stock(folder: Path, rows: pa.Table, features: int) -> FeatureStore:
    import pyarrow.parquet as pq
    from feast import Entity, FeatureStore, FeatureView, Field, FileSource, RepoConfig, ValueType
    from feast.types import Float64, String

    pq.write_table(rows, folder / "stats.parquet")
    config = RepoConfig(
        project=_project(),
        provider="local",
        registry=str(folder / "registry.db"),
        online_store=_feasts(folder),
        offline_store={"type": "file"},
        entity_key_serialization_version=3,
    )
    key = Entity(name="key", join_keys=["key"], value_type=ValueType.STRING)
    schema = [Field(name="key", dtype=String), *(Field(name=f"f{number}", dtype=Float64) for number in range(features))]
    source = FileSource(path=str(folder / "stats.parquet"), timestamp_field="as_of")
    store = FeatureStore(config=config)
    store.apply([key, FeatureView(name="stats", entities=[key], ttl=timedelta(days=9), schema=schema, source=source)])
    return store


def _project() -> str:
    """Return a name that no other run has: servers outlive a run."""
    return f"bench_{uuid.uuid4().hex}"


def _feasts(folder: Path) -> dict[str, Any]:
    """Return the configuration of Feast's own online store at the same place."""
    from sqlalchemy import make_url

    url = os.environ.get("AIRLOOM_ONLINE_URL")
    if not url:
        return {"type": "sqlite", "path": str(folder / "online.db")}
    place = make_url(url)
    if place.get_backend_name() == "redis":
        server = f"{place.host}:{place.port or 6379},db={place.database or 0}"
        return {
            "type": "redis",
            "connection_string": f"{server},password={place.password}" if place.password else server,
        }
    return {
        "type": "postgres",
        "host": place.host,
        "port": place.port or 5432,
        "database": place.database,
        "db_schema": "public",
        "user": place.username,
        "password": place.password,
        "sslmode": "prefer",
    }


def _airloom(folder: Path, rows: pa.Table, features: int) -> FeatureStore:
    from feast import Entity, FeatureStore, Field, RepoConfig, ValueType
    from feast.types import Float64

    from airloom.core.settings import Settings
    from airloom.stores.content import content_version
    from airloom.stores.features import online_config
    from airloom.stores.lake import Lake, PartitionVersion
    from airloom.stores.source import lake_view

    stamped = rows.append_column("known_at", rows.column("as_of"))
    Lake(folder / "lake").replace("features.stats", PartitionVersion(DAY, content_version(stamped)), stamped)
    config = RepoConfig(
        project=_project(),
        provider="local",
        registry={"registry_type": "sql", "path": f"sqlite:///{folder / 'registry.db'}"},
        online_store=online_config(Settings.from_environment({**os.environ, "AIRLOOM_VAR": str(folder)})),
        offline_store={"type": "airloom.stores.offline.LakeOfflineStore", "lake": str(folder / "lake")},
        batch_engine={"type": "airloom.stores.engine.LakeEngine"},
        entity_key_serialization_version=3,
    )
    key = Entity(name="key", join_keys=["key"], value_type=ValueType.STRING)
    fields = [Field(name=f"f{number}", dtype=Float64) for number in range(features)]
    store = FeatureStore(config=config)
    store.apply([key, lake_view("stats", entities=[key], ttl=timedelta(days=9), schema=fields)])
    return store


_STORES = {"feast": _stock, "airloom": _airloom}


def _seconds(action: Any) -> float:
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def _peak() -> float:
    """Return the process's peak memory so far, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _print(results: dict[str, list[dict[str, Any]]], arguments: argparse.Namespace) -> None:
    place = (os.environ.get("AIRLOOM_ONLINE_URL") or "sqlite").partition(":")[0]
    title = f"{place}: {arguments.entities:,} entities x {arguments.features} features, median of {arguments.repeat}"
    table = Table("", "Feast", "Airloom", "ratio", title=title)
    for label, key, scale, unit in [
        ("materialize, empty store", "first", 1, "s"),
        ("materialize, the same again", "again", 1, "s"),
        (f"read {KEYS_A_READ} keys", "read", 1000, "ms"),
        ("peak memory of the process", "peak", 1, "MiB"),
        ("of which grown while materializing", "grown", 1, "MiB"),
    ]:
        feast, airloom = (statistics.median(run[key] for run in results[name]) for name in ("feast", "airloom"))
        ratio = f"{feast / max(airloom, 1e-9):.1f}x"
        table.add_row(label, f"{feast * scale:,.2f} {unit}", f"{airloom * scale:,.2f} {unit}", ratio)
    speed = [arguments.entities / statistics.median(run["first"] for run in results[name]) for name in results]
    table.add_row("entities a second", *(f"{each:,.0f}" for each in speed), f"{speed[1] / speed[0]:.1f}x")
    Console().print(table)


if __name__ == "__main__":
    main()
