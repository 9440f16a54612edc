from airloom.lineage.walk import impact, trace
from tests.lineage.written import D, E, Log, chain, computed, graph_of, node, raw, view


def names(branch):
    return {branch.name: {each.version for each, _ in branch.found}} | {
        name: versions for each in branch.branches for name, versions in names(each).items()
    }


def reached(branch):
    found = {version for version, _ in branch.found}
    return found.union(*(reached(each) for each in branch.branches))


def test_a_prediction_is_traced_to_everything_that_it_was_made_of():
    found = reached(trace(graph_of(chain()), node("predictions", E, "p")))
    assert {node("raw.t", D, "r1"), node("raw.t", E, "r2"), node("source", D), node("training", E, "t")} <= found
    assert {node("model", "", "1"), node("verdict", E, "v"), node("champion", E, "1"), node("run.b", E, "run")} <= found


def test_a_bad_day_reaches_features_models_champions_and_predictions():
    found = reached(impact(graph_of(chain()), [node("raw.t", D, "r1")]))
    assert {each.name for each in found} == {
        f"p/{name}"
        for name in ("raw.t", "features.v", "training", "run.b", "model", "verdict", "champion", "predictions")
    }


def test_a_day_that_no_model_has_learned_from_reaches_predictions_alone():
    found = reached(impact(graph_of(chain()), [node("raw.t", E, "r2")]))
    assert {each.name for each in found} == {"p/raw.t", "p/features.v", "p/predictions"}


def test_what_is_made_of_something_known_is_told_once():
    root = trace(graph_of(chain()), node("predictions", E, "p"))
    above = [each for each in _all(root) if each.above]
    assert above
    assert all(each.branches == () for each in above)


def _all(branch):
    return [branch, *(inner for each in branch.branches for inner in _all(each))]


def test_a_run_that_healed_other_days_does_not_leak_later_days_into_earlier_ones():
    log = Log()
    healed = view(computed(D, "f1", (D, "r3")), computed(E, "f2", (D, "r3"), (E, "r2")))
    log.did("features.compute", "heal", [("raw.t", (D, "r3"), (E, "r2"))], [healed])
    assert names(trace(graph_of(log), node("features.v", D, "f1")))["p/raw.t"] == {"r3"}


def test_the_same_content_made_again_is_traced_as_of_when_it_was_read():
    log = Log()
    log.did("features.compute", "first", [raw(D, "r1")], [view((D, "f"))])
    log.did("train.assemble", "assemble", [view((D, "f"))], [("training", (E, "t"))])
    log.did("features.compute", "second", [raw(D, "r2")], [view((D, "f"))])
    graph = graph_of(log)
    assert names(trace(graph, node("training", E, "t")))["p/raw.t"] == {"r1"}
    assert names(trace(graph, node("features.v", D, "f")))["p/raw.t"] == {"r2"}


def test_a_run_that_found_it_there_already_has_not_made_it():
    log = Log()
    log.did("features.compute", "made", [raw(D, "r1")], [view((D, "f"))])
    log.did("features.compute", "again", [raw(D, "r1")], [view(computed(D, "f", (D, "r1"), unchanged=True))])
    assert graph_of(log).made(node("features.v", D, "f")).run.id == "made"


def test_what_only_a_repetition_tells_of_is_traced_to_that():
    log = Log()
    log.start("features.compute", "killed after its commit")
    log.did("features.compute", "again", [raw(D, "r1")], [view(computed(D, "f", (D, "r1"), unchanged=True))], attempt=2)
    assert graph_of(log).made(node("features.v", D, "f")).run.id == "again"


def test_what_no_event_tells_of_is_said_so():
    root = trace(graph_of(chain()), node("features.v", D, "unknown"))
    assert root.untold == [node("features.v", D, "unknown")]
    assert root.runs == []


def test_a_failed_run_has_made_nothing():
    log = Log()
    log.start("features.compute", "r")
    log.end("features.compute", "r", [raw(D, "r1")], [view((D, "f"))], state="FAIL")
    assert graph_of(log).made(node("features.v", D, "f")) is None
