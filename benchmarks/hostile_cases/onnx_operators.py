"""ONNX graphs that nothing can run, or that fail while they run."""

from collections.abc import Iterator

import numpy as np
from onnx import ModelProto, TensorProto, helper

from benchmarks.hostile_cases.case import Case, mechanism
from benchmarks.hostile_cases.common import FILES
from benchmarks.hostile_cases.tiny_graphs import Edit, constant, files, own_operator, with_node


def cases() -> Iterator[Case]:
    """Yield the cases."""
    yield from _operators_that_do_not_run()
    yield from _graphs_that_fail_while_they_run()
    yield from _tensors_that_are_none()


def _operators_that_do_not_run() -> Iterator[Case]:
    of = mechanism("ONNX: operators that do not run", codes=(2, 3))
    for words, kind, domain in (
        ("unknown", "Bogus", ""),
        ("of an unknown domain", "Neg", "bogus"),
        ("of contrib ops", "Bogus", "com.microsoft"),
    ):
        yield of(words, *FILES, make=files(lambda m, k=kind, d=domain: own_operator(m, k, d), both=True))
        yield of(
            f"{words}, in one file", *FILES, make=files(lambda m, k=kind, d=domain: own_operator(m, k, d)), codes=(2, 3)
        )
    edits: dict[str, Edit] = {
        "without inputs": lambda m: m.graph.node[0].ClearField("input"),
        "of undefined inputs": lambda m: m.graph.node[0].input.__setitem__(0, "ghost"),
        "in a circle": lambda m: m.graph.node[0].input.__setitem__(0, "logits"),
        "an axis of 99": lambda m: m.graph.node[0].attribute.append(helper.make_attribute("axis", 99)),
        "an axis of text": lambda m: m.graph.node[0].attribute.append(helper.make_attribute("axis", "x")),
        "an unknown attribute": lambda m: m.graph.node[0].attribute.append(helper.make_attribute("bogus", 1)),
        "contrib ops without attributes": lambda m: own_operator(m, "Attention", "com.microsoft"),
        "shapes that do not fit": _other_shape,
    }
    for words, edit in edits.items():
        yield of(words, *FILES, make=files(edit, both=True))


def _graphs_that_fail_while_they_run() -> Iterator[Case]:
    of = mechanism("ONNX: graphs that fail while they run", codes=(2, 3))
    yield of("ids beyond the table", *FILES, make=files(_short_table, both=True))
    yield of("a division by 0", *FILES, make=files(_divides, both=True))
    yield of("a reshape to something else", *FILES, make=files(_reshapes, both=True))
    yield of("a tensor of 10^12 numbers", *FILES, make=files(lambda m: _fills(m, 10**12), both=True))
    yield of("a tensor of 10^18 numbers", *FILES, make=files(lambda m: _fills(m, 10**18), both=True))
    yield of("a loop without an end", *FILES, "--timeout", "10", make=files(_loops, both=True))
    yield of("a loop without an end in one file", *FILES, "--timeout", "10", make=files(_loops), codes=(2, 3))
    yield of("NaN", *FILES, make=files(_not_a_number, both=True), codes=(0, 1))
    yield of("NaN in one file", *FILES, make=files(_not_a_number), codes=(1,))


