"""Test that the warm-up covers the functions that torch computes with oneMKL, and that controls are repeatable."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from compare.numerics import first_calls
from compare.numerics import weigher as scales_module
from compare.numerics.controls import Control, control_runs
from compare.numerics.first_calls import FUNCTIONS, PRECISIONS, warm_up
from compare.numerics.golden import float64_runs
from compare.numerics.replay import profile_of
from compare.numerics.single_attention.scale import attention_scale
from compare.numerics.weigher import NotRepeatable, Scales
from compare.traces import write_trace
from export.taps import tap_names
from tests.helpers.tiny import USUAL

#: Functions as torch names them, by the operators that call them inside.
CALLED_BY = {"logsumexp": ("exp", "log"), "pow": ("sqrt",)}


class Recorded(TorchDispatchMode):
    """Context manager that records which operators are called on which tensors."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[str, torch.Tensor]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if args and isinstance(args[0], torch.Tensor):
            self.calls.append((func.overloadpacket.__name__.removesuffix("_"), args[0]))
        return func(*args, **kwargs or {})

    @property
    def functions(self) -> set[tuple[str, torch.dtype]]:
        """The functions that were called, with their precisions, including those inside other operators."""
        return {
            (function, tensor.dtype)
            for name, tensor in self.calls
            for function in CALLED_BY.get(name, (name,))
            if tensor.is_floating_point()
        }


@pytest.fixture
def cold(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reset the state to that of a process that has not called `warm_up`."""
    first_calls._call_each.cache_clear()


def handed_to_mkl() -> set[str]:
    """Return the functions that the installed torch computes with oneMKL, as listed in its header."""
    header = Path(torch.__file__).parent / "include" / "ATen" / "cpu" / "vml.h"
    return set(re.findall(r"^IMPLEMENT_VML_MKL\((\w+),", header.read_text(), re.MULTILINE))


def test_all_that_the_installed_torch_hands_to_onemkl_is_warmed_up() -> None:
    assert {"exp", "tanh"} <= handed_to_mkl() <= set(FUNCTIONS)


def test_the_warm_up_calls_each_function_on_one_element_once_a_process(cold: None) -> None:
    with Recorded() as recorded:
        warm_up()
    assert recorded.functions >= {(name, precision) for name in FUNCTIONS for precision in PRECISIONS}
    assert {tensor.numel() for _, tensor in recorded.calls} == {1}
    with Recorded() as recorded:
        warm_up()
    assert recorded.calls == []


@pytest.mark.parametrize("model_type", USUAL)
def test_what_golden_and_controls_call_is_warmed_up(tiny: Any, ids_and_mask: Any, model_type: str) -> None:
    """All functions of oneMKL that five architectures call are on the list, in float64 and in float32."""
    ids, mask = map(torch.from_numpy, ids_and_mask)
    with Recorded() as recorded:
        float64_runs(tiny(model_type).double(), ids, mask)
        list(control_runs(tiny(model_type), ids, mask))
    called = {(name, precision) for name, precision in recorded.functions if name in handed_to_mkl()}
    assert {("exp", torch.float32), ("exp", torch.float64)} <= called, "the recording sees what is called"
    assert called <= {(name, precision) for name in FUNCTIONS for precision in PRECISIONS}


def test_scales_are_warmed_up_before_they_compute(cold: None, entry: Any, tmp_path: Path) -> None:
    ids = np.arange(8)[None]
    write_trace(tmp_path / "inputs", {"input_ids": ids, "attention_mask": np.ones_like(ids)})
    with Recorded() as recorded:
        Scales(entry.folder, tmp_path / "inputs", tmp_path / "golden").make_golden()
    assert [tensor.numel() for name, tensor in recorded.calls if name in FUNCTIONS][: len(FUNCTIONS)] == [1] * 16
    assert max(tensor.numel() for name, tensor in recorded.calls if name in FUNCTIONS) > 1


def test_a_single_attention_is_warmed_up_before_it_is_computed(cold: None) -> None:
    x = np.random.default_rng(0).standard_normal((1, 1, 4, 8), dtype=np.float32)
    with Recorded() as recorded:
        attention_scale(x, x, x)
    assert [tensor.numel() for _, tensor in recorded.calls][:32] == [1] * 32


def test_floors_are_not_made_from_a_control_that_gives_two_results(
    entry: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first pass is off in one head, as if a low-accuracy exponential had been used."""
    ids = np.arange(20)[None]
    write_trace(tmp_path / "inputs", {"input_ids": ids, "attention_mask": np.ones_like(ids)})
    scales = Scales(entry.folder, tmp_path / "inputs", tmp_path / "golden", kept=tmp_path / "kept")
    scales.make_golden()

    def off_at_first(model: Any, ids: Any, mask: Any, controls: list[Control]) -> Any:
        for place, (name, run) in enumerate(control_runs(model, ids, mask, controls)):
            if place == 0:
                run["attention.1"][:, 2] *= 1 + 1.5e-4
            yield name, run

    kept = list((tmp_path / "kept").iterdir())
    monkeypatch.setattr(scales_module, "control_runs", off_at_first)
    why = r"two passes of the control 'plain' differ, first in attention\.1, by up to 1\.5e-04; no floors .* report"
    with pytest.raises(NotRepeatable, match=why):
        scales.make_floors(profile_of(tap_names(2)))
    assert list((tmp_path / "kept").iterdir()) == kept
    monkeypatch.setattr(scales_module, "control_runs", control_runs)
    names, _ = scales.make_floors(profile_of(tap_names(2)))
    assert len(names) == len(set(names)) == 8
