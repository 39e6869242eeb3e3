"""A graph in a lower precision: a clean one is called that precision, and a fault of a few floors is found in it."""

from dataclasses import replace

import numpy as np
import onnx
import pytest
import torch

from compare.numerics.verdicts import judge
from export.exporting import exported
from tests.faults.bench import Bench, Planted, bench_of
from tests.faults.graph import Graph
from tests.faults.kinds import KINDS
from tests.faults.lower import TYPES, nearest, rounded

KINDS_IN_TORCH = {"bf16": torch.bfloat16, "fp16": torch.float16}


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """The bench of byte-gpt2 on 32 bytes."""
    return bench_of(exported("byte-gpt2").folder, tmp_path_factory.mktemp("bench"))


@pytest.mark.parametrize("precision", TYPES)
def test_every_number_of_the_graph_can_be_written_in_the_precision(bench: Bench, precision: str) -> None:
    found = bench.lowered(precision).clean_outputs
    assert found.keys() == bench.clean.keys()
    for name, tensor in found.items():
        assert tensor.dtype == np.float32, name
        values = torch.from_numpy(tensor)
        assert torch.equal(values, values.to(KINDS_IN_TORCH[precision]).float()), name
    assert not np.array_equal(found["logits"], bench.clean_outputs["logits"])


@pytest.mark.parametrize("precision", TYPES)
def test_a_clean_graph_is_the_model_in_that_precision(bench: Bench, precision: str) -> None:
    lowered = bench.lowered(precision)
    verdict = judge(lowered.evidence(lowered.clean_outputs), bitwise=False)
    assert (verdict.kind, verdict.precision, verdict.own) == ("reduced precision", precision, True)


@pytest.mark.parametrize("precision", TYPES)
@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("matrix scaled", "layer 1, output projection"),
        ("context of one head scaled", "layer 2, attention"),
        ("values rounded", "layer 0, norm and MLP"),
    ],
)
def test_a_fault_of_a_few_floors_of_the_precision_is_found_where_it_is(
    bench: Bench, precision: str, name: str, place: str
) -> None:
    lowered, planted = bench.lowered(precision), Planted(KINDS[name], place, 1e-3, seed=0)
    while (size := lowered.size(planted)).rms < 4:
        planted = replace(planted, strength=1.5 * planted.strength)
    assert size.rms < 16
    verdict = lowered.judge(planted)
    assert (verdict.kind, verdict.place, verdict.precision) == ("different", place, precision)


def test_a_size_in_floors_of_a_lower_precision_is_smaller(bench: Bench) -> None:
    planted = Planted(KINDS["matrix scaled"], "layer 1, output projection", 1e-2, seed=0)
    single, fp16, bf16 = (each.size(planted) for each in (bench, bench.lowered("fp16"), bench.lowered("bf16")))
    assert single.floors > 1000 * fp16.floors > 4000 * bf16.floors > 0


def test_what_is_inside_a_fault_is_not_rounded(bench: Bench) -> None:
    """A planted chain of operators is one kernel, so only its result is rounded."""
    graph = Graph(bench.single)
    before = onnx.load_from_string(rounded(graph.serialized(), "bf16"))
    Planted(KINDS["values rounded"], "layer 0, output projection", 1e-3, seed=0).kind.plant(
        graph, "layer 0, output projection", 1e-3, np.random.default_rng(0)
    )
    after = onnx.load_from_string(rounded(graph.serialized(), "bf16"))
    casts = [sum(node.op_type == "Cast" for node in model.graph.node) for model in (before, after)]
    assert casts[1] == casts[0] + 2  # three operators were planted
    assert len(after.graph.node) == len(before.graph.node) + 3 + 2


@pytest.mark.parametrize("precision", TYPES)
def test_numbers_beyond_the_range_become_the_largest(precision: str) -> None:
    lowest = np.array([np.finfo(np.float32).min, 1.0], np.float32)
    found = nearest(lowest, TYPES[precision])
    assert np.isfinite(found).all()
    assert found[1] == 1
    assert found[0] == float(torch.finfo(KINDS_IN_TORCH[precision]).min)
