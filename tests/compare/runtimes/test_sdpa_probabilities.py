"""The probabilities of torch-sdpa: reading them changes nothing, and a verdict with them is right."""

from pathlib import Path

import pytest
import torch
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from compare.numerics.replay import profile_of
from compare.numerics.verdicts import judge
from compare.numerics.weigher import Scales
from compare.results.gaps import evidence_of
from compare.results.precisions import FLOAT32
from compare.results.verdicts import Verdict
from compare.runtimes import sdpa_probabilities
from compare.runtimes.sdpa_probabilities import sdpa_with_probabilities
from compare.runtimes.torch_runtimes import TorchSdpa
from compare.traces import Trace, write_trace
from export.models import load
from export.sources import find
from export.taps import run_tapped, tap_names


@pytest.mark.parametrize("padded", [False, True])
@pytest.mark.parametrize("model_type", ["gpt2", "llama"])
def test_reading_them_changes_no_other_tensor(tiny_saved, ids_and_mask, model_type: str, padded: bool) -> None:
    """Without padding, sdpa gets no mask but is causal. Llama has grouped heads."""
    folder, (ids, mask) = tiny_saved(model_type), ids_and_mask
    mask = mask if padded else mask | 1
    runtime = TorchSdpa(folder, threads=1, graph="inspect")
    own = run_tapped(runtime.model, *map(torch.from_numpy, (ids, mask)), "sdpa", probabilities=False)
    found = runtime.run(ids, mask)
    assert list(found) == tap_names(2)
    assert all(torch.equal(torch.from_numpy(found[name]), tensor) for name, tensor in own.items())
    deployed = TorchSdpa(folder, threads=1, graph="deploy").run(ids, mask)
    assert torch.equal(*(torch.from_numpy(run["logits"]) for run in (found, deployed)))


def test_another_kernel_for_the_identity_is_an_error(tiny_saved, ids_and_mask, monkeypatch: pytest.MonkeyPatch) -> None:
    """The flash kernel does not take values whose last axis is not contiguous."""
    own = ALL_ATTENTION_FUNCTIONS["sdpa"]
    monkeypatch.setattr(
        sdpa_probabilities, "probabilities_by_identity", lambda attend, value: attend(value.mT.contiguous().mT)
    )
    with pytest.raises(
        RuntimeError,
        match=r"^torch used aten\._scaled_dot_product_flash_attention_for_cpu\.default for the model's values, but no "
        r"fused kernel for those that give the probabilities$",
    ):
        TorchSdpa(tiny_saved("gpt2"), threads=1, graph="inspect").run(*ids_and_mask)
    assert ALL_ATTENTION_FUNCTIONS["sdpa"] is own


def traced(scales: Scales, folder: Path) -> dict[str, torch.Tensor]:
    """Write the trace of byte-gpt2 with sdpa and its probabilities, and return its tensors."""
    with sdpa_with_probabilities():
        run = run_tapped(load(find("byte-gpt2")).model, *scales.tensors, "sdpa")
    write_trace(folder, {name: tensor.numpy() for name, tensor in run.items()})
    return run


def verdict_on(scales: Scales, folder: Path) -> Verdict:
    return judge(evidence_of(scales.weigh(Trace(folder)).values()), bitwise=False)


def test_a_clean_run_is_rounding(scales: Scales, tmp_path: Path) -> None:
    """The context equals the probabilities times the values to within the floor, which is what rounding does."""
    run = traced(scales, tmp_path)
    assert verdict_on(scales, tmp_path).kind == "rounding"
    floors = scales.floors[profile_of(run), FLOAT32]
    for i in range(4):
        implied = run[f"attention.{i}"].double() @ run[f"value.{i}"].double()
        assert (implied - run[f"context.{i}"]).abs().max().item() <= floors[f"context.{i}"][0].max.item()


def test_a_fault_in_sdpa_is_found_in_its_layer(scales, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = ALL_ATTENTION_FUNCTIONS["sdpa"]

    def flatter(module, *args, scaling=None, **kwargs):
        scale = args[0].shape[-1] ** -0.5 if scaling is None else scaling
        return own(module, *args, scaling=scale * (1 - 1e-4 * (module.layer_idx == 2)), **kwargs)

    monkeypatch.setitem(ALL_ATTENTION_FUNCTIONS, "sdpa", flatter)
    traced(scales, tmp_path)
    verdict = verdict_on(scales, tmp_path)
    assert (verdict.kind, verdict.place, verdict.tensor) == ("different", "layer 2, attention", "attention.2")
