"""What an earlier commit has left is used by this one: the next days run on it, and nothing of before changes."""

import json

import pytest

from airloom.stores.lake import Lake
from tests.system.installation import PIPELINE, day
from tests.system.kept import FOLDER, unpack

#: Versions of before are digests by the rules of before.
pytestmark = [pytest.mark.system, pytest.mark.timeout(3600), pytest.mark.other_content]

ARCHIVES = sorted(FOLDER.glob("*.tar.xz"))


def scores(installation):
    """What is predicted for a day that the rollback has not changed."""
    rows = Lake(installation.settings.lake / PIPELINE).read("predictions", [day(4)])
    return rows.set_index("parcel_id")[["score", "model_version"]].sort_index().to_dict()


@pytest.fixture(scope="module", params=ARCHIVES, ids=lambda archive: archive.name.partition(".")[0])
def gone_on(request, tmp_path_factory):
    """The state before and after the next two days."""
    installation = unpack(request.param, tmp_path_factory.mktemp("kept") / "installation")
    before = {**installation.state(), "scores": scores(installation)}
    try:
        installation.airloom("demo", PIPELINE, "--from", "2024-01-06", "--to", "2024-01-07")
        yield before, {**installation.state(), "scores": scores(installation)}, installation
    finally:
        installation.airloom("down")


def test_there_is_something_to_go_on_from():
    assert ARCHIVES


def test_the_next_days_are_published_and_scored(gone_on):
    _, after, installation = gone_on
    for stage in ("ingest", "features", "train", "score"):
        assert [installation.runs(stage)[f"2024-01-0{number}"] for number in (6, 7)] == ["success", "success"]
    for table in after["lake"]:
        assert {day(6), day(7)} <= set(after["lake"][table])


def test_the_days_of_before_are_what_they_were(gone_on):
    before, after, _ = gone_on
    for table in before["lake"].keys() - {"predictions"}:
        assert {each: after["lake"][table][each] for each in before["lake"][table]} == before["lake"][table]


def test_only_what_the_rollback_has_changed_is_predicted_otherwise(gone_on):
    """A declaration that is read otherwise than before has another fingerprint: the same scores are written again."""
    before, after, installation = gone_on
    assert after["scores"]["model_version"] == before["scores"]["model_version"]
    # Another processor may round the last digit otherwise.
    assert after["scores"]["score"] == pytest.approx(before["scores"]["score"], rel=1e-12)
    assert installation.predicted_by(day(5)) == {1}


def test_the_history_of_champions_goes_on(gone_on):
    before, after, installation = gone_on
    assert [version for _, version in before["champions"]] == [1, 2, 1]
    assert after["champions"][:3] == before["champions"]
    told = json.loads(installation.airloom("ledger", PIPELINE, "--json").stdout)
    assert {each["partition"] for each in told["verdicts"]} >= {"2024-01-04", "2024-01-05", "2024-01-06", "2024-01-07"}


def test_a_prediction_of_before_is_traced_to_its_source(gone_on):
    _, _, installation = gone_on
    told = installation.airloom("trace", PIPELINE, "2024-01-05").stdout
    for words in ("raw.parcels", "training", "champion", "source"):
        assert words in told


def test_the_doctor_finds_nothing_wrong(gone_on):
    _, _, installation = gone_on
    assert "0 wrong" in installation.airloom("doctor").stdout
