"""The hard inputs: each case is a function that makes query, key and value, with a one-line summary.

Most cases are small, because 48 positions are enough for every statistic. `long` gives several blocks to kernels that
compute in blocks.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import numpy as np
from numpy.random import Generator

from compare.battery.inputs import Array, Inputs
from export.errors import BadInput, near


@dataclass(frozen=True)
class Case:
    """A case: its name, its summary, and `make`, which returns the same inputs for the same generator state."""

    name: str
    summary: str
    make: Callable[[Generator], Inputs]


#: All cases by name, in display order.
CASES: dict[str, Case] = {}


def make_inputs(name: str, seed: int = 0) -> Inputs:
    """Return the inputs of a case in float32, the same in every process. Raises `BadInput` if the name is unknown.

    >>> make_inputs("one-token").query.shape
    (2, 4, 1, 32)
    """
    (case,) = cases_named([name])
    return case.make(np.random.default_rng([seed, *name.encode()]))


def cases_named(names: Iterable[str]) -> list[Case]:
    """Return the cases with these names. Raises `BadInput` with near matches if a name is unknown."""
    for name in names:
        if name not in CASES:
            raise BadInput(f"unknown case {name!r}; {near(name, CASES)}; python -m compare battery --list lists them")
    return [CASES[name] for name in names]


def _case(name: str, summary: str) -> Callable[[Callable[[Generator], Inputs]], Callable[[Generator], Inputs]]:
    def register(make: Callable[[Generator], Inputs]) -> Callable[[Generator], Inputs]:
        CASES[name] = Case(name, summary, make)
        return make

    return register


def _normal(
    random: Generator,
    *,
    batch: int = 2,
    heads: int = 4,
    queries: int = 48,
    keys: int | None = None,
    key_heads: int | None = None,
    size: int = 32,
    width: int | None = None,
) -> Inputs:
    """Return standard normal query, key and value.

    size: head_dim of query and key. width: head_dim of the value, by default `size`.
    """
    keys, key_heads, width = keys or queries, key_heads or heads, width or size
    shapes = ((heads, queries, size), (key_heads, keys, size), (key_heads, keys, width))
    query, key, value = (random.standard_normal((batch, *shape), dtype=np.float32) for shape in shapes)
    return Inputs(query, key, value)


@_case("plain", "standard normal numbers, nothing difficult")
def _plain(random: Generator) -> Inputs:
    return _normal(random)


@_case("causal", "each query sees the keys up to its own position")
def _causal(random: Generator) -> Inputs:
    return replace(_normal(random), causal=True)


@_case("cross", "24 queries, 56 keys")
def _cross(random: Generator) -> Inputs:
    return _normal(random, queries=24, keys=56)


@_case("chunk", "causal, 16 queries at the end of 48 keys, as with a cache")
def _chunk(random: Generator) -> Inputs:
    return replace(_normal(random, queries=16, keys=48), causal=True)


@_case("one-token", "one query and one key: the context is the value")
def _one_token(random: Generator) -> Inputs:
    return replace(_normal(random, queries=1), causal=True)


@_case("decode", "one query, 200 keys")
def _decode(random: Generator) -> Inputs:
    return _normal(random, queries=1, keys=200)


@_case("long", "4,096 tokens, causal, one head")
def _long(random: Generator) -> Inputs:
    return replace(_normal(random, batch=1, heads=1, queries=4096), causal=True)


@_case("grouped", "8 query heads share 2 key and value heads, causal")
def _grouped(random: Generator) -> Inputs:
    return replace(_normal(random, heads=8, key_heads=2), causal=True)


@_case("head-80", "head_dim 80, which is not a multiple of 64")
def _head_80(random: Generator) -> Inputs:
    return replace(_normal(random, heads=2, queries=33, size=80), causal=True)


@_case("primes", "batch 3, 5 heads, 17 queries, 29 keys, head_dim 7: all sizes are odd")
def _primes(random: Generator) -> Inputs:
    return _normal(random, batch=3, heads=5, queries=17, keys=29, size=7)


@_case("wide-values", "head_dim 40 for values, 24 for queries and keys")
def _wide_values(random: Generator) -> Inputs:
    return _normal(random, size=24, width=40)


@_case("own-scale", "scale 0.02 instead of 1 / sqrt(head_dim)")
def _own_scale(random: Generator) -> Inputs:
    return replace(_times(_normal(random), 3.0), scale=0.02)


@_case("huge-scores", "all scores near 10,000: their exponentials overflow unless the largest score is subtracted")
def _huge_scores(random: Generator) -> Inputs:
    inputs = _normal(random)
    for x in (inputs.query, inputs.key):
        x[..., 0] = np.sqrt(10_000 * np.sqrt(32))  # the same in every query and key
    return inputs


@_case("key-offset", "all keys share a large offset, which adds the same number to a whole row of scores")
def _key_offset(random: Generator) -> Inputs:
    inputs = _normal(random)
    return replace(inputs, key=inputs.key + np.float32(100))


@_case("one-hot", "one key has weight 1: every other weight is exactly 0 in float32 and in float64")
def _one_hot(random: Generator) -> Inputs:
    inputs = _normal(random, queries=32)
    order = random.permuted(np.broadcast_to(np.arange(32), (2, 4, 32)), axis=-1)
    unit = np.eye(32, dtype=np.float32)
    return replace(inputs, query=unit[order] * np.float32(1e4), key=np.broadcast_to(unit, inputs.key.shape).copy())


@_case("ties", "6 keys, 8 times each: equal scores in every row")
def _ties(random: Generator) -> Inputs:
    inputs = _normal(random)
    return replace(inputs, key=np.tile(inputs.key[:, :, :6], (1, 1, 8, 1)))


@_case("bias", "an additive bias for each head that decreases with distance (Press et al. 2022, ALiBi)")
def _bias(random: Generator) -> Inputs:
    inputs = _normal(random)
    distance = np.abs(np.subtract.outer(np.arange(48), np.arange(48)))
    slopes = 2.0 ** -np.arange(1, 5)
    return replace(inputs, mask=(-slopes[None, :, None, None] * distance).astype(np.float32))


@_case("padding", "three lengths in a batch; the padded keys and values hold 1e30")
def _padding(random: Generator) -> Inputs:
    inputs = _normal(random, batch=3)
    real = np.arange(48) < np.array([48, 31, 5])[:, None]
    key, value = (np.where(real[:, None, :, None], x, np.float32(1e30)) for x in (inputs.key, inputs.value))
    return replace(inputs, key=key, value=value, mask=np.broadcast_to(real[:, None, None, :], (3, 1, 48, 48)).copy())


@_case("masked-rows", "a random boolean mask; three rows see no key")
def _masked_rows(random: Generator) -> Inputs:
    return replace(_normal(random), mask=_seen(random))


@_case("inf-mask", "the mask of masked-rows as numbers: 0 and -inf")
def _inf_mask(random: Generator) -> Inputs:
    return replace(_normal(random), mask=np.where(_seen(random), 0, -np.inf).astype(np.float32))


@_case(
    "lowest-mask",
    "a mask of 0 and the lowest float32, as in transformers: a row of only the lowest weights all keys equally",
)
def _lowest_mask(random: Generator) -> Inputs:
    return replace(_normal(random), mask=np.where(_seen(random), 0, np.finfo(np.float32).min).astype(np.float32))


@_case("nan-mask", "one NaN in an additive mask: only its row is NaN")
def _nan_mask(random: Generator) -> Inputs:
    mask = random.standard_normal((48, 48), dtype=np.float32)
    mask[7, 11] = np.nan
    return replace(_normal(random), mask=mask)


@_case("soft-cap", "scores of +-30, limited to +-5 by a tanh")
def _soft_cap(random: Generator) -> Inputs:
    return replace(_times(_normal(random), 5.0), softcap=5.0)


@_case("capped-mask", "a soft cap and a boolean mask: hidden keys must stay hidden")
def _capped_mask(random: Generator) -> Inputs:
    seen = _seen(random)
    seen[..., 0] = True
    return replace(_times(_normal(random), 5.0), softcap=5.0, mask=seen)


@_case("subnormals", "values below 1.2e-38, the smallest normal float32")
def _subnormals(random: Generator) -> Inputs:
    inputs = _normal(random)
    return replace(inputs, value=inputs.value * np.float32(1e-40))


@_case("faint-weights", "the whole context comes from weights below 1.2e-38 and values of 1e36")
def _faint_weights(random: Generator) -> Inputs:
    inputs = _normal(random, queries=32)
    value = inputs.value * np.float32(1e36)
    value[:, :, 0] = 0
    mask = random.uniform(-97, -93, (32, 32)).astype(np.float32)
    mask[:, 0] = 0
    return replace(_times(inputs, 0.1), value=value, mask=mask)


@_case("offset", "values of 1,000 plus standard normal numbers")
def _offset(random: Generator) -> Inputs:
    inputs = _normal(random)
    return replace(inputs, value=inputs.value + np.float32(1000))


@_case("cancellation", "pairs of equal keys with values near +10,000 and -10,000, which cancel")
def _cancellation(random: Generator) -> Inputs:
    inputs = _normal(random)
    signs = np.where(np.arange(48) % 2, np.float32(-1e4), np.float32(1e4))[:, None]
    return replace(inputs, key=np.repeat(inputs.key[:, :, :24], 2, axis=2), value=inputs.value + signs)


def _times(inputs: Inputs, factor: float) -> Inputs:
    """Return the inputs with query and key multiplied by a factor, so scores grow by its square."""
    return replace(inputs, query=inputs.query * np.float32(factor), key=inputs.key * np.float32(factor))


def _seen(random: Generator) -> Array:
    """Return a boolean mask (1, 1, 48, 48): a random half of the keys, and no key in rows 0, 20 and 47."""
    seen = random.random((1, 1, 48, 48)) < 0.5
    seen[..., 5] = True
    seen[..., [0, 20, 47], :] = False
    return seen
