"""Verdicts on runs of byte-gpt2: rounding without a fault, and with one the place where it was planted."""

import copy
from pathlib import Path

import pytest
import torch
from torch.nn import functional

from compare.numerics.verdicts import judge
from compare.numerics.weigher import Scales
from compare.results.gaps import evidence_of
from compare.results.verdicts import Verdict
from compare.traces import Trace, write_trace
from export.attention import graph_attention
from export.models import load
from export.sources import find
from export.taps import run_tapped


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
