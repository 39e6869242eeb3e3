"""ONNX graphs whose names take the terminal or are markup, and unusual names of files."""

from collections.abc import Iterator
from pathlib import Path

from onnx import ModelProto, helper

from benchmarks.hostile_cases.case import DONE, Case, Make, mechanism
from benchmarks.hostile_cases.common import FILES, LONG, TITLE
from benchmarks.hostile_cases.files import after
from benchmarks.hostile_cases.tiny_graphs import FILE, Edit, files, own_operator, with_output

#: Sets the title, the colours and the direction of a terminal.
_TAKEN = f"{TITLE}\x1b[31m\x9b7m\u202e"


def cases() -> Iterator[Case]:
    """Yield the cases."""
    yield from _names_that_take_the_terminal()
    yield from _legal_names_that_take_the_terminal()


def _names_that_take_the_terminal() -> Iterator[Case]:
    of = mechanism("ONNX: names that take the terminal", codes=(2, 3))
    edits: dict[str, Edit] = {
        "an operator": lambda m: own_operator(m, _TAKEN, ""),
        "a domain": lambda m: own_operator(m, "Neg", _TAKEN),
        "a node": lambda m: own_operator(m, "Bogus", "", name=_TAKEN),
        "an undefined tensor": lambda m: m.graph.node[0].input.__setitem__(0, _TAKEN),
        "the graph": lambda m: _named(m, _TAKEN),
        "an attribute": lambda m: m.graph.node[0].attribute.append(helper.make_attribute(_TAKEN, 1)),
        "a dimension": lambda m: m.graph.input[0].CopyFrom(helper.make_tensor_value_info("input_ids", 7, [_TAKEN, 5])),
        "an input": lambda m: m.graph.input.append(helper.make_tensor_value_info(_TAKEN, 1, [1])),
        "an initializer": lambda m: setattr(m.graph.initializer[0], "name", _TAKEN),
        "the only output": lambda m: setattr(m.graph.output[0], "name", _TAKEN),
        "an operator of lines": lambda m: own_operator(m, "Bogus\nerror: a second line\n", ""),
        "an operator of 100 kB": lambda m: own_operator(m, "B" * 100_000, ""),
    }
    for words, edit in edits.items():
        yield of(words, *FILES, make=files(edit, both=True))
    edits = {
        "an operator, in one file": lambda m: own_operator(m, _TAKEN, ""),
        "a domain, in one file": lambda m: own_operator(m, "Neg", _TAKEN),
    }
    for words, edit in edits.items():
        for shape in ("terminal", "full", "markdown", "quiet", "json"):
            yield of(f"{words}, {shape}", *FILES, "--format", shape, make=files(edit), codes=(2, 3))


def _legal_names_that_take_the_terminal() -> Iterator[Case]:
    of = mechanism("ONNX: legal names that take the terminal", codes=DONE, seconds=120)
    edits: dict[str, Edit] = {
        "a further output": lambda m: with_output(m, _TAKEN),
        "the description": lambda m: setattr(m, "doc_string", _TAKEN),
        "the producer": lambda m: setattr(m, "producer_name", _TAKEN),
        "the metadata": lambda m: helper.set_model_props(m, {_TAKEN: _TAKEN}),
        "a node": lambda m: setattr(m.graph.node[0], "name", _TAKEN),
        "markup": lambda m: with_output(m, "[/red]"),
        "TeX": lambda m: with_output(m, "$x_{"),
        "HTML": lambda m: with_output(m, "<img src=x>|`"),
    }
    for words, edit in edits.items():
        yield of(words, *FILES, "--full", make=files(edit, both=True))
        yield of(f"{words}, in Markdown", *FILES, "--format", "markdown", make=files(edit, both=True), lacks=("<img",))
    for name in (f"{_TAKEN}.onnx", "a\nb.onnx", "[bold].onnx", "$x_{.onnx", f"{LONG[:240]}.onnx"):
        moved = after(files(), _moved(name))
        codes = DONE if name.isprintable() else (2,)
        command = ("compare", "--onnx", f"./{name}", *FILES[3:], "--full")
        yield of(f"the file {name[:30]!a}", *command, make=moved, codes=codes)


def _named(model: ModelProto, name: str) -> None:
    model.graph.name = name
    own_operator(model, "Bogus", "")


def _moved(name: str) -> Make:
    def made(work: Path) -> None:
        (work / FILE).rename(work / name)

    return made
