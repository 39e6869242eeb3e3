"""The project's own attention on NumPy arrays, and its mapping of ONNX's Attention operator."""

from typing import Any

import numpy as np

from compare.attention.reference import reference_attention
from compare.attention.streaming import streaming_attention
from compare.battery.inputs import Array, Inputs
from compare.battery.node_cases import NodeCase, operator_outputs, through_attend
from compare.battery.unsupported import Unsupported


class Reference:
    """The kernel `reference_attention` on NumPy arrays."""

    def __init__(self, *, threads: int) -> None:
        del threads  # set by the environment of the process

    def attend(self, inputs: Inputs) -> Array:
        context: Array = reference_attention(inputs.query, inputs.key, inputs.value, **inputs.options)[0]
        return context

    def node(self, case: NodeCase) -> list[Array]:
        return operator_outputs(case, np.asarray)


class Streaming:
    """The kernel `streaming_attention` on NumPy arrays."""

    def __init__(self, *, threads: int) -> None:
        del threads

    def attend(self, inputs: Inputs) -> Array:
        if inputs.query.dtype.name == "bfloat16":
            raise Unsupported("bfloat16, which NumPy does not have")
        context: Any = streaming_attention(inputs.query, inputs.key, inputs.value, **inputs.options)
        return np.asarray(context)

    def node(self, case: NodeCase) -> list[Array]:
        return through_attend(case, self.attend)
