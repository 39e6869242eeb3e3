"""The list of kernels by name. Importing this module imports none of them.

A kernel is a class (see `Kernel`) and one line in `BUILT_IN`. If its library is missing, it is still listed, with the
command that installs it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from compare.lazy import Listed
from export.errors import BadInput, near

if TYPE_CHECKING:  # listing the kernels must work without NumPy
    from compare.battery.inputs import Array, Inputs
    from compare.battery.node_cases import NodeCase


class Kernel(Protocol):
    """The interface of a kernel. Its file imports its libraries at the top."""

    def __init__(self, *, threads: int) -> None: ...

    def attend(self, inputs: "Inputs") -> "Array":
        """Return the context (batch, heads, sequence, value's head_dim).

        Raises `Unsupported` if the kernel does not support these inputs.
        """

    def node(self, case: "NodeCase") -> "list[Array]":
        """Return the outputs of one of ONNX's node cases, in the graph's order.

        Raises `Unsupported` if the kernel does not support the case.
        """


@dataclass(frozen=True)
class KernelSpec(Listed):
    """The registry's entry for a kernel."""

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
    """Return the kernels with these names. Raises `BadInput` with near matches if a name is unknown.

    >>> [kernel.name for kernel in kernels_named(["torch-math"])]
    ['torch-math']
    """
    known = {spec.name: spec for spec in BUILT_IN}
    for name in names:
        if name not in known:
            raise BadInput(f"unknown kernel {name!r}; {near(name, known)}; python -m compare battery --list lists them")
    return [known[name] for name in names]
