"""One contract for every operator of Airloom."""

import inspect
from datetime import UTC, datetime, timedelta, timezone
from types import SimpleNamespace

import pendulum
import pytest
from airflow.sdk import DAG
from airflow.sdk.definitions._internal.templater import SandboxedEnvironment
from airflow.sdk.exceptions import AirflowFailException
from airflow.serialization.serialized_objects import DagSerialization

from airloom.operators.champion import ChooseOperator
from airloom.operators.step import LOGICAL_DAY
from tests.operators.every_operator import OPERATORS, OPTIONAL, STEPS, build, own_parameters


def test_there_are_operators():
    assert len(OPERATORS) >= 10


@pytest.mark.parametrize("operator", OPERATORS)
def test_every_template_field_is_an_attribute(operator):
    task = build(operator)
    assert all(hasattr(task, field) for field in operator.template_fields)
    assert {"pipeline", "partition"} <= set(operator.template_fields)


@pytest.mark.parametrize("operator", OPERATORS)
def test_arguments_are_stored_under_their_own_names(operator):
    task = build(operator)
    assert all(hasattr(task, name) for name in own_parameters(operator))


@pytest.mark.parametrize("operator", OPERATORS)
def test_the_partition_is_the_runs_day_unless_said_otherwise(operator):
    names = {name: f"some {name}" for name in own_parameters(operator) - OPTIONAL}
    assert operator(task_id="task", **{"pipeline": "p", **names}).partition == LOGICAL_DAY


@pytest.mark.parametrize("operator", OPERATORS)
def test_every_argument_is_documented(operator):
    documented = inspect.getdoc(operator)
    assert all(f"{name}:" in documented for name in ("pipeline", "partition"))
    assert all(f"{name}:" in documented for name in own_parameters(operator))


@pytest.mark.parametrize("operator", OPERATORS)
def test_it_can_be_serialized(operator):
    with DAG("d", start_date=datetime(2013, 1, 1, tzinfo=UTC), schedule=None) as dag:
        build(operator)
    assert DagSerialization.to_dict(dag)["dag"]["dag_id"] == "d"


@pytest.mark.parametrize("operator", [operator for operator in OPERATORS if operator is not ChooseOperator])
def test_a_run_without_a_logical_date_is_refused_in_words(operator):
    with pytest.raises(AirflowFailException, match="This is not a partition"):
        build(operator, partition="", pipeline="parcels").execute({})


@pytest.mark.parametrize("operator", OPERATORS)
@pytest.mark.parametrize(
    ("partition", "said"),
    [
        ("2042-01-02", "2042-01-02 has not ended in Europe/Berlin"),
        ("2024-01-04T01:30:00+00:00", "which could mean 2024-01-03 or 2024-01-04"),
        ("2024-01-04T23:30:00+00:00", "which could mean 2024-01-04 or 2024-01-05"),
    ],
)
def test_what_is_not_a_day_that_may_run_is_refused_in_words(operator, partition, said):
    with pytest.raises(AirflowFailException, match=said):
        build(operator, partition=partition, pipeline="parcels").execute({})


@pytest.mark.parametrize(
    ("logical_date", "partition"),
    [
        (datetime(2024, 1, 5, tzinfo=UTC), "2024-01-05"),
        (pendulum.datetime(2024, 1, 5), "2024-01-05"),
        (datetime(2024, 1, 5, tzinfo=timezone(timedelta(hours=5, minutes=30))), "2024-01-05T00:00:00+05:30"),
        (pendulum.datetime(2024, 1, 5, 0, 0, 0, 1), "2024-01-05T00:00:00.000001+00:00"),
        (None, ""),
    ],
)
def test_the_runs_day_is_its_logical_date_and_no_moment_is_cut_down_to_a_day(logical_date, partition):
    template = SandboxedEnvironment().from_string(LOGICAL_DAY)
    assert template.render(dag_run=SimpleNamespace(logical_date=logical_date)) == partition


@pytest.mark.parametrize("operator", OPERATORS)
def test_an_unknown_pipeline_is_refused_in_words(operator):
    with pytest.raises(AirflowFailException, match="Did you mean 'parcels'"):
        build(operator, pipeline="parcel").execute({})


@pytest.mark.parametrize("operator", STEPS)
def test_lineage_is_answered_before_and_after_a_step_that_did_nothing(operator):
    task = build(operator)
    assert task.get_openlineage_facets_on_start().inputs == []
    assert task.get_openlineage_facets_on_complete(None).outputs == []
    assert task.get_openlineage_facets_on_failure(None).outputs == []
