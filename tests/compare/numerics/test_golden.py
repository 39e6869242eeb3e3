"""Test that the ruler holds for every architecture, and fails if the reference is not the model's attention."""

import numpy as np
import pytest
import torch

from compare.numerics.golden import RULER_LIMIT, float64_runs, ruler_of
from compare.results.circumstances import Ruler
from export.taps import run_tapped, tap_names
from tests.helpers.tiny import USUAL


def arrays(run):
    return {name: tensor.numpy() for name, tensor in run.items()}


@pytest.mark.parametrize("model_type", USUAL)
@pytest.mark.parametrize("seed", [0, 1])
def test_the_ruler_holds(tiny, ids_and_mask, model_type: str, seed: int) -> None:
    _, mask = ids_and_mask
    runs = [arrays(run) for run in float64_runs(tiny(model_type, seed).double(), *map(torch.from_numpy, ids_and_mask))]
    assert list(runs[0]) == tap_names(2)
    assert {tensor.dtype for tensor in runs[0].values()} == {np.dtype("float64")}
    ruler = ruler_of(*runs, mask)
    assert 0 < ruler.worst <= RULER_LIMIT
    assert ruler.holds


@pytest.mark.parametrize("model_type", ["llama", "qwen3"])
def test_without_the_mode_the_ruler_is_spoiled_by_casts(tiny, ids_and_mask, model_type: str) -> None:
    """These models cast to float32 internally, so without the mode, `.double()` does not give a float64 model."""
    model = tiny(model_type).double()
    golden, _ = float64_runs(model, *map(torch.from_numpy, ids_and_mask))
    plain = run_tapped(model, *map(torch.from_numpy, ids_and_mask), "eager")
    assert ruler_of(arrays(golden), arrays(plain), ids_and_mask[1]).worst > 1e-9


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("attention.0", lambda x: x * (1 + 1e-9)),
        ("logits", lambda x: x + 1e-9),
        ("value.1", lambda x: np.flip(x, axis=1)),
        ("mid_state.1", lambda x: x * np.nan),
    ],
)
def test_the_ruler_breaks_and_names_the_tensor(tiny, ids_and_mask, name: str, change) -> None:
    golden, eager = (arrays(run) for run in float64_runs(tiny().double(), *map(torch.from_numpy, ids_and_mask)))
    eager[name] = change(eager[name])
    ruler = ruler_of(golden, eager, ids_and_mask[1])
    assert not ruler.holds
    assert ruler.tensor == name


def test_padding_does_not_break_the_ruler(tiny, ids_and_mask) -> None:
    """A padding query sees keys in eager attention and none in the reference, so it is left out, but its key is not."""
    golden, eager = (arrays(run) for run in float64_runs(tiny().double(), *map(torch.from_numpy, ids_and_mask)))
    eager["context.0"][1, :, 9:] = 7.0
    assert ruler_of(golden, eager, ids_and_mask[1]).holds
    eager["context.0"][1, :, 8] = 7.0
    assert not ruler_of(golden, eager, ids_and_mask[1]).holds


def test_the_ruler_reads_as_a_sentence() -> None:
    ruler = Ruler(worst=2.34e-15, tensor="logits", limit=RULER_LIMIT)
    assert str(ruler) == "golden agrees with transformers' eager attention in float64: 2e-15"
