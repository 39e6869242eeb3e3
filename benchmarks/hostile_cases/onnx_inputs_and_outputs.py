"""ONNX graphs whose inputs cannot be made, or whose outputs are not those of the model."""

from collections.abc import Iterator
from typing import Any

from onnx import ModelProto, TensorProto, helper

from benchmarks.hostile_cases.case import Case, mechanism
from benchmarks.hostile_cases.common import FILES, TITLE, WITH_MODEL
from benchmarks.hostile_cases.tiny_graphs import VOCABULARY, files, with_output


def cases() -> Iterator[Case]:
    """Yield the cases."""
    yield from _inputs_that_cannot_be_made()
    yield from _outputs_that_are_none()
    yield from _another_model_s_file()


def _inputs_that_cannot_be_made() -> Iterator[Case]:
    of = mechanism("ONNX: inputs that cannot be made", codes=(2, 3), fast=True)
    for words, value in {
        "unknown": helper.make_tensor_value_info("pixels", TensorProto.FLOAT, [1, 3, 8, 8]),
        "without a name": helper.make_tensor_value_info("", TensorProto.FLOAT, [1]),
        "of strings": helper.make_tensor_value_info("texts", TensorProto.STRING, ["batch"]),
        "of an unknown type": helper.make_tensor_value_info("typed", 99, ["batch"]),
        "a sequence": helper.make_tensor_sequence_value_info("many", TensorProto.FLOAT, None),
        "a sparse one": helper.make_sparse_tensor_value_info("few", TensorProto.FLOAT, [1]),
        "without a type": helper.make_empty_tensor_value_info("nothing"),
        "that takes the terminal": helper.make_tensor_value_info(TITLE, TensorProto.FLOAT, [1]),
    }.items():
        yield of(words, *FILES, make=files(lambda m, v=value: m.graph.input.append(v), both=True))
    shapes: dict[str, list[Any]] = {
        "of 3 sequences": [3, "s"],
        "of 5 tokens": ["b", 5],
        "of 3 dimensions": ["b", "s", "t"],
        "of size -1": [-1, -1],
        "of size 10^18": [10**18, 10**18],
        "of size 0": [0, 0],
    }
    for words, shape in shapes.items():
        value = helper.make_tensor_value_info("input_ids", TensorProto.INT64, shape)
        yield of(words, *FILES, make=files(lambda m, v=value: m.graph.input[0].CopyFrom(v), both=True))
    past = [
        helper.make_tensor_value_info(f"past_key_values.{n}.key", TensorProto.FLOAT, [1, 10**9, 0, 10**9])
        for n in range(3)
    ]
    yield of(
        "a past of 10^18",
        *FILES,
        make=files(lambda m: m.graph.input.extend(past), both=True),
        codes=(0, 2, 3),
        fast=False,
    )
    far = helper.make_tensor_value_info(f"past_key_values.{'9' * 30}.key", TensorProto.FLOAT, ["b", 1, "p", 1])
    yield of(
        "a layer of 30 digits",
        *FILES,
        make=files(lambda m: m.graph.input.append(far), both=True),
        codes=(0, 2, 3),
        fast=False,
    )


def _outputs_that_are_none() -> Iterator[Case]:
    of = mechanism("ONNX: outputs that are none", codes=(2, 3))
    for words, value in {
        "strings": helper.make_tensor_value_info("logits", TensorProto.STRING, None),
        "integers": helper.make_tensor_value_info("logits", TensorProto.INT64, ["b", "s", VOCABULARY]),
        "two dimensions": helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["b", VOCABULARY]),
        "one token": helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["b", 1, VOCABULARY]),
        "no dimensions": helper.make_tensor_value_info("logits", TensorProto.FLOAT, []),
        "10^18 tokens": helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["b", "s", 10**18]),
        "-1 tokens": helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["b", "s", -1]),
        "a sequence": helper.make_tensor_sequence_value_info("logits", TensorProto.FLOAT, None),
        "without a type": helper.make_empty_tensor_value_info("logits"),
    }.items():
        codes = (0, 1, 2, 3) if words in ("without a type", "-1 tokens", "10^18 tokens") else (2, 3)
        yield of(words, *FILES, make=files(lambda m, v=value: m.graph.output[0].CopyFrom(v), both=True), codes=codes)
    yield of(
        "that nothing makes",
        *FILES,
        make=files(lambda m: m.graph.output.append(helper.make_tensor_value_info("ghost", 1, None)), both=True),
    )
    yield of(
        "another name",
        *FILES,
        make=files(lambda m: setattr(m.graph.output[0], "name", "scores"), both=True),
        codes=(2,),
        fast=True,
    )
    for words, name in {
        "a layer of 30 digits": f"hidden_state.{'9' * 30}",
        "a layer of 10^9": "attention.1000000000",
        "a layer below 0": "attention.-1",
        "a layer in other digits": "attention.٣",
    }.items():
        make = files(lambda m, name=name: with_output(m, name), both=True)
        yield of(words, *FILES, make=make, codes=(0, 2, 3))


def _another_model_s_file() -> Iterator[Case]:
    of = mechanism("ONNX: another model's file", codes=(2,), needs=("byte-gpt2",), seconds=120)
    yield of("of other layers", *WITH_MODEL, make=files(lambda m: with_output(m, "attention.7")))
    yield of("without logits", *WITH_MODEL, make=files(lambda m: setattr(m.graph.output[0], "name", "scores")))
    yield of("an encoder's", *WITH_MODEL, make=files(lambda m: _as_encoder(m)))


def _as_encoder(model: ModelProto) -> None:
    model.graph.output[0].name = model.graph.node[1].output[0] = "last_hidden_state"
