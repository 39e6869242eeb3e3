"""Controls of a single attention: runs on the same inputs that differ from each other by rounding alone.

They run in the inputs' own precision, each in an order of its own, as those of a whole model do (`controls.py`). More
are nudged: in a small problem there are few orders (two terms have one), so that all of them can be lucky at once. A
stable algorithm gives the exact result of inputs that are a roundoff or so away (Higham 2002, section 1.5), so what
inputs that far away give is rounding too, however few terms there are.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from math import copysign

import numpy as np
import torch
from torch import Tensor

from compare.attention.reference import masked, reference_attention, scaled_scores, soft_capped, softmax
from compare.attention.streaming import streaming_attention
from compare.numerics.summation_orders import (
    OrderedProducts,
    Product,
    Total,
    permutation,
    permuted_product,
    sequential_product,
    sequential_total,
    split_product,
)

#: The fewest times, and the most, that the inputs are nudged; between them, until so many numbers have come out. A
#: context of four numbers averages little away, so that the largest of few controls says little of how far one can be.
_FEWEST_NUDGES, _MOST_NUDGES, _NUDGED_NUMBERS = 4, 64, 64


@dataclass(frozen=True)
class Problem:
    """What an attention is given, all in one precision: (batch, heads, sequence, head_dim), a key head to each head.

    mask: boolean or added, broadcasts to (batch, heads, sequence, keys), with all that causality hides in it.
    """

    query: Tensor
    key: Tensor
    value: Tensor
    mask: Tensor | None
    scale: float
    softcap: float

    def double(self) -> "Problem":
        """The same numbers in float64."""
        mask = self.mask if self.mask is None or self.mask.dtype == torch.bool else self.mask.double()
        return replace(self, query=self.query.double(), key=self.key.double(), value=self.value.double(), mask=mask)

    def solve(self) -> tuple[Tensor, Tensor]:
        """The reference attention: context, and probabilities."""
        return reference_attention(
            self.query, self.key, self.value, mask=self.mask, scale=self.scale, softcap=self.softcap
        )


#: One run: the context (batch, heads, sequence, head_dim) in the problem's precision.
Run = Callable[[Problem], Tensor]


def control_contexts(problem: Problem) -> Iterator[tuple[str, Tensor]]:
    """The controls' names and contexts, one at a time; every order first, then what is nudged."""
    for name, run in ORDERS.items():
        if name != "NumPy" or problem.query.dtype == torch.float32:  # NumPy has no bfloat16, nor fast float16
            yield name, run(problem)
    numbers = problem.query[..., 0].numel() * problem.value.shape[-1]
    for seed in range(min(max(_FEWEST_NUDGES, -(-_NUDGED_NUMBERS // numbers)), _MOST_NUDGES)):
        yield f"inputs nudged, seed {seed}", nudged(problem, seed)


def in_numpy(problem: Problem) -> Tensor:
    """The reference attention on NumPy arrays, whose sums and exponentials are not torch's."""
    mask = None if problem.mask is None else problem.mask.numpy()
    arrays = (x.numpy() for x in (problem.query, problem.key, problem.value))
    with np.errstate(all="ignore"):  # torch says nothing either; what overflows is left out where floors are made
        context, _ = reference_attention(*arrays, mask=mask, scale=problem.scale, softcap=problem.softcap)
    return torch.from_numpy(context)


def root_scaled(problem: Problem) -> Tensor:
    """Query and key multiplied by the root of the scale each, as ONNX's Attention operator has it."""
    root = abs(problem.scale) ** 0.5
    query, key = problem.query * copysign(root, problem.scale), problem.key * root
    return replace(problem, query=query, key=key, scale=1.0).solve()[0]


def streamed(parts: int) -> Run:
    """Streaming softmax with the keys in about so many blocks, but queries in no more than 64."""

    def run(problem: Problem) -> Tensor:
        queries, keys = problem.query.shape[2], problem.key.shape[2]
        context: Tensor = streaming_attention(
            problem.query,
            problem.key,
            problem.value,
            mask=problem.mask,
            scale=problem.scale,
            softcap=problem.softcap,
            block=max(-(-keys // parts), -(-queries // 64)),
        )
        return context

    return run


def keys_permuted(problem: Problem) -> Tensor:
    """Keys and values in another order, which the softmax and the mixing then add up in."""
    keys = problem.key.shape[2]
    order = permutation(keys, 0)
    mask = None if problem.mask is None else problem.mask.expand(*problem.mask.shape[:-1], keys)[..., order]
    return replace(problem, key=problem.key[:, :, order], value=problem.value[:, :, order], mask=mask).solve()[0]


def in_order(product: Product, total: Total | None = None, *, wide: bool = False) -> Run:
    """Every contraction by the product, and the softmax's total by the other.

    wide: what is less than float32 is added up in float32 and rounded once. A loop that rounds a sum of bfloat16 after
    every term stands still from 256 terms on, and no kernel is written so.
    """

    def run(problem: Problem) -> Tensor:
        ordered, added = (_widened(product), total and _widened_total(total)) if wide else (product, total)
        with OrderedProducts(ordered):
            scores = soft_capped(scaled_scores(problem.query, problem.key, problem.scale), problem.softcap)
            scores = scores if problem.mask is None else masked(scores, problem.mask)
            context: Tensor = softmax(scores, added) @ problem.value
        return context

    return run


def nudged(problem: Problem, seed: int) -> Tensor:
    """Every number of the inputs, and every exponential, a unit roundoff up or down, by the toss of a coin; in float64.

    The exponentials too, because they are rounded functions, and each library has its own. The scale as well: kernels
    that take powers of two multiply it by a rounded logarithm, which moves all scores one way.
    """
    precision = problem.query.dtype
    roundoff = torch.finfo(precision).eps / 2
    random = np.random.default_rng(seed)

    def coins(x: Tensor) -> Tensor:
        return torch.from_numpy(random.integers(0, 2, tuple(x.shape)) * (2 * roundoff) - roundoff)

    double = problem.double()
    query, key, value = (x * (1 + coins(x)) for x in (double.query, double.key, double.value))
    scores = scaled_scores(query, key, problem.scale * (1 + (-1) ** seed * roundoff))
    scores = soft_capped(scores, problem.softcap)
    scores = scores + coins(scores)  # what is added to a score is a factor of its exponential
    context: Tensor = softmax(scores if double.mask is None else masked(scores, double.mask)) @ value
    return context.to(precision)


def _widened(product: Product) -> Product:
    return lambda left, right: product(left.float(), right.float()).to(left.dtype)


def _widened_total(total: Total) -> Total:
    return lambda x: total(x.float()).to(x.dtype)


#: The orders of summation, by name.
ORDERS: dict[str, Run] = {
    "plain": lambda problem: problem.solve()[0],
    "NumPy": in_numpy,
    "root of the scale": root_scaled,
    "streaming softmax, small blocks": streamed(8),
    "streaming softmax, large blocks": streamed(2),
    "keys permuted": keys_permuted,
    "contractions permuted, seed 0": in_order(permuted_product(0)),
    "contractions permuted, seed 1": in_order(permuted_product(1)),
    "contractions split": in_order(split_product(4)),
    "sequential sums": in_order(sequential_product, sequential_total, wide=True),
}