def _tensors_that_are_none() -> Iterator[Case]:
    of = mechanism("ONNX: tensors that are none", codes=(2, 3))
    edits: dict[str, Edit] = {
        "fewer bytes than numbers": lambda m: setattr(m.graph.initializer[0], "raw_data", b"abc"),
        "no bytes": lambda m: m.graph.initializer[0].ClearField("raw_data"),
        "a size below 0": lambda m: m.graph.initializer[0].dims.__setitem__(0, -1),
        "a size of 10^18": lambda m: m.graph.initializer[0].dims.__setitem__(0, 10**18),
        "sizes whose product overflows": lambda m: m.graph.initializer[0].dims.extend([2**32, 2**32]),
        "no type": lambda m: setattr(m.graph.initializer[0], "data_type", 0),
        "type 99": lambda m: setattr(m.graph.initializer[0], "data_type", 99),
        "type string": lambda m: setattr(m.graph.initializer[0], "data_type", TensorProto.STRING),
        "type int4": lambda m: setattr(m.graph.initializer[0], "data_type", TensorProto.INT4),
        "two forms": lambda m: m.graph.initializer[0].float_data.extend([1.0] * 4),
        "no name": lambda m: m.graph.initializer[0].ClearField("name"),
        "a segment": lambda m: setattr(m.graph.initializer[0].segment, "begin", 5),
        "sparse ones without values": lambda m: m.graph.sparse_initializer.add() and None,
    }
    for words, edit in edits.items():
        may = (0, 2, 3) if words in ("two forms", "a segment", "sparse ones without values") else (2, 3)
        yield of(words, *FILES, make=files(edit, both=True), codes=may)


def _other_shape(model: ModelProto) -> None:
    constant(model, "three", np.ones((3, 7), np.float32))
    model.graph.node[1].input[1] = "three"


def _short_table(model: ModelProto) -> None:
    constant(model, "short", np.ones((2, 4), np.float32))
    model.graph.node[0].input[0] = "short"


def _divides(model: ModelProto) -> None:
    constant(model, "nothing", np.zeros((), np.int64))
    with_node(model, "Div", ["input_ids", "nothing"], ["divided"])
    model.graph.node[1].input[1] = "divided"


def _reshapes(model: ModelProto) -> None:
    constant(model, "shape", np.array([7, 7, 7]))
    model.graph.node[0].output[0] = "looked_up"
    model.graph.node.insert(1, helper.make_node("Reshape", ["looked_up", "shape"], ["hidden"]))


def _fills(model: ModelProto, numbers: int) -> None:
    """Add the sum of a tensor of so many ones."""
    constant(model, "size", np.array([numbers]))
    constant(model, "one", np.ones(1, np.float32))
    model.graph.node[0].output[0] = "looked_up"
    added = [
        helper.make_node("Expand", ["one", "size"], ["ones"]),
        helper.make_node("ReduceSum", ["ones"], ["sum"], keepdims=0),
        helper.make_node("Add", ["looked_up", "sum"], ["hidden"]),
    ]
    for node in reversed(added):
        model.graph.node.insert(1, node)


def _loops(model: ModelProto) -> None:
    """Add a loop of 2^62 rounds."""
    infos = [
        helper.make_tensor_value_info("round", TensorProto.INT64, []),
        helper.make_tensor_value_info("go", TensorProto.BOOL, []),
        helper.make_tensor_value_info("state", TensorProto.FLOAT, None),
    ]
    body = helper.make_graph(
        [helper.make_node("Identity", ["go"], ["goes"]), helper.make_node("Sin", ["state"], ["next"])],
        "body",
        infos,
        [
            helper.make_tensor_value_info("goes", TensorProto.BOOL, []),
            helper.make_tensor_value_info("next", TensorProto.FLOAT, None),
        ],
    )
    constant(model, "rounds", np.array(2**62))
    constant(model, "start", np.array(True))
    model.graph.node[0].output[0] = "looked_up"
    model.graph.node.insert(1, helper.make_node("Loop", ["rounds", "start", "looked_up"], ["hidden"], body=body))


def _not_a_number(model: ModelProto) -> None:
    model.graph.node[0].output[0] = "looked_up"
    model.graph.node.insert(1, helper.make_node("Neg", ["looked_up"], ["negative"]))
    model.graph.node.insert(2, helper.make_node("Abs", ["looked_up"], ["positive"]))
    model.graph.node.insert(3, helper.make_node("Neg", ["positive"], ["below"]))
    model.graph.node.insert(4, helper.make_node("Sqrt", ["below"], ["hidden"]))
