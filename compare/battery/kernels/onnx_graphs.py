"""Graphs of one node for the inputs of a case, built in memory."""

from collections.abc import Mapping, Sequence
from typing import Any

from onnx import ModelProto, helper

from compare.battery.inputs import Array, Inputs

#: The first opset of ONNX that has Attention, and the version of the contrib operators.
OPSETS = {"": 23, "com.microsoft": 1}

#: The format of a file that goes with that opset.
IR_VERSION = 11

Feeds = dict[str, Array]


def attention_graph(inputs: Inputs) -> tuple[ModelProto, Feeds]:
    """ONNX's Attention and what it is fed; causal inputs with more keys than queries become a cache and its end.

    Source: ONNX, Operators.md, Attention: without a cache causality counts from the first key.

    >>> x = np.zeros((1, 1, 2, 4), np.float32)
    >>> graph, feeds = attention_graph(Inputs(x, x, x))
    >>> graph.graph.node[0].op_type, sorted(feeds)
    ('Attention', ['K', 'Q', 'V'])
    """
    feeds = {"Q": inputs.query, "K": inputs.key, "V": inputs.value}
    if inputs.mask is not None:
        feeds["attn_mask"] = inputs.mask
    attributes: dict[str, Any] = {}
    names, outputs = ["Q", "K", "V", "attn_mask" if inputs.mask is not None else ""], ["Y"]
    if inputs.causal:
        attributes["is_causal"] = 1
        if inputs.past:
            split_past(feeds, inputs.past)
            names += ["past_key", "past_value"]
            outputs += ["present_key", "present_value"]
    if inputs.scale is not None:
        attributes["scale"] = inputs.scale
    if inputs.softcap:
        attributes["softcap"] = inputs.softcap
    return one_node("", "Attention", names, outputs, attributes, feeds), feeds


def split_past(feeds: Feeds, past: int) -> None:
    """Part the keys and values K and V into a cache, past_key and past_value, and the new ones."""
    for name, cached in (("K", "past_key"), ("V", "past_value")):
        feeds[cached], feeds[name] = feeds[name][:, :, :past], feeds[name][:, :, past:]


def one_node(
    domain: str,
    operator: str,
    inputs: Sequence[str],
    outputs: Sequence[str],
    attributes: Mapping[str, Any],
    feeds: Feeds,
) -> ModelProto:
    """A model of one node whose first output alone is the graph's; an input that is left out is an empty name."""
    node = helper.make_node(operator, inputs, outputs, domain=domain, **attributes)
    given = [
        helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(x.dtype), x.shape)
        for name, x in feeds.items()
    ]
    first = helper.make_empty_tensor_value_info(outputs[0])
    opsets = [helper.make_opsetid(name, OPSETS[name]) for name in dict.fromkeys(("", domain))]
    return helper.make_model(
        helper.make_graph([node], operator, given, [first]), opset_imports=opsets, ir_version=IR_VERSION
    )
