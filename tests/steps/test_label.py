"""Labels by a query: one value a scored row, from what happened after its day, and computed again when that changes."""

from datetime import date, timedelta

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from airloom.core.errors import DataError, DeclarationError, NotDue
from airloom.core.partitions import as_of, day_range
from airloom.core.pipeline import Pipeline
from airloom.launcher.status import read_status
from airloom.lineage.columns import column_lineage
from airloom.steps.assemble import assemble, examples_at
from airloom.steps.examples import DAY, add_labels, scored_rows
from airloom.steps.label import compute_labels
from airloom.steps.label_inputs import current_labels
from airloom.steps.readiness import needs, training_inputs
from airloom.stores.content import NO_ROWS
from airloom.stores.lake import Lake
from tests.overtaken import before_the_next_commit
from tests.worlds.installation import declaration, publish, settings_at
from tests.worlds.small_lake import PIPELINE as FLIGHTS
from tests.worlds.small_lake import publish_days

ZONE = "Europe/Berlin"
START, NIGHT = date(2024, 3, 20), date(2024, 4, 2)  # The clocks change between them.
CUSTOMERS = ("ann", "bob", "cas")
#: A customer has churned who does nothing within three days after the look.
SQL = """
SELECT examples.customer, examples.day, (count(events.customer) = 0)::INTEGER AS churned
FROM examples LEFT JOIN events
  ON events.customer = examples.customer AND events.at > $as_of AND events.at <= $until
GROUP BY ALL
"""


def churn(reads=("events",), **label):
    tables = {
        "customers": {"key": ["customer", "day"], "time": "seen_at", "known_at": "seen_at", "expectations": "none"},
        "events": {"key": ["event"], "time": "at", "known_at": "known_at", "expectations": "none", "empty": "allow"},
        "plans": {"key": ["customer"], "time": "at", "known_at": "at", "expectations": "none", "empty": "allow"},
    }
    declared = declaration(
        "churn",
        schedule={"nightly": "02:00", "timezone": ZONE, "start": START},
        tables=tables,
        features={"module": "none", "views": {"v": {"reads": "customers", "window": "7d", "sql": "v.sql"}}},
        label={
            "sql": "churned.sql",
            "reads": list(reads),
            "column": "churned",
            "horizon": "3d",
            "delay": "1d",
            **label,
        },
        train={"window": "5d", "holdout": "1d", "inputs": {}, "candidates": {"one": {"fit": "none:none"}}},
        score={"entities": "customers"},
    )
    return Pipeline.model_validate(declared)


CHURN = churn()
DAYS = day_range(date(2024, 3, 25), date(2024, 3, 29))


def seen_on(day, customers=CUSTOMERS):
    at = pd.Timestamp(as_of(day, ZONE)) - pd.Timedelta(hours=1)
    return pd.DataFrame({"customer": customers, "day": day.isoformat(), "seen_at": at})


def event(customer, day, hours=1.0, known=0.0):
    """Something that a customer does some hours after the end of a day, and when that becomes known after it."""
    at = pd.Timestamp(as_of(day, ZONE)) + pd.Timedelta(hours=hours)
    return {
        "event": f"{customer} {at}",
        "customer": customer,
        "at": at,
        "known_at": at + pd.Timedelta(hours=known),
    }


def happen(settings, day, *events):
    publish(settings, "churn", "raw.events", day, pd.DataFrame(list(events)))


def write_sql(settings, sql=SQL):
    file = settings.include / "churn" / "churned.sql"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(sql)


def everything_at(folder):
    settings = settings_at(folder, project=folder)
    write_sql(settings)
    for day in day_range(START, NIGHT):
        publish(settings, "churn", "raw.customers", day, seen_on(day))
        publish(settings, "churn", "features.v", day, seen_on(day))
        happen(settings, day, event("ann", day, hours=-3))
    return settings


@pytest.fixture
def settings(tmp_path):
    """Every day's customers, of whom only ann does anything, some hours before the end of each day."""
    return everything_at(tmp_path)


def labels(settings, day):
    rows = Lake(settings.lake / "churn").read("labels", [day])
    return dict(zip(rows["customer"], rows["churned"], strict=True))


def published(settings):
    return Lake(settings.lake / "churn").partitions("labels")


