"""A small ONNX graph with most of what a graph can have: constants, a branch, a function, external data."""

from onnx import ModelProto, TensorProto, helper


def small_graph() -> ModelProto:
    """Return a graph of two layers with a softmax and a norm each, a branch and a function."""
    floats, shape = TensorProto.FLOAT, ["batch", "sequence", 8]
    weight = helper.make_tensor("weight", floats, [8, 8], [0.1] * 64)
    scale = helper.make_tensor("scale", floats, [8], [1.0] * 8)
    then, other = (
        helper.make_graph(
            [helper.make_node(kind, ["hidden"], [f"{kind}.out"])], kind, [], [_value(f"{kind}.out", shape)]
        )
        for kind in ("Relu", "Identity")
    )
    nodes = [helper.make_node("Gather", ["table", "input_ids"], ["start"])]
    last = "start"
    for layer in range(2):
        nodes += [
            helper.make_node("LayerNormalization", [last, "scale"], [f"norm.{layer}"], axis=-1),
            helper.make_node("MatMul", [f"norm.{layer}", "weight"], [f"scores.{layer}"]),
            helper.make_node("Softmax", [f"scores.{layer}"], [f"attention.{layer}"], axis=-1),
            helper.make_node("Add", [last, f"attention.{layer}"], [f"stream.{layer}"]),
        ]
        last = f"stream.{layer}"
    nodes += [
        helper.make_node("Double", [last], ["hidden"], domain="local"),
        helper.make_node("Constant", [], ["is_on"], value=helper.make_tensor("on", TensorProto.BOOL, [], [True])),
        helper.make_node("If", ["is_on"], ["logits"], then_branch=then, else_branch=other),
    ]
    double = helper.make_function(
        "local", "Double", ["x"], ["y"], [helper.make_node("Add", ["x", "x"], ["y"])], [helper.make_opsetid("", 20)]
    )
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("input_ids", TensorProto.INT64, ["batch", "sequence"])],
        [_value("logits", shape), _value("attention.0", shape), _value("attention.1", shape)],
        [weight, scale, helper.make_tensor("table", floats, [4, 8], [0.5] * 32)],
    )
    opsets = [helper.make_opsetid("", 20), helper.make_opsetid("local", 1)]
    return helper.make_model(graph, opset_imports=opsets, functions=[double])


def _value(name, shape):
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
