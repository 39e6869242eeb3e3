"""Tests of the four functions of the course."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from compare import adapt_dimensions, compare_attention_implementations, load_mini_transformer
from export.cache import Entry
from export.errors import CannotRun


@pytest.mark.parametrize("wrap", [np.asarray, torch.as_tensor], ids=["numpy", "torch"])
@given(batch=st.integers(1, 3), sequence=st.integers(0, 9), heads=st.integers(1, 12), size=st.integers(1, 64))
def test_dimensions_go_there_and_back_exactly(wrap, batch: int, sequence: int, heads: int, size: int) -> None:
    x = np.arange(batch * sequence * heads * size, dtype=np.float32).reshape(batch, sequence, heads * size)
    split = adapt_dimensions(wrap(x), heads)
    assert tuple(split.shape) == (batch, heads, sequence, size)
    np.testing.assert_array_equal(np.asarray(adapt_dimensions(split)), x)
    for head in range(heads):
        np.testing.assert_array_equal(np.asarray(split)[:, head], x[:, :, head * size : (head + 1) * size])


@pytest.mark.parametrize(
    ("shape", "heads", "message"),
    [
        (
            (1, 5, 768),
            7,
            r"shape \(1, 5, 768\) cannot be split into 7 heads: expected \(batch, sequence, a multiple of 7\)",
        ),
        ((5, 768), 12, r"shape \(5, 768\) cannot be split into 12 heads"),
        ((1, 5, 768), 0, "cannot be split into 0 heads"),
        ((1, 5, 768), None, r"shape \(1, 5, 768\) is not \(batch, heads, sequence, head_dim\); to split, give heads="),
    ],
)
def test_dimensions_that_do_not_fit(shape, heads, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        adapt_dimensions(np.zeros(shape), heads)


def test_loading_goes_through_the_cache(entry: Entry, tiny_folder: Path) -> None:
    model, tokenizer, provenance = load_mini_transformer(str(tiny_folder))
    assert provenance == entry.manifest.source
    assert tokenizer("A")["input_ids"] == [32]
    assert model.config.n_layer == 2


def test_a_name_never_falls_back_unless_it_is_told_to(tmp_path: Path) -> None:
    with pytest.raises(CannotRun, match="'distilbert/distilgpt2' cannot be loaded"):
        load_mini_transformer(offline=True, cache_dir=tmp_path)


def test_what_was_loaded_can_be_compared(tiny_folder: Path, tmp_path: Path) -> None:
    loaded = load_mini_transformer(str(tiny_folder))
    out = tmp_path / "out"
    report = compare_attention_implementations(loaded, "Hello", ["onnxruntime"], latency=False, out=out)
    assert report.folder == out
    assert report.model.provenance == loaded.provenance.label
    assert [runtime.name for runtime in report.runtimes] == ["torch-eager", "onnxruntime"]
