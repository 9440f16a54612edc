from datetime import date

from airloom.core.records import Dataset, Published
from airloom.lineage.facets import lineage_of


def published(*outputs):
    return Published(pipeline="p", partition=date(2013, 2, 10), headline="", changed=1, outputs=outputs)


def test_a_dataset_carries_its_name_version_and_schema():
    record = published(Dataset(name="raw.t", partition=date(2013, 2, 10), version="abc", columns={"id": "int64"}))
    (output,) = lineage_of(record).outputs
    assert (output.namespace, output.name) == ("airloom", "p/raw.t")
    assert output.facets["version"].datasetVersion == "2013-02-10@abc"
    assert [(field.name, field.type) for field in output.facets["schema"].fields] == [("id", "int64")]


def test_of_several_partitions_of_a_dataset_the_newest_is_named():
    days = [Dataset(name="raw.t", partition=date(2013, 2, day), version=str(day)) for day in (3, 9, 1)]
    (output,) = lineage_of(published(*days)).outputs
    assert output.facets["version"].datasetVersion == "2013-02-09@9"


def test_a_step_that_has_not_finished_has_no_datasets():
    assert lineage_of(None).inputs == []
