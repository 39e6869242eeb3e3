"""Controls of a single attention: runs on the same inputs that differ only by rounding.

They run in the inputs' own precision, each in its own order, like the controls of a whole model
(`compare.numerics.controls`). A small problem has few orders of summation (two terms have only one), so all of them can
have small errors by chance. Therefore further controls run on slightly changed inputs. A stable algorithm gives the
exact result for inputs that differ by about a unit roundoff (Higham 2002, section 1.5), so the errors of such controls
are rounding too, even with few terms.
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

#: The fewest and the most controls with changed inputs, and the number of output elements from which the fewest are
#: enough. In a context of four elements, the largest error among few controls may be far below the error of another
#: run.
_FEWEST_NUDGES, _MOST_NUDGES, _NUDGED_NUMBERS = 4, 64, 64


@dataclass(frozen=True)
class Problem:
    """The inputs of an attention, all in one precision.

    query, key, value: (batch, heads, sequence, head_dim), with one key head for each head. mask: boolean, or numbers
    added to the scores; broadcasts to (batch, heads, sequence, keys), and contains the causal mask if there is one.
    """

    query: Tensor
    key: Tensor
    value: Tensor
    mask: Tensor | None
    scale: float
    softcap: float

    def double(self) -> "Problem":
        """Return the same problem in float64."""
        mask = self.mask if self.mask is None or self.mask.dtype == torch.bool else self.mask.double()
        return replace(self, query=self.query.double(), key=self.key.double(), value=self.value.double(), mask=mask)

    def solve(self) -> tuple[Tensor, Tensor]:
        """Return the context and the probabilities of the reference attention."""
        return reference_attention(
            self.query, self.key, self.value, mask=self.mask, scale=self.scale, softcap=self.softcap
        )


#: A function that returns the context (batch, heads, sequence, head_dim) in the problem's precision.
Run = Callable[[Problem], Tensor]


def control_contexts(problem: Problem) -> Iterator[tuple[str, Tensor]]:
    """Yield the names and contexts of the controls: every order of summation first, then those with nudged inputs."""
    for name, run in ORDERS.items():
        if name != "NumPy" or problem.query.dtype == torch.float32:  # NumPy has no bfloat16, and its float16 is slow
            yield name, run(problem)
    numbers = problem.query[..., 0].numel() * problem.value.shape[-1]
    for seed in range(min(max(_FEWEST_NUDGES, -(-_NUDGED_NUMBERS // numbers)), _MOST_NUDGES)):
        yield f"inputs nudged, seed {seed}", nudged(problem, seed)


def in_numpy(problem: Problem) -> Tensor:
    """The reference attention in NumPy, whose sums and exponentials differ from torch's."""
    mask = None if problem.mask is None else problem.mask.numpy()
    arrays = (x.numpy() for x in (problem.query, problem.key, problem.value))
    with np.errstate(all="ignore"):  # torch does not warn either; overflows are left out when floors are made
        context, _ = reference_attention(*arrays, mask=mask, scale=problem.scale, softcap=problem.softcap)
    return torch.from_numpy(context)


def root_scaled(problem: Problem) -> Tensor:
    """Attention with query and key each multiplied by the root of the scale, as in ONNX's Attention operator."""
    root = abs(problem.scale) ** 0.5
    query, key = problem.query * copysign(root, problem.scale), problem.key * root
    return replace(problem, query=query, key=key, scale=1.0).solve()[0]


def streamed(parts: int) -> Run:
    """Return a run with a streaming softmax over about `parts` blocks of keys, and at most 64 blocks of queries."""

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
    """Attention with keys and values permuted, so that its sums over keys run in another order."""
    keys = problem.key.shape[2]
    order = permutation(keys, 0)
    mask = None if problem.mask is None else problem.mask.expand(*problem.mask.shape[:-1], keys)[..., order]
    return replace(problem, key=problem.key[:, :, order], value=problem.value[:, :, order], mask=mask).solve()[0]


def in_order(product: Product, total: Total | None = None, *, wide: bool = False) -> Run:
    """Return a run that uses another matrix product and softmax sum.

    product: replaces every matrix product. total: replaces the softmax's sum, unless it is None. wide: whether lower
    precisions are summed in float32 and rounded once. A bfloat16 sum that is rounded after every term stops growing
    after about 256 terms, and no kernel sums in this way.
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
    """Compute attention in float64 with inputs and exponentials moved by a unit roundoff, up or down at random.

    Exponentials are moved because each library computes and rounds them in its own way. The scale is moved too, because
    kernels that use powers of two multiply it by a rounded logarithm, which changes all scores in one direction.
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
    scores = scores + coins(scores)  # adding to a score multiplies its exponential
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
