"""torch's kernels of scaled_dot_product_attention for the CPU, and the reference attention on torch tensors."""

import warnings

import numpy as np
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import scaled_dot_product_attention

from compare.attention.reference import reference_attention
from compare.attention.torch_operators import CalledOperators
from compare.battery.inputs import Array, Inputs, one_mask
from compare.battery.node_cases import NodeCase, operator_outputs, through_attend
from compare.battery.unsupported import Unsupported


class Reference:
    """The kernel `reference_attention` on torch tensors."""

    def __init__(self, *, threads: int) -> None:
        torch.set_num_threads(threads)

    def attend(self, inputs: Inputs) -> Array:
        mask = None if inputs.mask is None else to_torch(inputs.mask)
        query, key, value = map(to_torch, (inputs.query, inputs.key, inputs.value))
        return to_numpy(reference_attention(query, key, value, **inputs.options | {"mask": mask})[0])

    def node(self, case: NodeCase) -> list[Array]:
        return [to_numpy(output) for output in operator_outputs(case, to_torch)]


class Math:
    """torch's math kernel, which computes attention step by step."""

    backend = SDPBackend.MATH

    def __init__(self, *, threads: int) -> None:
        torch.set_num_threads(threads)

    def attend(self, inputs: Inputs) -> Array:
        if inputs.softcap:
            raise Unsupported("no soft cap")
        query, key, value = map(to_torch, (inputs.query, inputs.key, inputs.value))
        # torch takes causality or a mask, not both, and aligns causality with the first key.
        causal = inputs.causal and inputs.mask is None and inputs.past == 0
        mask = None if causal else one_mask(inputs)
        with torch.no_grad(), sdpa_kernel([self.backend]):
            context = scaled_dot_product_attention(
                query,
                key,
                value,
                attn_mask=None if mask is None else to_torch(mask),
                is_causal=causal,
                scale=inputs.scale,
                enable_gqa=query.shape[1] != key.shape[1],
            )
        return to_numpy(context)

    def node(self, case: NodeCase) -> list[Array]:
        return through_attend(case, self.attend)


class Flash(Math):
    """torch's fused kernel. `attend` raises RuntimeError if torch uses another kernel."""

    backend = SDPBackend.FLASH_ATTENTION

    def attend(self, inputs: Inputs) -> Array:
        if inputs.value.shape[-1] != inputs.query.shape[-1]:
            raise Unsupported("no wider values")
        with warnings.catch_warnings(), CalledOperators() as called:
            warnings.simplefilter("ignore")  # the error below reports an unused flash kernel
            context = super().attend(inputs)
        if not any("flash_attention" in name for name in called.names):
            raise RuntimeError(f"torch did not use its flash kernel but {', '.join(sorted(called.names))}")
        return context


def to_torch(array: Array) -> torch.Tensor:
    """Return the same numbers as a tensor. An `ml_dtypes` bfloat16 array is copied bit for bit.

    >>> to_torch(np.ones(2, np.float16)).dtype
    torch.float16
    """
    if array.dtype.name == "bfloat16":
        return torch.from_numpy(array.view(np.int16).copy()).view(torch.bfloat16)
    return torch.from_numpy(array.copy())


def to_numpy(tensor: torch.Tensor) -> Array:
    """Return the same numbers as a NumPy array, the inverse of `to_torch`."""
    if tensor.dtype == torch.bfloat16:
        from ml_dtypes import bfloat16  # NumPy has no bfloat16; onnx installs this package

        return tensor.contiguous().view(torch.int16).numpy().view(bfloat16)
    return tensor.numpy()