def test_each_scored_row_of_the_window_has_one_label_from_what_happened_after_its_day(settings):
    day = DAYS[2]
    happen(settings, day + timedelta(days=2), event("bob", day, hours=40), event("ann", day, hours=30))
    done = compute_labels(CHURN, NIGHT, settings)
    assert (done.rows, done.changed, done.ignored, done.degraded) == (15, 5, 0, False)
    assert done.headline == "15 labels of 5 days, 5 partitions new"
    assert sorted(published(settings)) == DAYS
    assert labels(settings, day) == {"ann": 0.0, "bob": 0.0, "cas": 1.0}


@pytest.mark.parametrize(("hours", "churned"), [(0, 1.0), (0.001, 0.0), (71, 0.0), (71.001, 1.0)])
def test_the_parameters_are_the_end_of_the_day_and_of_the_horizon(settings, hours, churned):
    """Three days of the calendar, one of which has 23 hours."""
    day = DAYS[-1]
    happen(settings, day + timedelta(days=1), event("bob", day, hours))
    compute_labels(CHURN, NIGHT, settings)
    assert labels(settings, day)["bob"] == churned


@pytest.mark.parametrize(("known", "churned"), [(0, 0.0), (93.999, 0.0), (94, 0.0), (94.001, 1.0)])
def test_what_becomes_known_after_the_label_is_mature_is_not_seen(settings, known, churned):
    day = DAYS[-1]  # Mature four days later, one of which has 23 hours.
    happen(settings, day + timedelta(days=1), event("bob", day, hours=1, known=known))
    compute_labels(CHURN, NIGHT, settings)
    assert labels(settings, day)["bob"] == churned


def test_partitions_after_the_label_is_mature_change_nothing(settings):
    day = DAYS[0]
    happen(settings, day + timedelta(days=5), event("bob", day))
    compute_labels(CHURN, NIGHT, settings)
    assert labels(settings, day)["bob"] == 1.0


def test_the_same_again_computes_nothing(settings):
    first = compute_labels(CHURN, NIGHT, settings)
    second = compute_labels(CHURN, NIGHT, settings)
    assert (second.rows, second.changed) == (first.rows, 0)
    assert [each.version for each in second.outputs] == [each.version for each in first.outputs]
    assert all(each.unchanged for each in second.outputs)
    assert second.inputs == first.inputs


def test_a_later_training_computes_only_the_day_that_has_become_mature(settings):
    compute_labels(CHURN, NIGHT - timedelta(days=1), settings)
    assert compute_labels(CHURN, NIGHT, settings).changed == 1


def test_a_correction_computes_exactly_the_days_again_whose_outcome_it_may_be(settings):
    compute_labels(CHURN, NIGHT, settings)
    before, corrected = published(settings), date(2024, 3, 30)
    happen(settings, corrected, event("bob", corrected, hours=-3))
    assert compute_labels(CHURN, NIGHT, settings).changed == 4
    changed = [day for day in DAYS if published(settings)[day] != before[day]]
    assert changed == day_range(corrected - timedelta(days=4), DAYS[-1])
    assert [labels(settings, day)["bob"] for day in DAYS] == [1.0, 1.0, 0.0, 0.0, 0.0]


def test_other_scored_rows_other_sql_or_another_horizon_compute_again(settings):
    compute_labels(CHURN, NIGHT, settings)
    publish(settings, "churn", "raw.customers", DAYS[0], seen_on(DAYS[0], ("ann", "dan")))
    assert compute_labels(CHURN, NIGHT, settings).changed == 1
    assert set(labels(settings, DAYS[0])) == {"ann", "dan"}
    write_sql(settings, SQL + "-- the same")
    assert compute_labels(CHURN, NIGHT, settings).changed == 5
    longer = churn(horizon="2d", delay="2d")
    assert compute_labels(longer, NIGHT, settings).changed == 5


def test_stale_labels_are_left_out_until_they_are_computed_again(settings):
    compute_labels(CHURN, NIGHT, settings)
    lake = Lake(settings.lake / "churn")
    assert current_labels(CHURN, lake, settings).partitions("labels") == lake.partitions("labels")
    write_sql(settings, SQL + " -- another query")
    assert current_labels(CHURN, lake, settings).partitions("labels") == {}
    status = read_status(CHURN, settings)
    assert status.stale_labels == tuple(lake.partitions("labels"))
    assert {stage.stage: stage.partitions for stage in status.stages}["label"] == 0
    compute_labels(CHURN, NIGHT, settings)
    assert current_labels(CHURN, lake, settings).partitions("labels") == lake.partitions("labels")


