from xml.etree import ElementTree

import pytest

from airloom.core.errors import UsageError
from airloom.lineage.picture import draw, write_picture
from airloom.lineage.walk import impact, trace
from tests.lineage.written import chain, graph_of, node

E = "2013-02-10"


def places(svg):
    """Where every box stands, by the dataset in it."""
    root = ElementTree.fromstring(svg)
    groups = [each for each in root if each.tag.endswith("}g")]
    return {group[2].text: (int(group[1].get("x")), int(group[1].get("y"))) for group in groups}


def test_data_flows_from_left_to_right():
    graph = graph_of(chain())
    back = places(draw(graph, trace(graph, node("predictions", E, "p")), backwards=True))
    forth = places(draw(graph, impact(graph, [node("raw.t", "2013-02-09", "r1")]), backwards=False))
    for found in (back, forth):
        order = ["raw.t", "features.v", "training", "run.b", "model", "verdict", "champion", "predictions"]
        assert [found[name][0] for name in order] == sorted(found[name][0] for name in order)


def test_no_two_boxes_stand_in_one_place():
    graph = graph_of(chain())
    found = places(draw(graph, trace(graph, node("predictions", E, "p")), backwards=True))
    assert len(set(found.values())) == len(found)


def test_a_page_holds_the_picture_and_what_people_have_written_is_no_markup(tmp_path):
    log = chain()
    log.events[-1]["run"]["facets"]["airloom_run"]["headline"] = "<script>alert(1)</script>"
    graph = graph_of(log)
    file = tmp_path / "trace.html"
    write_picture(graph, trace(graph, node("predictions", E, "p")), file, backwards=True)
    assert "<svg" in file.read_text()
    assert "<script>" not in file.read_text()


@pytest.mark.parametrize("name", ["nowhere/x.svg", "."], ids=["no such folder", "a folder"])
def test_a_file_that_cannot_be_written_is_told(tmp_path, name):
    graph = graph_of(chain())
    with pytest.raises(UsageError, match="cannot be written") as error:
        write_picture(graph, trace(graph, node("predictions", E, "p")), tmp_path / name, backwards=True)
    assert error.value.where == str(tmp_path / name)
