"""ONNX files that are no graphs, and graphs whose parts are missing, wrong, nested or very many."""

from collections.abc import Iterator

import numpy as np
from onnx import FunctionProto, ModelProto, TensorProto, helper

from benchmarks.hostile_cases.case import Case, mechanism
from benchmarks.hostile_cases.common import FILES, GIT_LFS, WITH_MODEL
from benchmarks.hostile_cases.files import after, file, folder, link, pipe, sparse
from benchmarks.hostile_cases.tiny_graphs import BASELINE, FILE, Edit, constant, files, graph


def cases() -> Iterator[Case]:
    """Yield the cases."""
    yield from _files_that_are_none()
    yield from _bytes_that_are_no_graph()
    yield from _very_large_files()
    yield from _parts_that_are_missing()
    yield from _versions_that_are_none()
    yield from _names_that_are_used_twice()
    yield from _bytes_that_are_no_text()
    yield from _graphs_in_graphs()
    yield from _very_many_parts()


def _files_that_are_none() -> Iterator[Case]:
    of = mechanism("ONNX: a file that is none", codes=(2,), fast=True)
    yield of("missing", *FILES)
    yield of("a folder", *FILES, make=after(files(), folder(FILE)))
    yield of("a pipe", *FILES, make=after(files(), pipe(FILE)))
    yield of("a link to itself", *FILES, make=after(files(), link(FILE, FILE)))
    yield of("a link to nothing", *FILES, make=after(files(), link(FILE, "none")))
    yield of("a device without an end", *FILES, make=after(files(), link(FILE, "/dev/zero")))
    yield of("the baseline is a folder", *FILES, make=after(files(), folder(BASELINE)))
    yield of("the baseline is a pipe", *FILES, make=after(files(), pipe(BASELINE)))
    yield of("below a file", "compare", "--onnx", f"{FILE}/x", "--baseline", BASELINE, make=files())
    yield of("with a model, a pipe", *WITH_MODEL, make=pipe(FILE))