def test_a_degraded_day_degrades_the_labels(settings):
    publish(settings, "churn", "raw.events", DAYS[1], pd.DataFrame([event("ann", DAYS[1], -3)]), degraded=True)
    assert compute_labels(CHURN, NIGHT, settings).degraded
    assert [published(settings)[day].degraded for day in DAYS] == [True, True, False, False, False]


def test_of_two_trainings_at_once_the_second_accepts_what_the_first_has_published(settings, monkeypatch):
    before_the_next_commit(monkeypatch, lambda: compute_labels(CHURN, NIGHT, settings))
    second = compute_labels(CHURN, NIGHT, settings)
    assert (second.rows, second.changed) == (15, 0)
    assert Lake(settings.lake / "churn").commit("labels") == 4


def test_a_correction_that_comes_in_between_is_not_overlooked(settings, monkeypatch):
    day = DAYS[2] + timedelta(days=1)
    before_the_next_commit(monkeypatch, lambda: happen(settings, day, event("bob", DAYS[2])))
    compute_labels(CHURN, NIGHT, settings)
    assert labels(settings, DAYS[2])["bob"] == 0.0


def test_a_window_with_a_gap_has_no_labels_yet(settings):
    with pytest.raises(NotDue, match="has gaps"):
        compute_labels(CHURN, NIGHT + timedelta(days=1), settings)
    with pytest.raises(NotDue, match="Training needs 5 days"):
        compute_labels(CHURN, START + timedelta(days=3), settings)


def test_a_table_that_never_had_a_row_gives_no_labels_until_it_has_one(settings):
    for day in day_range(START, NIGHT):
        publish(settings, "churn", "raw.plans", day, pd.DataFrame())
    pipeline = churn(reads=("events", "plans"))
    assert compute_labels(pipeline, NIGHT, settings).rows == 0
    assert {each.version for each in published(settings).values()} == {NO_ROWS}
    assert compute_labels(pipeline, NIGHT, settings).changed == 0
    publish(
        settings, "churn", "raw.plans", START, pd.DataFrame({"customer": ["ann"], "at": [pd.Timestamp(0, tz=ZONE)]})
    )
    assert compute_labels(pipeline, NIGHT, settings).rows == 15


def test_a_day_on_which_no_row_was_scored_has_no_labels(settings):
    publish(settings, "churn", "raw.customers", DAYS[0], seen_on(DAYS[0]).iloc[:0])
    assert compute_labels(CHURN, NIGHT, settings).rows == 12
    assert published(settings)[DAYS[0]].version == NO_ROWS


def test_results_of_no_scored_row_are_ignored_and_counted(settings):
    write_sql(settings, SQL + " UNION ALL SELECT 'nobody', '2024-01-01', 1 UNION ALL SELECT NULL, NULL, 1")
    done = compute_labels(CHURN, NIGHT, settings)
    assert (done.rows, done.ignored) == (15, 10)
    assert done.headline.endswith("; ignored: 10 rows of no scored row")


@pytest.mark.parametrize(
    ("sql", "error", "found"),
    [
        (SQL + " UNION ALL SELECT customer, day, 0 FROM examples", DataError, "3 rows with a key seen before, of 6"),
        (
            "SELECT customer, day, 1 AS churned, 2 AS more FROM examples",
            DeclarationError,
            "customer, day, churned, more",
        ),
        ("SELECT customer, 1 AS churned FROM examples", DeclarationError, "customer, churned"),
        ("SELECT customer, day, 'yes' AS churned FROM examples", DataError, "string"),
        ("SELECT customer, day, [1] AS churned FROM examples", DataError, "list<l: int32>"),
        ("SELECT customer, 'secret' || day AS day, customer::INTEGER AS churned FROM examples", DeclarationError, None),
        ("SELECT customer, day, 1 AS churned FROM plans", DeclarationError, None),
        ("SELECT 1; SELECT 2", DeclarationError, "2 statements"),
    ],
)
def test_sql_that_gives_something_else_is_refused(settings, sql, error, found):
    write_sql(settings, sql)
    with pytest.raises(error) as refused:
        compute_labels(CHURN, NIGHT, settings)
    assert refused.value.where.startswith("include/churn/churned.sql")
    assert "bob" not in str(refused.value)
    assert found is None or refused.value.found == found


