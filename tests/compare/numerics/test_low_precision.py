"""Lower precisions are judged in units of what they do alone, so a fault in them is found."""

import copy
from pathlib import Path

import hypothesis.extra.numpy as arrays
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from compare.numerics.low_precision import (
    QUANTIZATIONS,
    _Quantized,
    asymmetric,
    blockwise,
    lopsided,
    low_runs,
    symmetric,
)
from compare.numerics.replay import profile_of
from compare.numerics.verdicts import judge
from compare.numerics.weigher import Scales
from compare.results.gaps import evidence_of
from compare.results.precisions import OWN_CONTROLS, ROUNDOFFS
from compare.results.verdicts import Verdict
from compare.traces import Trace, write_trace
from export.attention import graph_attention
from export.models import load
from export.sources import find
from export.taps import run_tapped, tap_names

MATRICES = arrays.arrays(
    np.float32,
    arrays.array_shapes(min_dims=2, max_dims=2, max_side=80),
    elements=st.floats(-1e3, 1e3, width=32, allow_subnormal=False),
)
TYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}


@pytest.fixture
def model():
    return copy.deepcopy(load(find("byte-gpt2")).model)


def verdict_on(scales: Scales, folder: Path, precision: str, run: dict[str, torch.Tensor]) -> Verdict:
    write_trace(folder, {name: tensor.float().numpy() for name, tensor in run.items()})
    return judge(evidence_of(scales.weigh(Trace(folder), precision).values()), bitwise=False)


@given(MATRICES, st.sampled_from([4, 8]), st.sampled_from([0, -1, None]))
def test_rounding_moves_a_value_by_half_a_step_at_most(matrix: np.ndarray, bits: int, dim: int | None) -> None:
    """Except at the ends of an asymmetric range, where the step of 0 moves it by up to another half."""
    x = torch.from_numpy(matrix)
    for quantize, steps, most in ((symmetric, 2 ** (bits - 1) - 1, 0.5001), (asymmetric, 2**bits - 1, 1.0001)):
        found = quantize(x, bits, dim)
        span = x.abs().max() if quantize is symmetric else x.max().clamp_min(0) - x.min().clamp_max(0)
        assert (found - x).abs().max() <= most * span / steps + 1e-30
        assert torch.all(found[x == 0] == 0)
    assert symmetric(x, bits, None).unique().numel() <= 2**bits - 1
    assert asymmetric(x, bits, None).unique().numel() <= 2**bits


@given(MATRICES)
def test_a_block_has_sixteen_values_and_the_shape_stays(matrix: np.ndarray) -> None:
    for quantize in (symmetric, asymmetric, lopsided):
        found = blockwise(quantize, torch.from_numpy(matrix))
        assert found.shape == matrix.shape
        assert all(found[:32, column].unique().numel() <= 16 for column in range(matrix.shape[1]))


@pytest.mark.parametrize("precision", OWN_CONTROLS)
def test_controls_of_a_precision_differ_and_are_far_from_float32(scales: Scales, precision: str) -> None:
    golden = Trace(scales.out)["logits"]
    runs = {name: run["logits"] for name, run in low_runs(scales.model_folder, precision, *scales.tensors)}
    assert len({run.numpy().tobytes() for run in runs.values()}) >= 3
    for run in runs.values():
        assert run.dtype == torch.float32
        assert 1e-3 < np.abs(run.numpy() - golden).max() < 10


@pytest.mark.parametrize("precision", TYPES)
def test_a_floor_is_at_least_a_quarter_of_the_unit_roundoff_of_its_precision(scales: Scales, precision: str) -> None:
    """The slope of every control can be tiny by chance, and a clean runtime's would then be many floors."""
    profile = profile_of(tap_names(4))
    scales.make_floors(profile, precision)
    floors = scales.floors[profile, precision]
    assert min(local.slope.min() for local, _ in floors.values()) == ROUNDOFFS[precision] / 4


@pytest.mark.parametrize("precision", TYPES)
def test_a_clean_run_is_the_model_in_that_precision(scales: Scales, tmp_path: Path, model, precision: str) -> None:
    run = run_tapped(model.to(TYPES[precision]), *scales.tensors, "eager")
    verdict = verdict_on(scales, tmp_path, precision, run)
    assert (verdict.kind, verdict.precision, verdict.own) == ("reduced precision", precision, True)
    assert f"nowhere more than {verdict.multiple:.2g} x what {precision} alone does" in verdict.sentence
    assert verdict.multiple < 2


@pytest.mark.parametrize("precision", TYPES)
@pytest.mark.parametrize("layer", [0, 3])
@torch.no_grad()
def test_a_fault_of_a_few_floors_is_found_where_it_is(
    scales, tmp_path: Path, model, precision: str, layer: int
) -> None:
    """The fault is smaller than the errors that a precision makes elsewhere, so their size alone hides it."""
    strength = 16 * {"bf16": 2.0**-8, "fp16": 2.0**-11}[precision]
    model.transformer.h[layer].attn.c_proj.weight.mul_(1 + strength)
    verdict = verdict_on(scales, tmp_path, precision, run_tapped(model.to(TYPES[precision]), *scales.tensors, "eager"))
    assert (verdict.kind, verdict.place) == ("different", f"layer {layer}, output projection")
    assert verdict.sentence.startswith(f"{precision}, and different from layer {layer}, output projection on: ")


@pytest.mark.parametrize("precision", QUANTIZATIONS)
def test_a_fault_in_the_attention_of_a_quantized_run_is_found(scales, tmp_path: Path, model, precision: str) -> None:
    def wrong_scale(query, key, value, mask, scale):
        return graph_attention(query, key, value, mask, scale * (1 + 1e-5))

    for attention, kind in ((graph_attention, "reduced precision"), (wrong_scale, "different")):
        with _Quantized(model, QUANTIZATIONS[precision][0]):
            run = run_tapped(model, *scales.tensors, attention)
        verdict = verdict_on(scales, tmp_path / kind, precision, run)
        assert (verdict.kind, verdict.precision) == (kind, precision)
    assert verdict.place == "layer 0, attention"


def test_a_run_that_is_better_than_its_precision_is_rounding(scales: Scales, tmp_path: Path, model) -> None:
    verdict = verdict_on(scales, tmp_path, "bf16", run_tapped(model, *scales.tensors, graph_attention))
    assert (verdict.kind, verdict.own) == ("rounding", False)


def test_logits_alone_are_judged_by_the_precision_too(scales: Scales, tmp_path: Path, model) -> None:
    run = run_tapped(model.to(torch.bfloat16), *scales.tensors, "eager")
    alone = verdict_on(scales, tmp_path / "alone", "bf16", {"logits": run["logits"]})
    assert (alone.kind, alone.weak, alone.own) == ("reduced precision", True, True)
    wrong = verdict_on(scales, tmp_path / "wrong", "bf16", {"logits": run["logits"] * 1.5})
    assert wrong.sentence.startswith("bf16, and different from final norm and head on: logits is ")
