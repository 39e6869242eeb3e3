"""Tests of verdicts: the order of checks, the first place, and the place of planted faults."""

import copy
from dataclasses import replace
from math import inf
from pathlib import Path

import pytest
import torch
from torch.nn import functional

from compare.numerics.verdicts import LIMITS, judge
from compare.numerics.weigher import Scales
from compare.results.gaps import Multiples, TensorEvidence, evidence_of
from compare.results.verdicts import Verdict
from compare.traces import Trace, write_trace
from export.models import load
from export.sources import find
from export.taps import graph_attention, run_tapped, tap_names

NEAR = Multiples(rms=1.0, max=1.0, channel=1.0, slope=1.0)
FAR = Multiples(rms=50.0, max=9.0, channel=3.0, slope=2.0)


@pytest.fixture
def clean() -> dict[str, TensorEvidence]:
    return {name: TensorEvidence(local=NEAR, accumulated=NEAR, relative=1e-7) for name in tap_names(2)}


def test_rounding_names_what_came_nearest_to_its_limit(clean) -> None:
    clean["context.1"] = replace(clean["context.1"], local=Multiples(rms=1.0, max=3.0, channel=1.0, slope=1.0))
    verdict = judge(clean, bitwise=False)
    assert (verdict.kind, verdict.tensor, verdict.statistic, verdict.multiple) == (
        "rounding",
        "context.1",
        "max",
        3.0,
    )


def test_the_first_tensor_beyond_a_limit_is_named_and_not_the_worst(clean) -> None:
    clean["mid_state.0"] = replace(clean["mid_state.0"], local=FAR)
    clean["logits"] = replace(clean["logits"], local=Multiples(rms=1e6, max=1e6, channel=1e6, slope=1e6))
    verdict = judge(clean, bitwise=False)
    assert (verdict.kind, verdict.tensor, verdict.place) == (
        "different",
        "mid_state.0",
        "layer 0, output projection",
    )
    assert (verdict.statistic, verdict.multiple) == ("rms", 50.0)


def test_order_of_judgement(clean) -> None:
    different = {**clean, "query.0": replace(clean["query.0"], local=FAR)}
    assert judge(different, bitwise=True).kind == "identical"
    broken = {**different, "value.1": replace(clean["value.1"], nan=True)}
    place, note = "layer 1, norm and projections to query, key, value", "value.1 has NaN where golden has none"
    assert judge(broken, bitwise=True) == Verdict(kind="broken", tensor="value.1", place=place, note=note)


def test_a_look_ahead_is_a_difference(clean) -> None:
    clean["attention.1"] = replace(clean["attention.1"], above=1e-3)
    assert judge(clean, bitwise=False).note == "a probability of 1.0e-03 above the causal diagonal"


def test_a_difference_that_no_segment_shows(clean) -> None:
    clean["logits"] = replace(clean["logits"], accumulated=Multiples(rms=7.0, max=2.0, channel=99.0, slope=99.0))
    verdict = judge(clean, bitwise=False)
    assert (verdict.kind, verdict.note) == ("different", "in an untapped place before logits")


def test_logits_alone_are_a_weak_test(clean) -> None:
    assert judge({"logits": clean["logits"]}, bitwise=False).weak
    far = replace(clean["logits"], accumulated=Multiples(rms=4.5, max=1.0, channel=0.0, slope=0.0))
    assert judge({"logits": far}, bitwise=False).kind == "different"


def test_one_segment_in_a_lower_precision_is_a_difference_that_looks_like_it(clean) -> None:
    clean["hidden_state.2"] = replace(clean["hidden_state.2"], local=FAR, relative=0.6 * 2.0**-8)
    verdict = judge(clean, bitwise=False)
    assert (verdict.kind, verdict.precision) == ("different", "bf16")
    assert verdict.note == "looks like bf16 in layer 1, norm and MLP"


@pytest.fixture
def quantized(clean) -> dict[str, TensorEvidence]:
    """Return evidence as from a graph with eight-bit integers: large errors in all linear maps, none in attention."""
    coarse = {name: found for name, found in clean.items() if not name.startswith(("attention", "context"))}
    return clean | {name: replace(found, local=FAR, accumulated=FAR, relative=0.05) for name, found in coarse.items()}


