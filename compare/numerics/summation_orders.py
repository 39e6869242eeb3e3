"""Matrix products and sums that add their terms in different orders.

Their results differ by rounding alone. This module does not depend on a model, and imports only torch and NumPy.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

#: A product of (rows, contraction) and (contraction, columns), both with the same leading dimensions or none.
Product = Callable[[Tensor, Tensor], Tensor]

#: A sum along the last dimension, which is kept.
Total = Callable[[Tensor], Tensor]


class OrderedProducts(TorchFunctionMode):
    """A mode that replaces every matrix product in torch with a given one."""

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
    """Return a product whose contraction runs in a random order, drawn with the seed."""

    def product(left: Tensor, right: Tensor) -> Tensor:
        order = permutation(left.shape[-1], seed)
        return torch.matmul(left[..., order], right[..., order, :])

    return product


def split_product(number: int) -> Product:
    """Return a product whose contraction is split into `number` partial sums, which are added at the end."""

    def product(left: Tensor, right: Tensor) -> Tensor:
        parts = zip(left.tensor_split(number, dim=-1), right.tensor_split(number, dim=-2), strict=True)
        return sum((a @ b for a, b in parts if a.shape[-1]), start=torch.zeros((), dtype=left.dtype))

    return product


#: The number of columns that the sequential product computes at a time, so that sums stay in the processor's cache.
_COLUMNS = 2048


def sequential_product(left: Tensor, right: Tensor) -> Tensor:
    """Return the product whose terms are added from first to last, one at a time, as in a plain loop in C.

    torch's product of a sparse and a dense matrix is such a loop: it adds one entry of a row after another. Here the
    sparse matrix stores all entries, including zeros.
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
    """Return the sum from first to last. It uses NumPy's cumulative sum, because torch's adds float32 in float64."""
    return torch.from_numpy(np.cumsum(x.numpy(), axis=-1)[..., -1:].copy())


def permutation(size: int, seed: int) -> Tensor:
    """Return a random permutation of `size` indices, drawn with the seed: (size,)."""
    return torch.from_numpy(np.random.default_rng((seed, size)).permutation(size))