def _bytes_that_are_no_graph() -> Iterator[Case]:
    of = mechanism("ONNX: bytes that are no graph", codes=(2,), fast=True)
    content = graph().SerializeToString()
    for words, given in {
        "empty": b"",
        "a text": b"model\n",
        "zeros": bytes(1000),
        "ones": b"\xff" * 1000,
        "random": np.random.default_rng(0).bytes(5000),
        "JSON": b'{"ir_version": 10}',
        "PNG": b"\x89PNG\r\n\x1a\n" + bytes(100),
        "a pointer of Git LFS": GIT_LFS,
        "half of a graph": content[: len(content) // 2],
        "all but a byte": content[:-1],
        "a length beyond the end": content[:20] + b"\x3a\xff\xff\xff\xff\x0f",
        "a graph twice": content + content,
    }.items():
        codes = (0, 2, 3) if words == "a graph twice" else (2,)
        yield of(words, *FILES, make=after(files(), file(FILE, given)), codes=codes, fast=codes == (2,))


def _very_large_files() -> Iterator[Case]:
    of = mechanism("ONNX: very large files", codes=(2, 3))
    content = graph().SerializeToString()
    for size in (3 * 10**9, 10**12):
        yield of(f"{size:,} zeros", *FILES, make=after(files(), sparse(FILE, size)))
    yield of("a graph and 3 GB of zeros", *FILES, make=after(files(), sparse(FILE, 3 * 10**9, content)))
    yield of("with a model", *WITH_MODEL, make=sparse(FILE, 10**12))


def _parts_that_are_missing() -> Iterator[Case]:
    of = mechanism("ONNX: parts that are missing", codes=(2,), fast=True)
    for part in ("node", "output", "input", "initializer"):
        fast = part in ("node", "output")
        yield of(
            f"no {part}",
            *FILES,
            make=files(lambda m, part=part: m.graph.ClearField(part)),
            codes=(2,) if fast else (2, 3),
            fast=fast,
        )
    for part in ("graph", "opset_import", "ir_version"):
        yield of(f"no {part}", *FILES, make=files(lambda m, part=part: m.ClearField(part)))
    yield of(
        "no initializer, in both",
        *FILES,
        make=files(lambda m: m.graph.ClearField("initializer"), both=True),
        fast=False,
        codes=(2, 3),
    )


def _versions_that_are_none() -> Iterator[Case]:
    of = mechanism("ONNX: versions that are none", codes=(2, 3))
    for number in (0, -1, 999, 2**62):
        yield of(f"IR {number}", *FILES, make=files(lambda m, n=number: setattr(m, "ir_version", n), both=True))
    for number in (0, -1, 999, 2**62):
        yield of(
            f"opset {number}",
            *FILES,
            make=files(lambda m, n=number: setattr(m.opset_import[0], "version", n), both=True),
        )
    yield of(
        "opset of another domain alone",
        *FILES,
        make=files(lambda m: setattr(m.opset_import[0], "domain", "bogus"), both=True),
    )
    yield of(
        "two opsets of one domain",
        *FILES,
        make=files(lambda m: m.opset_import.add(domain="", version=1) and None, both=True),
    )


def _names_that_are_used_twice() -> Iterator[Case]:
    of = mechanism("ONNX: names that are used twice", codes=(0, 2, 3))
    for words, command, both in (
        ("outputs", FILES, True),
        ("outputs of one file", FILES, False),
        ("outputs, with a model", WITH_MODEL, False),
    ):
        make = files(lambda m: m.graph.output.append(m.graph.output[0]), both=both)
        yield of(words, *command, make=make, codes=(2,), fast=True)
    edits: dict[str, Edit] = {
        "inputs": lambda m: m.graph.input.append(m.graph.input[0]),
        "initializers": lambda m: m.graph.initializer.append(m.graph.initializer[0]),
        "nodes that make one tensor": lambda m: m.graph.node.append(m.graph.node[0]),
        "names of nodes": lambda m: setattr(m.graph.node[0], "name", "project"),
        "metadata": _metadata_twice,
        "metadata of taps": lambda m: helper.set_model_props(m, {"tap logits": "attention.0"}),
    }
    for words, edit in edits.items():
        yield of(words, *FILES, make=files(edit, both=True))


def _bytes_that_are_no_text() -> Iterator[Case]:
    of = mechanism("ONNX: bytes that are no text", codes=(2, 3))
    for word in (b"Gather", b"MatMul", b"hidden", b"tiny", b"batch", b"logits", b"input_ids", b"table", b"embed"):
        broken = word[:-2] + b"\xff\xfe"
        yield of(
            word.decode(),
            *FILES,
            make=files(lambda m, w=word, b=broken: m.SerializeToString().replace(w, b)),
            codes=(0, 2, 3),
        )
        yield of(
            f"{word.decode()}, in both",
            *FILES,
            make=files(lambda m, w=word, b=broken: m.SerializeToString().replace(w, b), both=True),
            codes=(0, 2, 3),
        )


def _graphs_in_graphs() -> Iterator[Case]:
    of = mechanism("ONNX: graphs in graphs", codes=(2, 3))
    for depth in (10, 20, 30):
        yield of(
            f"{depth} deep", *FILES, make=files(lambda m, depth=depth: _nested(m, depth), both=True), codes=(0, 2, 3)
        )
    for depth in (100, 10_000):
        content = graph().SerializeToString() + _deep(depth)
        yield of(f"{depth:,} deep, as bytes", *FILES, make=after(files(), file(FILE, content)))
    yield of("a function that calls itself", *FILES, make=files(_calls_itself, both=True))
    yield of("functions that double, 30 deep", *FILES, make=files(_doubling, both=True), seconds=120)


def _very_many_parts() -> Iterator[Case]:
    of = mechanism("ONNX: very many parts", codes=(0, 2, 3), seconds=120)
    yield of("20,000 nodes", *FILES, make=files(_long, both=True))
    yield of("100,000 inputs of a node", *FILES, make=files(_wide, both=True))
    for count in (8_000, 20_000):
        yield of(f"{count:,} outputs", *FILES, make=files(lambda m, count=count: _outputs(m, count), both=True))
    yield of(
        "100,000 entries of metadata",
        *FILES,
        make=files(lambda m: helper.set_model_props(m, {f"k{n}": "v" for n in range(100_000)}), both=True),
    )
    yield of("a name of 10 MB", *FILES, make=files(lambda m: setattr(m.graph, "name", "n" * 10**7), both=True))


def _metadata_twice(model: ModelProto) -> None:
    for value in "ab":
        model.metadata_props.add(key="k", value=value)


def _nested(model: ModelProto, depth: int) -> None:
    """Put an If into a branch of an If, and so on."""
    out = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])
    leaf = helper.make_graph([helper.make_node("Constant", [], ["x"], value_floats=[1.0])], "leaf", [], [out])
    inner = leaf
    for _ in range(depth):
        node = helper.make_node("If", ["yes"], ["x"], then_branch=inner, else_branch=leaf)
        inner = helper.make_graph([node], "branch", [], [out])
    constant(model, "yes", np.array(True))
    model.graph.node.insert(0, helper.make_node("If", ["yes"], ["nested"], then_branch=inner, else_branch=leaf))


