"""The planter: every kind of fault changes its own segment and nothing before it, and is detected there."""

from dataclasses import replace

import numpy as np
import onnx
import pytest

from compare.numerics.places import place_of
from compare.numerics.verdicts import judge
from export.exporting import exported
from export.taps import tap_names
from tests.faults.bench import Bench, Planted, bench_of
from tests.faults.graph import Graph
from tests.faults.kinds import KINDS
from tests.faults.kinds.fault import EMBEDDING, NotHere, segment_of


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """The bench of byte-gpt2 on 32 bytes."""
    return bench_of(exported("byte-gpt2").folder, tmp_path_factory.mktemp("bench"))


@pytest.fixture(scope="module")
def llama(tiny, tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """The bench of a tiny Llama: RMS norms, rotary positions, grouped heads, a gated MLP without biases."""
    folder = tmp_path_factory.mktemp("llama")
    tiny("llama").save_pretrained(folder)
    return bench_of(exported(str(folder)).folder, tmp_path_factory.mktemp("bench"))


def test_the_graph_without_a_fault_is_rounding(bench: Bench, llama: Bench) -> None:
    for clean in (bench, llama):
        assert judge(clean.evidence(clean.clean_outputs), bitwise=False).kind == "rounding"


def test_every_node_belongs_to_the_segment_that_it_feeds_first(bench: Bench) -> None:
    graph = Graph(bench.single)
    assert set(graph.places) == {place_of(name) for name in tap_names(4)}
    assert [node.op_type for node in graph.nodes("layer 2, norm and MLP", "Gemm", "Tanh")] == ["Gemm", "Tanh", "Gemm"]
    assert [found.weight.shape for found in graph.maps("final norm and head")] == [(192, 256)]
    assert graph.softmax("layer 1, attention").outputs[0].name == "attention.1"


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("model", ["bench", "llama"])
def test_a_fault_in_full_changes_its_own_segment_and_is_found_there(
    model: str, name: str, request: pytest.FixtureRequest
) -> None:
    where: Bench = request.getfixturevalue(model)
    kind = KINDS[name]
    there = 0
    for place in (place for place in where.places if segment_of(place) in kind.segments and "layer 0" not in place):
        planted = Planted(kind, place, 1.0, seed=3)
        try:
            double = planted.into(Graph(where.double))
        except NotHere:
            continue
        there += 1
        onnx.checker.check_model(onnx.load_from_string(double))
        faulty = where.run_double(double)
        changed = [n for n in tap_names(where.layers) if not np.allclose(faulty[n], where.clean[n], 1e-11, 1e-13)]
        assert place_of(changed[0]) == place
        assert where.size(planted).floors > 16
        verdict = where.judge(planted)
        assert (verdict.kind, verdict.place) == ("different", place)
        break
    assert there or model == "llama", f"{name} could be planted nowhere"


def test_a_size_is_measured_in_the_own_segment_and_grows_with_the_strength(bench: Bench) -> None:
    faint = Planted(KINDS["matrix scaled"], "layer 1, output projection", 1e-5, seed=0)
    size = bench.size(faint)
    assert size.tensor == "mid_state.1"
    assert bench.size(replace(faint, strength=2e-5)).floors == pytest.approx(2 * size.floors, rel=1e-3)


def test_a_faint_fault_is_smaller_than_rounding_and_not_found(bench: Bench) -> None:
    faint = Planted(KINDS["scale off"], "layer 1, attention", 1e-9, seed=0)
    assert bench.size(faint).floors < 0.1
    assert bench.judge(faint).kind == "rounding"


def test_a_size_is_infinite_where_every_control_is_exact(bench: Bench, llama: Bench) -> None:
    faint = Planted(KINDS["embedding scaled"], EMBEDDING, 1e-9, seed=0)
    assert llama.size(faint).floors == np.inf, "a table looked up is exact"
    assert bench.size(faint).floors < 1, "a sum of two rows is rounded"


def test_a_third_of_the_kinds_is_held_out() -> None:
    assert len(KINDS) >= 30
    assert 0.3 <= sum(kind.held_out for kind in KINDS.values()) / len(KINDS) <= 0.4
