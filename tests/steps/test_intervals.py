"""Intervals by blocks: they hold what they promise where rows of one block share their luck."""

import numpy as np
import pytest
from scipy.stats import nct, t

from airloom.core.metrics import metrics_of
from airloom.steps.intervals import spread
from airloom.steps.weighted_metrics import plain


def planted(seed, rows=400):
    random = np.random.default_rng(seed)
    label = (random.random(rows) < 0.3).astype(float)
    return label, random.random(rows), random.random(rows)


@pytest.mark.parametrize("metric", metrics_of("binary"))
def test_a_model_does_not_differ_from_itself(metric):
    label, scores, _ = planted(1)
    assert spread(metric, label, scores, scores, [np.arange(400) % 7]).error == 0


def test_of_a_mean_over_blocks_of_one_size_it_is_the_error_of_the_mean():
    label, mine, theirs = planted(2)
    days = np.repeat(np.arange(8), 50)
    found = spread("neg_mean_squared_error", label, mine, theirs, [days])
    losses = (-((label - mine) ** 2) + (label - theirs) ** 2).reshape(8, 50).mean(axis=1)
    assert found.error == pytest.approx(losses.std(ddof=1) / np.sqrt(8))
    assert found.freedom == 7
    assert found.margin(0.95) == pytest.approx(t.ppf(0.975, 7) * found.error)


def test_two_ways_that_are_the_same_are_one():
    label, mine, theirs = planted(3)
    days = np.arange(400) % 9
    one, both = (spread("roc_auc", label, mine, theirs, ways).error for ways in ([days], [days, days]))
    assert both == pytest.approx(one)


def test_within_days_of_any_size_it_is_the_error_of_a_weighted_mean():
    label, mine, theirs = planted(6)
    days = np.sort(np.random.default_rng(6).integers(0, 8, 400))
    found = spread("roc_auc", label, mine, theirs, [days], days)
    each = np.array([plain("roc_auc", label[days == day], mine[days == day]) for day in range(8)])
    each -= [plain("roc_auc", label[days == day], theirs[days == day]) for day in range(8)]
    share = np.bincount(days) / 400
    whole = share @ each
    assert found.error == pytest.approx(np.sqrt(np.mean((each - whole) ** 2 / (1 / share - 1))))


@pytest.mark.parametrize("days", [np.zeros(400, dtype=int), np.repeat([0, 1], [399, 1])])
def test_what_cannot_be_told_is_not_told(days):
    label, mine, theirs = planted(4)
    label = np.where(days == 1, 1.0, 0.0) if days.any() else label
    assert spread("roc_auc", label, mine, theirs, [days]) is None


def test_more_blocks_than_can_be_left_out_one_by_one_are_dealt_the_same_way_every_time():
    label, mine, theirs = planted(5, rows=5000)
    first, second = (spread("neg_log_loss", label, mine, theirs, [np.arange(5000)]) for _ in range(2))
    assert first == second
    assert first.freedom == 99


def by_day(random, days):
    """Two models that are equally good and lucky on different days."""
    day = np.repeat(np.arange(days), random.integers(60, 120, days))
    seen = random.normal(0, 1, len(day))
    chance = 0.8 * seen - 1.2 + random.normal(0, 0.6, days)[day]
    return [day], chance, [0.8 * seen - 1.2 + random.normal(0, 0.3, days)[day] for _ in range(2)]


def by_entity(random, days, entities=150):
    """Two models that are equally good and right about different customers, who are scored on every day."""
    entity, day = np.tile(np.arange(entities), days), np.repeat(np.arange(days), entities)
    base = random.normal(0, 1, entities)[entity]
    chance = base - 1.5 + random.normal(0, 1, entities)[entity] + random.normal(0, 0.3, days)[day]
    models = [base - 1.3 + random.normal(0, 0.5, entities)[entity] + random.normal(0, 0.2, days)[day] for _ in range(2)]
    return [entity, day], chance, models


def shown(simulate, days, metric, times, seed=7):
    """Return differences of equally good models, their errors by block and by row, and the half of each interval."""
    random, found = np.random.default_rng(seed), []
    for _ in range(times):
        ways, chance, models = simulate(random, days)
        label = (random.random(len(chance)) < 1 / (1 + np.exp(-chance))).astype(float)
        mine, theirs = (1 / (1 + np.exp(-each)) for each in models)
        blocks = spread(metric, label, mine, theirs, ways)
        rows = spread(metric, label, mine, theirs, [np.arange(len(label))])
        difference = plain(metric, label, mine) - plain(metric, label, theirs)
        found.append((difference, blocks.error, rows.error, blocks.margin(0.95), rows.margin(0.95)))
    return np.array(found).T


@pytest.mark.parametrize("simulate", [by_day, by_entity])
@pytest.mark.parametrize(
    ("days", "times", "metric"),
    [
        (14, 150, "neg_log_loss"),
        *(
            pytest.param(days, 1000, metric, marks=pytest.mark.long)
            for days in (7, 14, 28)
            for metric in ("neg_log_loss", "roc_auc")
        ),
    ],
)
def test_intervals_by_block_hold_and_by_row_they_do_not(simulate, days, times, metric):
    """The bounds are those of the promise, widened by what so few repetitions may miss it by."""
    difference, error, row_error, half, row_half = shown(simulate, days, metric, times)
    chance = 3 * np.sqrt(0.05 * 0.95 / times)
    covered, accepted = np.mean(np.abs(difference) < half), np.mean(difference > half)
    assert 0.95 - chance - 0.005 < covered
    assert accepted < 0.025 + chance
    assert error.mean() / difference.std() == pytest.approx(1, abs=0.1 + 3 / np.sqrt(2 * times))
    # Of a normal mean, no valid interval of so few days shows more: 0.83 of 7 days, 0.90 of 14, 0.92 of 28.
    possible = nct.sf(t.ppf(0.975, days - 1), days - 1, 3.5)
    assert np.mean(difference + 3.5 * difference.std() > half) > possible - 0.05
    assert row_error.mean() < 0.9 * difference.std(), "row by row even that is missed"
    assert np.mean(difference > row_half) > 0.025 + chance