def test_sql_is_told_what_it_may_read(settings):
    write_sql(settings, "SELECT * FROM plans")
    with pytest.raises(DeclarationError) as refused:
        compute_labels(churn(), NIGHT, settings)
    assert refused.value.do == "read only the tables events and examples and the parameters $as_of and $until"


def test_a_key_that_the_scored_rows_do_not_have_is_refused(settings):
    with pytest.raises(DataError) as refused:
        compute_labels(churn(key=["customer", "week"]), NIGHT, settings)
    assert refused.value.expected == "week"


@pytest.mark.parametrize(("missing", "expected"), [("drop", {"ann": 0.0}), ("negative", dict.fromkeys(CUSTOMERS, 0.0))])
def test_a_row_without_a_label_is_dropped_or_negative(settings, missing, expected):
    write_sql(settings, f"{SQL} HAVING examples.customer = 'ann'")
    happen(settings, DAYS[0] + timedelta(days=1), event("ann", DAYS[0]))
    pipeline, lake = churn(missing=missing), Lake(settings.lake / "churn")
    compute_labels(pipeline, NIGHT, settings)
    rows, _ = scored_rows(pipeline, [DAYS[0]], lake)
    found, dropped = add_labels(pipeline, rows, NIGHT, lake)
    assert dict(zip(found["customer"], found["churned"], strict=True)) == expected
    assert dropped["without a label"] == (2 if missing == "drop" else 0)


def test_a_label_is_that_of_the_day_on_which_the_row_was_scored(settings):
    """The key alone would not tell the looks at a customer apart: the query is run for each day."""
    write_sql(settings, SQL.replace("examples.day, ", ""))
    pipeline, lake = churn(key=["customer"]), Lake(settings.lake / "churn")
    happen(settings, DAYS[1], event("bob", DAYS[0]))
    compute_labels(pipeline, NIGHT, settings)
    rows, _ = scored_rows(pipeline, DAYS, lake)
    found, _ = add_labels(pipeline, rows, NIGHT, lake)
    bob = found[found["customer"] == "bob"]
    assert dict(zip(bob[DAY], bob["churned"], strict=True)) == dict(zip(DAYS, [0.0, 1.0, 1.0, 1.0, 1.0], strict=True))


def test_training_waits_for_what_the_query_reads_and_is_read_from_labels():
    wanted = needs(CHURN, "train", NIGHT)
    assert wanted == {"raw.customers": DAYS, "raw.events": day_range(DAYS[0], NIGHT), "features.v": DAYS}
    assert training_inputs(CHURN, NIGHT) == {"raw.customers": DAYS, "labels": DAYS, "features.v": DAYS}
    own = churn(reads=("customers",))
    assert needs(own, "train", NIGHT)["raw.customers"] == day_range(DAYS[0], NIGHT)


def test_lineage_leads_from_a_label_to_what_the_query_has_read(settings):
    done = compute_labels(CHURN, NIGHT, settings)
    last = done.outputs[-1]
    assert (last.name, last.partition) == ("labels", DAYS[-1])
    assert {(each.name, each.partition) for each in last.made_of} == {
        ("raw.customers", DAYS[-1]),
        *(("raw.events", day) for day in day_range(DAYS[-1], NIGHT)),
    }
    fields = column_lineage(CHURN, settings.include, last, done.inputs).fields
    found = {column: [(each.name, each.field) for each in field.inputFields] for column, field in fields.items()}
    assert found == {
        "customer": [("churn/raw.customers", "customer")],
        "day": [("churn/raw.customers", "day")],
        "churned": [("churn/raw.events", "customer")],
    }


EVENTS = st.lists(
    st.tuples(
        st.sampled_from(CUSTOMERS),
        st.integers(0, 4),  # the day of the window that it is counted from
        st.integers(-10, 100),  # hours after that day's end
        st.integers(0, 60),  # hours until it is known
        st.integers(0, 2),  # days until it is published
    ),
    max_size=20,
)


