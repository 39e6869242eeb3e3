"""Test what `assert_attention_close` accepts, its messages, and that importing it is fast."""

import numpy as np
import pytest
import torch

from compare import reference_attention
from compare.testing import AttentionMismatch, assert_attention_close
from tests.helpers.imports import loaded_by

pytestmark = pytest.mark.filterwarnings("error")


def qkv(queries: int = 20) -> tuple[np.ndarray, ...]:
    return tuple(np.random.default_rng(0).standard_normal((3, 1, 4, queries, 8), dtype=np.float32))


def context_of(arrays, **how) -> np.ndarray:
    return reference_attention(*arrays, causal=True, **how)[0]


def mismatch(actual, arrays, **how) -> AttentionMismatch:
    with pytest.raises(AttentionMismatch) as caught:
        assert_attention_close(actual, *arrays, causal=True, **how)
    return caught.value


@pytest.mark.parametrize("wrap", [np.asarray, torch.from_numpy])
def test_a_clean_context_passes(wrap) -> None:
    arrays = qkv()
    for how in ({}, {"scale": 0.2}, {"softcap": 2.0}, {"mask": np.tri(20, dtype=bool)}):
        wrapped = how | {name: wrap(x) for name, x in how.items() if name == "mask"}
        assert_attention_close(wrap(context_of(arrays, **how)), *map(wrap, arrays), causal=True, **wrapped)


def test_a_failure_says_how_far_and_where() -> None:
    arrays = qkv()
    context = context_of(arrays)
    context[0, 2, 7:] *= np.float32(1.00001)
    found = mismatch(context, arrays)
    head, *statistics, largest, floor = str(found).splitlines()
    assert found.headline == head
    assert head.startswith("attention is different, not rounding: worst channel ")
    assert head.endswith(" floors, limit 6")
    assert [line[:18].strip() for line in statistics] == ["root mean square", "largest", "worst channel", "slope"]
    assert all(line.endswith("<- beyond") for line in statistics)
    place = max(np.ndindex(context.shape), key=lambda i: abs(context[i] - _golden(arrays)[i]))
    words = "batch {}, head {}, query {}, channel {}".format(*place)
    assert f" at {words}: actual {context[place]:.9g}, golden {_golden(arrays)[place]:.9g}" in largest
    assert floor == "a floor is the largest error of 14 controls, 14 of them distinct"
    assert found.place == words
    assert found.details[1:] == (
        "batch    0 (of 1)",
        "head     2 (of 4)",
        "query    7 to 19 (of 20)",
        *found.details[4:],
    )
    assert found.share == found.multiple / found.limit > 10
    assert found.counted == f"worst channel {found.multiple:.3g} floors, limit 6"


def _golden(arrays) -> np.ndarray:
    return context_of([x.astype(np.float64) for x in arrays])


def test_what_is_within_its_limit_is_not_marked() -> None:
    arrays = qkv()
    context = context_of(arrays)
    context[0, 2, 7, 3] += np.float32(5e-6)
    lines = str(mismatch(context, arrays)).splitlines()
    assert not next(line for line in lines if "slope" in line).endswith("beyond")
    assert next(line for line in lines if "  worst channel" in line).endswith("beyond")


def test_few_positions_have_no_channels() -> None:
    arrays = qkv(queries=5)
    assert "worst channel            – (needs 16 positions)" in str(mismatch(context_of(arrays) + 1, arrays))


def test_an_error_that_is_spread_is_said_to_be() -> None:
    """Every number is slightly too large, but none is beyond the limit by itself."""
    query, key, value = np.random.default_rng(0).standard_normal((3, 4, 4, 64, 8), dtype=np.float32)
    context = _golden((query, key, value)) * (1 + 6e-7)
    found = mismatch(context, (query, key, value))
    assert found.statistic == "slope"
    assert found.details == ("no single number differs by more than the limit of the largest error",)


def test_floors_move_all_limits() -> None:
    arrays = qkv()
    context = context_of(arrays) * np.float32(1 + 1e-5)
    found = mismatch(context, arrays, floors=1.0)
    assert "limit 1 " in str(found)
    assert "limit 4 " in str(found)
    assert_attention_close(context, *arrays, causal=True, floors=1000)
    with pytest.raises(AttentionMismatch):
        assert_attention_close(context_of(arrays), *arrays, causal=True, floors=1e-3)


@pytest.mark.parametrize("floors", [0, -1, float("nan")])
def test_floors_that_cannot_be(floors: float) -> None:
    with pytest.raises(ValueError, match=rf"floors is {floors:g}; it must be above 0 \(default: 2\)"):
        assert_attention_close(context_of(qkv()), *qkv(), floors=floors)


def test_nan_and_shape_say_so() -> None:
    arrays = qkv()
    context = context_of(arrays)
    found = mismatch(np.swapaxes(context, 1, 2), arrays)
    assert str(found).splitlines() == [
        "attention is broken: actual has shape (1, 20, 4, 8), golden has (1, 4, 20, 8)",
        "heads and sequence are swapped: (batch, heads, sequence, head_dim) is expected",
    ]
    assert (found.verdict, found.share, found.counted, found.details) == ("broken", None, "broken", ())
    assert len(str(mismatch(context[:, :1], arrays)).splitlines()) == 1
    context[0, 1, 3] = np.nan
    found = mismatch(context, arrays)
    assert str(found).startswith(
        "attention is broken: 8 of 640 numbers are NaN, golden has none\nthe first is at batch 0"
    )
    assert found.place == "batch 0, head 1, query 3, channel 0"


def test_nan_where_a_query_sees_no_key_names_the_reason() -> None:
    query, key, value = qkv(queries=4)
    mask = np.array([True, True, True, False])[:, None]
    context, _ = reference_attention(query, key, value, mask=mask)
    assert_attention_close(context, query, key, value, mask=mask)
    context[:, :, 3] = np.nan
    with pytest.raises(AttentionMismatch, match="golden has only zeros in that row, because its query sees no"):
        assert_attention_close(context, query, key, value, mask=mask)


def test_an_infinity_has_a_place() -> None:
    arrays = qkv()
    context = context_of(arrays)
    context[0, 1, 2, 3] = np.inf
    assert "largest error inf at batch 0, head 1, query 2, channel 3: actual inf" in str(mismatch(context, arrays))


def test_what_must_be_exact_is_said_to_be() -> None:
    query, key, value = qkv(queries=1)
    assert_attention_close(value, query, key, value)
    with pytest.raises(AttentionMismatch, match="all 14 controls equal golden exactly"):
        assert_attention_close(np.nextafter(value, np.float32(9)), query, key, value)


def test_inputs_in_float64_are_refused() -> None:
    arrays = [x.astype(np.float64) for x in qkv()]
    with pytest.raises(ValueError, match="golden is in float64 too, so it is not more exact"):
        assert_attention_close(context_of(arrays), *arrays)


def test_importing_it_loads_nothing() -> None:
    assert loaded_by("import compare.testing") == []
    assert "torch" in loaded_by(
        "import numpy as np; from compare.testing import *; x = np.ones((1, 1, 1, 1), np.float32)\n"
        "assert_attention_close(x, x, x, x)"
    )
