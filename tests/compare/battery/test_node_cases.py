"""Test that node cases are passed between processes, mapped onto plain attention, and scored."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from compare.battery import runner
from compare.battery.cases import cases_named
from compare.battery.inputs import Inputs, added, one_mask
from compare.battery.kernels.numpy_attention import Reference, Streaming
from compare.battery.kernels.registry import kernels_named
from compare.battery.node_cases import load_node_cases, mismatch, read_node_case, through_attend, write_node_cases
from compare.battery.runner import run_battery
from compare.battery.unsupported import Unsupported

CASES = load_node_cases()


def test_all_186_are_there() -> None:
    assert len(CASES) == 186
    assert sum(case.expanded for case in CASES.values()) == 93


@pytest.mark.parametrize("name", ["attention_4d", "attention_4d_causal_bf16", "attention_3d_gqa_expanded"])
def test_a_case_is_the_same_on_the_other_side(name: str, tmp_path: Path) -> None:
    case = CASES[name]
    write_node_cases(tmp_path, [case])
    read = read_node_case(tmp_path, name)
    assert read.model == case.model
    assert (read.rtol, read.atol) == (case.rtol, case.atol)
    for ours, theirs in zip(read.inputs + read.outputs, case.inputs + case.outputs, strict=True):
        assert ours.dtype == theirs.dtype
        np.testing.assert_array_equal(ours, theirs)


def test_a_wrong_output_is_described() -> None:
    case = CASES["attention_4d"]
    (truth,) = case.outputs
    assert mismatch([truth], case) is None
    assert mismatch([truth + np.float32(0.5)], case) == "Y is off by up to 5.0e-01"
    assert mismatch([], case) == "0 outputs, expected 1"
    assert mismatch([truth.astype(np.float64)], case) == (f"Y is float64 {truth.shape}, expected float32 {truth.shape}")
    assert mismatch([truth * np.float32(np.nan)], case) == "Y has NaN or inf in other places than expected"


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("attention_4d_expanded", "expanded graphs"),
        ("attention_4d_with_past_and_present", "a cache"),
        ("attention_4d_with_qk_matmul", "more outputs than the context"),
        ("attention_4d_diff_heads_mask4d_padded_kv", "padded lengths"),
    ],
)
def test_cases_of_more_than_attention_are_not_run(name: str, reason: str) -> None:
    with pytest.raises(Unsupported, match=f"^{reason}$"):
        through_attend(CASES[name], Reference(threads=1).attend)


@pytest.mark.parametrize(
    "name", ["attention_4d_causal", "attention_3d_gqa_causal", "attention_4d_attn_mask_bool", "attention_4d_softcap"]
)
def test_plain_attention_passes_what_maps_onto_it(name: str) -> None:
    case = CASES[name]
    assert mismatch(through_attend(case, Streaming(threads=1).attend), case) is None
    assert mismatch(through_attend(case, lambda inputs: Streaming(threads=1).attend(replace(inputs, scale=0.0))), case)


def test_a_kernel_is_scored_on_the_cases_that_it_supports(monkeypatch: pytest.MonkeyPatch) -> None:
    few = ("attention_4d", "attention_4d_expanded", "attention_4d_gqa", "attention_4d_softcap", "attention_4d_causal")
    monkeypatch.setattr(runner, "load_node_cases", lambda: {name: CASES[name] for name in few})
    kernels = kernels_named(["onnx-reference", "onnxruntime-mha"])
    every, some = run_battery(kernels, cases_named(["one-token"]), threads=1).kernels
    assert every.nodes is not None and some.nodes is not None
    assert (every.nodes.passed, every.nodes.asked, every.nodes.not_asked) == (5, 5, {})
    assert (some.nodes.passed, some.nodes.asked) == (2, 2)
    assert some.nodes.not_asked == {"expanded graphs": 1, "no grouped heads": 1, "no soft cap": 1}


def test_causality_and_a_mask_are_one_mask() -> None:
    x = np.zeros((1, 1, 2, 4), np.float32)
    longer = np.zeros((1, 1, 3, 4), np.float32)
    hides = np.array([[True, False, True], [False, True, True]])
    causal = Inputs(x, longer, longer, causal=True)
    assert causal.past == 1
    seen = one_mask(replace(causal, mask=hides))
    assert seen is not None
    assert seen.tolist() == [[True, False, False], [False, True, True]]
    assert one_mask(replace(causal, causal=False)) is None
    number = one_mask(replace(causal, mask=added(hides)))
    assert number is not None
    np.testing.assert_array_equal(number, added(seen))
    assert number.dtype == np.float32
