"""Verdicts from given evidence: the order of judgement, the first place, quantized operators, and limits."""

from dataclasses import replace
from math import inf

import pytest

from compare.numerics.verdicts import judge
from compare.results.gaps import Multiples, TensorEvidence
from compare.results.verdict_limits import LIMITS
from compare.results.verdicts import Verdict
from export.taps import tap_names

NEAR = Multiples(rms=1.0, max=1.0, channel=1.0, slope=1.0)
FAR = Multiples(rms=50.0, max=9.0, channel=3.0, slope=2.0)


@pytest.fixture
def clean() -> dict[str, TensorEvidence]:
    return {name: TensorEvidence(local=NEAR, accumulated=NEAR, relative=1e-7) for name in tap_names(2)}


def test_rounding_names_the_statistic_nearest_to_its_limit(clean) -> None:
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


def test_a_difference_that_no_segment_explains(clean) -> None:
    clean["logits"] = replace(clean["logits"], accumulated=Multiples(rms=7.0, max=2.0, channel=99.0, slope=99.0))
    verdict = judge(clean, bitwise=False)
    assert (verdict.kind, verdict.note) == ("different", "in an untapped place before logits")


def test_without_a_replay_the_accumulated_errors_are_within_their_limits(clean) -> None:
    verdict = judge({name: replace(each, local=None) for name, each in clean.items()}, bitwise=False)
    assert (verdict.kind, verdict.statistic, verdict.multiple) == ("rounding", "rms", 1.0)


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


def test_limits_can_be_replaced(clean) -> None:
    clean["query.1"] = replace(clean["query.1"], local=Multiples(rms=3.0, max=1.0, channel=1.0, slope=1.0))
    assert judge(clean, bitwise=False).kind == "different"
    looser = replace(LIMITS, local=Multiples(rms=4.0, max=inf, channel=inf, slope=inf))
    assert judge(clean, bitwise=False, limits=looser).kind == "rounding"