def _deep(depth: int) -> bytes:
    """Return the field of a model with a graph in an attribute of a node of a graph, and so on."""
    content = b""
    for _ in range(depth):
        for field in (6, 5, 1):  # the graph of an attribute, an attribute of a node, a node of a graph
            content = _field(field, content)
    return _field(7, content)


def _field(number: int, content: bytes) -> bytes:
    """Return a field of a protobuf message that is a message."""
    length, left = bytearray(), len(content)
    while left > 127:
        length.append(left & 127 | 128)
        left >>= 7
    return bytes([number << 3 | 2, *length, left]) + content


def _calls_itself(model: ModelProto) -> None:
    body = [helper.make_node("Self", ["a"], ["b"], domain="own")]
    _functions(
        model, [helper.make_function("own", "Self", ["a"], ["b"], body, [helper.make_opsetid("own", 1)])], "Self"
    )


def _doubling(model: ModelProto) -> None:
    """Add functions of which each calls the next one twice."""
    opsets = [helper.make_opsetid("own", 1), helper.make_opsetid("", 20)]
    made = []
    for depth in range(30):
        kind, domain = (f"F{depth + 1}", "own") if depth < 29 else ("Neg", "")
        body = [
            helper.make_node(kind, ["a"], ["c"], domain=domain),
            helper.make_node(kind, ["c"], ["b"], domain=domain),
        ]
        made.append(helper.make_function("own", f"F{depth}", ["a"], ["b"], body, opsets))
    _functions(model, made, "F0")


def _functions(model: ModelProto, made: list[FunctionProto], first: str) -> None:
    model.opset_import.append(helper.make_opsetid("own", 1))
    model.functions.extend(made)
    model.graph.node[0].output[0] = "looked_up"
    model.graph.node.insert(1, helper.make_node(first, ["looked_up"], ["hidden"], domain="own"))


def _long(model: ModelProto) -> None:
    model.graph.node[0].output[0] = "t0"
    model.graph.node.extend(helper.make_node("Neg", [f"t{n}"], [f"t{n + 1}"]) for n in range(20_000))
    model.graph.node.append(helper.make_node("Identity", ["t20000"], ["hidden"]))
    last = model.graph.node.pop(1)
    model.graph.node.append(last)


def _wide(model: ModelProto) -> None:
    model.graph.node[0].output[0] = "looked_up"
    model.graph.node.insert(1, helper.make_node("Max", ["looked_up"] * 100_000, ["hidden"]))


def _outputs(model: ModelProto, count: int) -> None:
    for number in range(count):
        model.graph.node.append(helper.make_node("Identity", ["hidden"], [f"hidden_state.{number}"]))
        model.graph.output.append(helper.make_tensor_value_info(f"hidden_state.{number}", TensorProto.FLOAT, None))
