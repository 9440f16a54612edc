"""The source: the wines of a day, made from the day alone."""

from datetime import date

import numpy as np
import pandas as pd

from airloom.core.partitions import as_of

WINES = 40


def extract(partition: date) -> dict[str, pd.DataFrame]:
    """Return the wines that were tasted on a day; acid ones are seldom good."""
    random = np.random.default_rng(partition.toordinal())
    acid = random.random(WINES)
    return {
        "wines": pd.DataFrame(
            {
                "run_id": [f"{partition}/{number:02}" for number in range(WINES)],
                "score": np.arange(WINES) % 7,
                "model_version": "red",
                "scored_at": partition.isoformat(),
                "pipeline_digest": "a",
                "sampled_at": pd.Timestamp(as_of(partition, "UTC")) - pd.Timedelta(hours=1),
                "partition": random.choice(["north", "south"], WINES),
                "inputs": acid,
                "version": random.integers(1, 9, WINES),
                "quality": (random.random(WINES) < 1 - acid).astype(float),
            }
        )
    }
