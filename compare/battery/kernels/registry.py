"""The kernels there are, by name, without importing any of them.

A kernel is a class (see `Kernel`) and one line in `BUILT_IN`. One that is not installed stays listed with the command
that installs it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from compare.lazy import Listed
from export.errors import BadInput, near

if TYPE_CHECKING:  # listing the kernels is to work where not even NumPy is
    from compare.battery.inputs import Array, Inputs
    from compare.battery.node_cases import NodeCase


class Kernel(Protocol):
    """Something that computes attention. Libraries are imported at the top of its file."""

    def __init__(self, *, threads: int) -> None: ...

    def attend(self, inputs: "Inputs") -> "Array":
        """The context (batch, heads, sequence, value's head_dim). Raises `Unsupported` for what it does not offer."""

    def node(self, case: "NodeCase") -> "list[Array]":
        """The outputs of one of ONNX's node cases, in the graph's order. Raises `Unsupported` likewise."""


@dataclass(frozen=True)
class KernelSpec(Listed):
    """A kernel as it is listed."""

    noun = "kernel"


_HERE = "compare.battery.kernels"
_ORT = (("onnx", "onnxruntime"), "pip install onnxruntime")
_TORCH = (("torch",), "pip install torch")
_NUMPY = (("numpy",), "pip install numpy")

BUILT_IN = (
    KernelSpec("onnxruntime", f"{_HERE}.onnx_runtime:Attention", "ONNX Runtime's Attention, on the CPU", *_ORT),
    KernelSpec(
        "onnxruntime-mha", f"{_HERE}.onnx_runtime:MultiHeadAttention", "its contrib operator MultiHeadAttention", *_ORT
    ),
    KernelSpec("torch-math", f"{_HERE}.torch_attention:Math", "scaled_dot_product_attention, step by step", *_TORCH),
    KernelSpec("torch-flash", f"{_HERE}.torch_attention:Flash", "the same, torch's fused kernel for the CPU", *_TORCH),
    KernelSpec(
        "onnx-reference",
        f"{_HERE}.onnx_reference:Attention",
        "Attention in ONNX's ReferenceEvaluator",
        ("onnx",),
        "pip install onnx",
    ),
    KernelSpec("numpy-reference", f"{_HERE}.numpy_attention:Reference", "the reference attention in NumPy", *_NUMPY),
    KernelSpec("torch-reference", f"{_HERE}.torch_attention:Reference", "the reference attention in torch", *_TORCH),
    KernelSpec("numpy-streaming", f"{_HERE}.numpy_attention:Streaming", "the streaming attention in NumPy", *_NUMPY),
)


def kernels_named(names: Iterable[str]) -> list[KernelSpec]:
    """The kernels of these names. Raises `BadInput` with near matches for an unknown one.

    >>> [kernel.name for kernel in kernels_named(["torch-math"])]
    ['torch-math']
    """
    known = {spec.name: spec for spec in BUILT_IN}
    for name in names:
        if name not in known:
            raise BadInput(f"unknown kernel {name!r}; {near(name, known)}; python -m compare battery --list lists them")
    return [known[name] for name in names]