def test_quantized_operators_are_cited(quantized) -> None:
    verdict = judge(quantized, bitwise=False, quantized=["MatMulInteger"])
    assert (verdict.kind, verdict.precision, verdict.tensor) == ("reduced precision", "quantized", "hidden_state.0")
    assert verdict.note == "inferred from the graph's operators (MatMulInteger), not from its values"
    assert judge(quantized, bitwise=False).kind == "different", "nothing but the operators tells"


@pytest.mark.parametrize(
    ("tensor", "relative"), [("attention.1", 0.01), ("context.0", 1e-6), ("mid_state.1", 0.3), ("logits", 0.9)]
)
def test_quantized_operators_are_no_excuse_for_a_fault(quantized, tensor: str, relative: float) -> None:
    """The faults are one in attention, which has no linear map, and one larger than quantization can explain."""
    quantized[tensor] = replace(quantized[tensor], local=FAR, relative=relative)
    verdict = judge(quantized, bitwise=False, quantized=["MatMulInteger"])
    assert (verdict.kind, verdict.tensor) == ("different", tensor)
    assert verdict.note.endswith("the graph's operators (MatMulInteger) are quantized, which may be why")


def test_attention_from_hidden_projections_is_excused_and_one_segment_alone_is_not(quantized, clean) -> None:
    fewer = {name: found for name, found in quantized.items() if not name.startswith(("query", "key", "value"))}
    fewer["attention.0"] = replace(fewer["attention.0"], local=FAR, relative=0.1)
    assert judge(fewer, bitwise=False, quantized=["MatMulInteger"]).kind == "reduced precision"
    clean["mid_state.0"] = quantized["mid_state.0"]
    assert judge(clean, bitwise=False, quantized=["MatMulInteger"]).kind == "different"


def test_quantized_operators_leave_other_verdicts_alone(clean) -> None:
    assert judge(clean, bitwise=False, quantized=["MatMulInteger"]) == judge(clean, bitwise=False)
    broken = clean | {"value.1": replace(clean["value.1"], nan=True)}
    assert judge(broken, bitwise=False, quantized=["MatMulInteger"]).kind == "broken"


def test_limits_are_data(clean) -> None:
    clean["query.1"] = replace(clean["query.1"], local=Multiples(rms=3.0, max=1.0, channel=1.0, slope=1.0))
    assert judge(clean, bitwise=False).kind == "different"
    looser = replace(LIMITS, local=Multiples(rms=4.0, max=inf, channel=inf, slope=inf))
    assert judge(clean, bitwise=False, limits=looser).kind == "rounding"


def verdict_on(scales: Scales, folder: Path, model, attention=graph_attention) -> Verdict:
    run = run_tapped(model, *scales.tensors, attention)
    write_trace(folder, {name: tensor.float().numpy() for name, tensor in run.items()})
    return judge(evidence_of(scales.weigh(Trace(folder)).values()), bitwise=False)


@pytest.fixture
def model():
    return copy.deepcopy(load(find("byte-gpt2")).model)


@pytest.mark.parametrize("attention", ["eager", "sdpa", graph_attention])
def test_a_clean_run_is_rounding(scales: Scales, tmp_path: Path, model, attention) -> None:
    taps = run_tapped(model, *scales.tensors, attention, probabilities=attention != "sdpa")
    write_trace(tmp_path, {name: tensor.numpy() for name, tensor in taps.items()})
    assert judge(evidence_of(scales.weigh(Trace(tmp_path)).values()), bitwise=False).kind == "rounding"


@pytest.mark.parametrize(("dtype", "precision"), [(torch.bfloat16, "bf16"), (torch.float16, "fp16")])
def test_lower_precision_is_named_from_the_numbers(scales, tmp_path: Path, model, dtype, precision: str) -> None:
    verdict = verdict_on(scales, tmp_path, model.to(dtype), "eager")
    assert (verdict.kind, verdict.precision) == ("reduced precision", precision)


