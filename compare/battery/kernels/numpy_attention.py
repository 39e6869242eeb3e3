"""The project's own attention on NumPy arrays, and with it the mapping of ONNX's operator."""

from typing import Any

import numpy as np

from compare.attention.reference import reference_attention
from compare.attention.streaming import streaming_attention
from compare.battery.inputs import Array, Inputs
from compare.battery.node_cases import NodeCase, operator_outputs, through_attend
from compare.battery.unsupported import Unsupported


class Reference:
    """`reference_attention`."""

    def __init__(self, *, threads: int) -> None:
        del threads  # the environment of the process says how many

    def attend(self, inputs: Inputs) -> Array:
        context: Array = reference_attention(inputs.query, inputs.key, inputs.value, **inputs.options)[0]
        return context

    def node(self, case: NodeCase) -> list[Array]:
        return operator_outputs(case, np.asarray)


class Streaming:
    """`streaming_attention`."""

    def __init__(self, *, threads: int) -> None:
        del threads

    def attend(self, inputs: Inputs) -> Array:
        if inputs.query.dtype.name == "bfloat16":
            raise Unsupported("bfloat16, which NumPy has not")
        context: Any = streaming_attention(inputs.query, inputs.key, inputs.value, **inputs.options)
        return np.asarray(context)

    def node(self, case: NodeCase) -> list[Array]:
        return through_attend(case, self.attend)