@pytest.mark.parametrize("examples", [5, pytest.param(60, marks=[pytest.mark.long, pytest.mark.timeout(3600)])])
def test_labels_are_those_of_a_plain_loop_in_whatever_order_days_are_published(examples, tmp_path_factory):
    @hypothesis_settings(max_examples=examples)
    @given(EVENTS, st.randoms())
    def are_those_of_a_plain_loop(events, random):
        check_labels(tmp_path_factory.mktemp("churn"), events, random)

    are_those_of_a_plain_loop()


def check_labels(folder, events, random):
    settings = everything_at(folder)
    told, arrived = [], {day: [event("nobody", day, -3)] for day in day_range(START, NIGHT)}
    for number, (customer, place, hours, known, late) in enumerate(events):
        row = event(customer, DAYS[place], hours, known) | {"event": str(number)}
        day = min(NIGHT, row["known_at"].tz_convert(ZONE).date() + timedelta(days=late))
        told.append((row, day))
        arrived[day].append(row)
    for day in random.sample(sorted(arrived), len(arrived)):
        happen(settings, day, *arrived[day])
        if random.random() < 0.2:
            compute_labels(CHURN, NIGHT, settings)
    compute_labels(CHURN, NIGHT, settings)
    for day in DAYS:
        begin, end = (pd.Timestamp(as_of(day + timedelta(days=days), ZONE)) for days in (0, 3))
        mature = day + timedelta(days=4)
        came = {
            row["customer"]
            for row, arrival in told
            if begin < row["at"] <= end and arrival <= mature and row["known_at"] <= pd.Timestamp(as_of(mature, ZONE))
            if arrival >= day
        }
        assert labels(settings, day) == {customer: float(customer not in came) for customer in CUSTOMERS}


LATE = "SELECT examples.flight_id, flights.late FROM examples JOIN flights USING (flight_id)"


@pytest.fixture
def flights(tmp_path):
    """The nights' pipeline with its label as a query, and the days published."""
    settings = settings_at(tmp_path, project=tmp_path)
    (settings.include / "late").mkdir(parents=True)
    (settings.include / "late" / "late.sql").write_text(LATE)
    night = date(2024, 1, 10)
    publish_days(settings, day_range(date(2024, 1, 1), night))
    label = FLIGHTS.label.model_dump(mode="json", exclude={"table"}) | {"sql": "late.sql", "reads": "flights"}
    declared = FLIGHTS.model_dump(mode="json") | {"label": label}
    return Pipeline.model_validate(declared), night, settings


def test_a_training_set_by_a_query_is_that_of_the_table_that_it_reads(flights):
    pipeline, night, settings = flights
    with pytest.raises(NotDue, match="not of what is published now"):
        assemble(pipeline, night, settings)
    compute_labels(pipeline, night, settings)
    by_query, by_table = assemble(pipeline, night, settings), assemble(FLIGHTS, night, settings)
    assert (by_query.rows, by_query.holdout_rows) == (by_table.rows, by_table.holdout_rows)
    lake = Lake(settings.lake / "late")
    joined = [examples_at(each, night, lake, settings).frame for each in (pipeline, FLIGHTS)]
    pd.testing.assert_frame_equal(*joined)
    assert {"labels", "raw.flights", "raw.schedule"} <= set(by_query.lake)
    assert {each.name for each in by_query.inputs} == {"raw.schedule", "labels", "features.carrier_delays"}


def test_a_training_set_is_read_again_at_its_commits_whatever_is_corrected_since(flights):
    pipeline, night, settings = flights
    compute_labels(pipeline, night, settings)
    commits, lake = assemble(pipeline, night, settings).lake, Lake(settings.lake / "late")
    before = examples_at(pipeline, night, lake.at(commits), settings).frame
    day = date(2024, 1, 6)
    flown = lake.read("raw.flights", [day])
    publish(settings, "late", "raw.flights", day, flown.assign(late=1 - flown["late"]))
    with pytest.raises(NotDue):
        assemble(pipeline, night, settings)
    compute_labels(pipeline, night, settings)
    assert not examples_at(pipeline, night, lake, settings).frame.equals(before)
    pd.testing.assert_frame_equal(examples_at(pipeline, night, lake.at(commits), settings).frame, before)
