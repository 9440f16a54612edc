"""The source: messages, and whether people have called them spam; a day is made from the day alone."""

from datetime import date

import numpy as np
import pandas as pd

from airloom.core.partitions import as_of

ZONE = "Asia/Tokyo"
MESSAGES = 90
DOMAINS = ["example.com", "example.net", "example.org"]
HONEST = ["we", "meet", "at", "noon", "thanks", "report", "attached", "lunch"]
TEMPTING = ["WIN", "NOW", "http://prize", "cheap", "CLICK", "http://shop", "free"]


def extract(partition: date) -> dict[str, pd.DataFrame]:
    """Return the messages that were sent on a day."""
    return {"messages": messages(partition)}


def mistaken(partition: date) -> dict[str, pd.DataFrame]:
    """Return what the source said of a day at first, before it was corrected: half of the rows, with other values."""
    rows = messages(partition).iloc[::2]
    return {"messages": rows.assign(links=rows["links"] + 1, spam=1 - rows["spam"])}


def messages(day: date) -> pd.DataFrame:
    """Return a day's messages; some arrive after midnight, and some are judged by nobody."""
    random = np.random.default_rng(day.toordinal())
    sent_at = end(day) - pd.to_timedelta(random.integers(2, 1440, MESSAGES), unit="min")
    spam = (random.random(MESSAGES) < 0.3).astype(float)
    texts = [text(random, each) for each in spam]
    return pd.DataFrame(
        {
            "message_id": [f"{day}/{number:02}" for number in range(MESSAGES)],
            "sent_at": sent_at,
            "received_at": sent_at + pd.to_timedelta(random.integers(1, 40, MESSAGES), unit="min"),
            "domain": random.choice(DOMAINS, MESSAGES),
            "words": [len(each.split()) for each in texts],
            "links": [each.count("http") for each in texts],
            "shouted": [sum(map(str.isupper, each)) / len(each) for each in texts],
            "spam": np.where(random.random(MESSAGES) < 0.05, np.nan, spam),
        }
    )


def text(random: np.random.Generator, spam: float) -> str:
    """Write a message; spam has more tempting words than others."""
    tempting = random.random(random.integers(4, 20)) < 0.1 + 0.3 * spam
    return " ".join(random.choice(TEMPTING if each else HONEST) for each in tempting)


def end(day: date) -> pd.Timestamp:
    """Return the end of a day."""
    return pd.Timestamp(as_of(day, ZONE))