def scaled(matrix: str, by: float):
    def plant(model, layer: int) -> None:
        model.transformer.h[layer].get_parameter(matrix).mul_(by)

    return plant


def row_zeroed(model, layer: int) -> None:
    model.transformer.h[layer].mlp.c_fc.weight[:, 17] = 0


def one_sign_flipped(model, layer: int) -> None:
    model.transformer.h[layer].attn.c_attn.weight[5, 7] *= -1


def heads_swapped(model, layer: int) -> None:
    weight = model.transformer.h[layer].attn.c_proj.weight
    weight[:128] = weight[:128].clone().roll(64, 0)


def key_and_value_swapped(model, layer: int) -> None:
    attention = model.transformer.h[layer].attn.c_attn
    for parameter in (attention.weight, attention.bias):
        _, key, value = parameter.clone().chunk(3, dim=-1)
        parameter[..., 192:] = torch.cat([value, key], dim=-1)


def epsilon(model, layer: int) -> None:
    model.transformer.h[layer].ln_2.eps = 1e-3


def gelu_by_erf(model, layer: int) -> None:
    model.transformer.h[layer].mlp.act.forward = functional.gelu


PROJECTIONS = "norm and projections to query, key, value"


@pytest.mark.parametrize("layer", [0, 3])
@pytest.mark.parametrize(
    ("plant", "segment"),
    [
        (scaled("attn.c_attn.weight", 1.01), PROJECTIONS),
        (scaled("attn.c_attn.bias", 0.0), PROJECTIONS),
        (scaled("attn.c_proj.bias", 0.0), "output projection"),
        (scaled("mlp.c_proj.weight", 1 + 1e-5), "norm and MLP"),
        (row_zeroed, "norm and MLP"),
        (one_sign_flipped, PROJECTIONS),
        (heads_swapped, "output projection"),
        (key_and_value_swapped, PROJECTIONS),
        (epsilon, "norm and MLP"),
        (gelu_by_erf, "norm and MLP"),
    ],
)
@torch.no_grad()
def test_a_fault_in_a_weight_is_found_in_its_layer(scales, tmp_path: Path, model, plant, segment: str, layer) -> None:
    plant(model, layer)
    verdict = verdict_on(scales, tmp_path, model)
    assert (verdict.kind, verdict.place) == ("different", f"layer {layer}, {segment}")


def wrong_scale(query, key, value, mask, scale):
    return graph_attention(query, key, value, mask, scale * 1.01)


def no_mask(query, key, value, mask, scale):
    return graph_attention(query, key, value, torch.ones_like(mask), scale)


def shifted_mask(query, key, value, mask, scale):
    """Hide one more key from every query except the first."""
    return graph_attention(query, key, value, torch.cat([mask[..., :1, :], mask[..., :-1, :]], dim=-2), scale)


def softmax_over_queries(query, key, value, mask, scale):
    scores = torch.where(mask, (query @ key.transpose(-1, -2)) * scale, -1e9)
    attention = torch.where(mask, torch.softmax(scores, dim=-2), 0.0)
    return attention @ value, attention


def softmax_through_fp16(query, key, value, mask, scale):
    _, attention = graph_attention(query, key, value, mask, scale)
    attention = attention.half().float()
    return attention @ value, attention


@pytest.mark.parametrize(
    "attention",
    [wrong_scale, no_mask, shifted_mask, softmax_over_queries, softmax_through_fp16],
    ids=lambda f: f.__name__,
)
@torch.no_grad()
def test_a_fault_in_the_attention_is_found_there(scales, tmp_path: Path, model, attention) -> None:
    verdict = verdict_on(scales, tmp_path, model, attention)
    assert (verdict.kind, verdict.place) == ("different", "layer 0, attention")


@torch.no_grad()
def test_faults_outside_the_layers(scales, tmp_path: Path, model) -> None:
    positions = model.transformer.wpe.weight
    before = positions.clone()
    positions[:] = positions.roll(1, 0)
    assert verdict_on(scales, tmp_path / "positions", model).place == "embedding"
    positions[:] = before
    model.transformer.ln_f.weight.fill_(1.0)
    assert verdict_on(scales, tmp_path / "final norm", model).place == "final norm and head"
