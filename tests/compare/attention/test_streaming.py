"""Compare the streaming reference with the full one, on shapes, masks and blocks that hypothesis generates."""

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import given, settings

from compare import reference_attention, streaming_attention
from compare.testing import assert_attention_close

LIBRARIES = {"numpy": np.asarray, "torch": torch.as_tensor}


@pytest.mark.parametrize("library", LIBRARIES)
@settings(max_examples=120)
@given(
    seed=st.integers(0, 2**32),
    queries=st.integers(1, 20),
    keys=st.integers(1, 20),
    group=st.integers(1, 3),
    block=st.integers(1, 9),
    causal=st.booleans(),
    masked=st.sampled_from(["not", "boolean", "added"]),
    softcap=st.sampled_from([0.0, 3.0]),
    magnitude=st.sampled_from([0.1, 1.0, 100.0]),
)
def test_gives_what_the_whole_one_gives(
    library, seed, queries, keys, group, block, causal, masked, softcap, magnitude
) -> None:
    """Inputs include rows that see no key, and more queries than keys."""
    random = np.random.default_rng(seed)
    query = magnitude * random.standard_normal((2, 2 * group, queries, 4))
    key, value = (random.standard_normal((2, 2, keys, size)) for size in (4, 5))
    seen = random.random((2, 1, queries, keys)) < 0.6
    wrap = LIBRARIES[library]
    masks = {
        "not": None,
        "boolean": wrap(seen),
        "added": wrap(np.where(seen, random.standard_normal(seen.shape), -np.inf)),
    }
    arrays, how = [wrap(x) for x in (query, key, value)], {"mask": masks[masked], "causal": causal, "softcap": softcap}
    whole, _ = reference_attention(*arrays, **how)
    streamed = streaming_attention(*arrays, **how, block=block)
    assert type(streamed) is type(whole)
    assert streamed.shape == whole.shape
    np.testing.assert_allclose(np.asarray(streamed), np.asarray(whole), atol=1e-12)


@pytest.mark.parametrize("library", LIBRARIES)
@settings(max_examples=15)
@given(
    seed=st.integers(0, 2**32), keys=st.integers(1, 40), block=st.integers(1, 9), magnitude=st.sampled_from([1.0, 9.0])
)
def test_float32_is_off_by_rounding_alone(library, seed, keys, block, magnitude) -> None:
    """There are more blocks than in the controls, so rescaling between blocks must not lose accuracy."""
    random = np.random.default_rng(seed)
    query = magnitude * random.standard_normal((2, 4, 20, 8))
    key, value = (random.standard_normal((2, 2, keys, 8)) for _ in range(2))
    arrays = [LIBRARIES[library](x.astype(np.float32)) for x in (query, key, value)]
    for causal in (False, True):
        assert_attention_close(streaming_attention(*arrays, causal=causal, block=block), *arrays, causal=causal)


def test_blocks_that_causality_hides_are_never_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    from compare.attention.streaming import _Rows

    computed = []
    add = _Rows.add
    monkeypatch.setattr(
        _Rows, "add", lambda self, scores, value: (computed.append(scores.shape[-1]), add(self, scores, value))
    )
    x = np.ones((1, 1, 64, 4))
    streaming_attention(x, x, x, causal=True, block=16)
    assert computed == [16] * (1 + 2 + 3 + 4)
    computed.clear()
    streaming_attention(x, x, x, block=16)
    assert computed == [16] * 16


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("library", LIBRARIES)
def test_precision_is_kept(library: str, dtype: str) -> None:
    x = LIBRARIES[library](np.ones((1, 2, 3, 4), dtype=dtype))
    assert str(streaming_attention(x, x, x, causal=True).dtype).endswith(dtype)


def test_its_memory_grows_with_the_sequence_and_not_with_its_square() -> None:
    """For four times the length, NumPy allocates 4 times as much in addition to the inputs, not 16 times."""
    import tracemalloc

    def peak(length: int) -> int:
        x = np.ones((1, 2, length, 8), np.float32)
        tracemalloc.start()
        streaming_attention(x, x, x, causal=True, block=64)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    assert peak(4096) < 5 * peak(1024)


def test_a_block_below_one() -> None:
    x = np.ones((1, 1, 2, 4))
    with pytest.raises(ValueError, match="block is 0; it must be at least 1"):
        streaming_attention(x, x, x, block=0)
