"""Orders of summation: the same products and totals, whose terms are added up in another order each.

What they scatter by is what rounding does. Nothing here knows of models, so it loads torch and NumPy alone.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

#: (rows, contraction) by (contraction, columns), both with the same leading dimensions or none.
Product = Callable[[Tensor, Tensor], Tensor]

#: The total along the last dimension, which is kept.
Total = Callable[[Tensor], Tensor]


class OrderedProducts(TorchFunctionMode):
    """While this is open, every product of matrices in torch is made by the given one."""

    def __init__(self, product: Product) -> None:
        super().__init__()
        self.replacements: dict[Any, Callable[..., Any]] = {}
        if product is not torch.matmul:
            self.replacements |= dict.fromkeys((torch.matmul, torch.Tensor.matmul, torch.Tensor.__matmul__), product)

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        return self.replacements.get(func, func)(*args, **(kwargs or {}))


def permuted_product(seed: int) -> Product:
    """Every contraction in an order drawn with the seed."""

    def product(left: Tensor, right: Tensor) -> Tensor:
        order = permutation(left.shape[-1], seed)
        return torch.matmul(left[..., order], right[..., order, :])

    return product


def split_product(number: int) -> Product:
    """Every contraction in so many parts, which are added up at the end."""

    def product(left: Tensor, right: Tensor) -> Tensor:
        parts = zip(left.tensor_split(number, dim=-1), right.tensor_split(number, dim=-2), strict=True)
        return sum((a @ b for a, b in parts if a.shape[-1]), start=torch.zeros((), dtype=left.dtype))

    return product


#: Columns that the sequential product takes at a time, so that its sums stay in the processor's cache.
_COLUMNS = 2048


def sequential_product(left: Tensor, right: Tensor) -> Tensor:
    """Every contraction strictly from first to last, one product added at a time: what a plain loop in C does.

    torch has that loop: a sparse matrix times a dense one adds entry after entry of a row. Here no entry is left out.
    """
    if right.ndim == 2:
        rows = left.reshape(-1, left.shape[-1])
        count, size = rows.shape
        places = torch.stack([torch.arange(count).repeat_interleave(size), torch.arange(size).repeat(count)])
        sparse = torch.sparse_coo_tensor(
            places, rows.flatten(), (count, size), is_coalesced=True, check_invariants=False
        )
        parts = [torch.sparse.mm(sparse, columns.contiguous()) for columns in torch.split(right, _COLUMNS, dim=1)]
        return torch.cat(parts, dim=1).view(*left.shape[:-1], -1)
    out = torch.zeros((*left.shape[:-1], right.shape[-1]), dtype=left.dtype)
    for k in range(left.shape[-1]):
        out.addcmul_(left[..., k : k + 1], right[..., k : k + 1, :])
    return out


def sequential_total(x: Tensor) -> Tensor:
    """From first to last. NumPy's cumulative sum is that loop; torch's adds float32 up in float64."""
    return torch.from_numpy(np.cumsum(x.numpy(), axis=-1)[..., -1:].copy())


def permutation(size: int, seed: int) -> Tensor:
    """An order of so many things, drawn with the seed: (size,)."""
    return torch.from_numpy(np.random.default_rng((seed, size)).permutation(size))
