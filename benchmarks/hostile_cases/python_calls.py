"""Calls of the Python API: whatever is wrong is an error of `export.errors`."""

from collections.abc import Iterator

from benchmarks.hostile_cases.case import DONE, Case, Of, mechanism
from benchmarks.hostile_cases.common import LONG
from benchmarks.hostile_cases.files import after, file, folder, link
from benchmarks.hostile_cases.tiny_graphs import files
from benchmarks.hostile_cases.tiny_models import MODEL, model
from benchmarks.hostile_cases.tiny_reports import report

#: Runs a call in a way that ends as commands do: errors of `export.errors` are one line, and others are a traceback.
_PROGRAM = """
from pathlib import Path
import numpy as np
from export.command import finish
from export.errors import ComparisonError
from compare import compare_attention_implementations as compare, load_mini_transformer as load
from compare import visualize_model_comparison as draw
from compare.report.schema import Report
both = dict(onnx=Path("file.onnx"), baseline=Path("baseline.onnx"), latency=False, sequence=8)
short = dict(runtimes=["onnxruntime"], latency=False, sequence=8)
import sys
try:
    {call}
except ComparisonError as error:
    print("error:", " ".join(str(error).split()).encode("ascii", "backslashreplace").decode(), file=sys.stderr)
    sys.exit(error.exit_code)
"""


def call(text: str) -> tuple[str, str]:
    """Return the command that makes a call."""
    return "python", _PROGRAM.replace("{call}", text)


#: Argument -> values of another type, as they are written in Python.
_OF_ANOTHER_TYPE: dict[str, tuple[str, ...]] = {
    "batch": ("'two'", "1.5", "None", "[1]"),
    "sequence": ("'8'", "1.5"),
    "threads": ("'2'", "1.5"),
    "timeout": ("'x'",),
    "time": ("'x'",),
    "precision": ("'x'",),
    "min_rounds": ("1.5",),
    "max_load": ("'x'",),
    "seed": ("1.5", "'x'"),
    "memory": ("'x'",),
    "grid": ("5", "[(8, 1)]", "b'8x1'"),
    "text": ("5", "b'bytes'", "['a']"),
    "runtimes": ("5", "[5]", "'onnxruntime'", "[None]", "{}"),
    "providers": ("5", "[5]"),
    "options": ("5", "['a']", "{'torch-eager': 5}", "{'torch-eager': {'matmul_precision': 5}}", "{5: {}}"),
    "device": ("5",),
    "exporter": ("5", "None"),
    "fail_on": ("5", "None"),
    "out": ("5", "b'x'"),
    "cache_dir": ("5",),
    "onnx": ("5",),
    "baseline": ("5",),
    "latency": ("'no'",),
    "quick": ("5",),
    "decode": ("[]",),
    "pin": ("'x'",),
    "fallback": ("'bogus'", "5"),
}

#: Argument -> values out of range.
_OUT_OF_RANGE: dict[str, tuple[str, ...]] = {
    "batch": ("0", "-1", "True"),
    "sequence": ("0",),
    "threads": ("0",),
    "timeout": ("float('nan')", "-1"),
    "time": ("float('nan')",),
    "precision": ("float('nan')", "0"),
    "max_load": ("2", "float('nan')"),
    "min_rounds": ("0",),
    "seed": ("-1",),
    "memory": ("0", "float('nan')"),
    "grid": ("''", "'x'", "'8x0'"),
    "runtimes": ("[]", "['bogus']"),
    "device": ("'gpu'", "''"),
    "text": ("''", "'\\ud800'", "' '"),
    "exporter": ("''",),
    "fail_on": ("'bogus'",),
    "providers": ("['']",),
    "options": ("{'bogus': {}}",),
}

#: Those of both that are not refused before the model is looked up.
_LATE = (
    *("batch=None", "exporter=None", "fail_on=None", "latency='no'", "quick=5", "decode=[]", "pin='x'", "runtimes={}"),
    *("fallback='bogus'", "fallback=5", "batch=True", "runtimes=[]"),
)


def cases() -> Iterator[Case]:
    """Yield the cases."""
    yield from _values_of_another_type()
    yield from _values_out_of_range()
    yield from _names_that_cannot_be()
    yield from _paths_as_text()
    yield from _figures()
    yield from _models_that_were_changed()


def _values_of_another_type() -> Iterator[Case]:
    of = mechanism("API: values of another type", codes=(2,), fast=True)
    yield from _with_each(of, _OF_ANOTHER_TYPE)


def _values_out_of_range() -> Iterator[Case]:
    of = mechanism("API: values out of range", codes=(2,), fast=True)
    yield from _with_each(of, _OUT_OF_RANGE)
    late = {"needs": ("byte-gpt2",), "fast": False, "codes": (2, 3)}
    for option in ("batch", "threads"):
        yield of(f"{option}=10**5", *call(f"compare('byte-gpt2', **{{**short, '{option}': 10**5}})"), **late)


def _with_each(of: Of, table: dict[str, tuple[str, ...]]) -> Iterator[Case]:
    """Yield a case for each value of each argument."""
    for text in (f"{argument}={value}" for argument, values in table.items() for value in values):
        yield of(text, *call(f"compare('/no/such', **{{**short, **dict({text})}})"), fast=text not in _LATE)


def _names_that_cannot_be() -> Iterator[Case]:
    of = mechanism("API: names that cannot be", codes=(2, 3), fast=True)
    for text in (
        *("'a\\0b'", "'./a\\0b'", "'\\ud800'", "'./\\ud800'", "''", "' '", "5", "Path('/no/such')", "b'x'", "['x']"),
        *(f"'./{LONG}'", "'~nobody-here/x'", "'a/b/c'"),
    ):
        yield of(f"compare({text[:20]})", *call(f"compare({text}, offline=True, **short)"))
        if text.startswith(("'", "f'")):  # an argument of another type is an error of Python
            yield of(f"load({text[:20]})", *call(f"load({text}, offline=True)"))
    no_paths = ("Path('a\\0b')", "Path('\\ud800')", f"Path('{LONG}')")
    make = after(file("f"), link("loop", "loop"))
    for option in ("out", "cache_dir"):
        for text in (*no_paths, "Path('/dev/null')", "Path('f')", "Path('loop')", "Path('')", "''", "'f'"):
            yield of(f"{option}={text[:20]}", *call(f"compare('./none', **short, {option}={text})"), make=make)
    for text in (*no_paths, "Path('/dev/zero')", "Path('.')", "'none'", "''"):
        yield of(f"onnx={text[:20]}", *call(f"compare(onnx={text}, baseline={text}, latency=False)"))


def _paths_as_text() -> Iterator[Case]:
    of = mechanism("API: paths as text", codes=(0, 2), writes=("new",), seconds=120)
    yield of(
        "files", *call("compare(onnx='file.onnx', baseline='baseline.onnx', latency=False, sequence=8)"), make=files()
    )
    yield of("out", *call("compare(**both, out='new')"), make=files())
    yield of("the cache", *call("compare(**both, cache_dir='new')"), make=files())
    yield of("a model's folder", *call("compare(Path('model'), **short)"), make=model())
    yield of(
        "numbers of NumPy",
        *call("compare(**{**both, 'sequence': np.int64(8), 'batch': np.int32(1)})"),
        make=files(),
        codes=DONE,
    )


def _figures() -> Iterator[Case]:
    of = mechanism("API: figures", codes=(2,), make=report(), fast=True)
    for text in (
        "layer=0",
        "head=0",
        "layer=-1, head=0",
        "layer=0, head=10**9",
        "layer='x', head=0",
        "layer=10**30, head=0",
        "layer=1.5, head=0",
        "layer=0, head=None",
    ):
        yield of(text, *call(f"draw(Report.read(Path('saved')), {text})"))
    for words, make, name in (
        ("a file", file("out"), "out"),
        ("below a file", file("out"), "out/x"),
        ("a link to itself", link("out", "out"), "out"),
        ("a device", folder("x"), "/dev/null"),
        ("too long", folder("x"), LONG),
    ):
        yield of(
            f"out is {words}", *call(f"draw(Report.read(Path('saved')), Path('{name}'))"), make=after(report(), make)
        )
    for text in ("Path('none')", "Path('/dev/zero')", "Path('a\\0b')", "Path('')", f"Path('{LONG}')"):
        yield of(f"read({text[:20]})", *call(f"Report.read({text})"))


def _models_that_were_changed() -> Iterator[Case]:
    of = mechanism("API: models that were changed", codes=(2, 3), needs=("byte-gpt2",), seconds=120)
    loaded = "import torch; m = load('byte-gpt2'); "
    for words, text in {
        "half of it in float16": "m.model.half()",
        "in float64": "m.model.double()",
        "on no device": "m.model.to('meta')",
        "without a tokenizer": "m = m._replace(tokenizer=None)",
        "without a model": "m = m._replace(model=None)",
        "without a source": "m = m._replace(provenance=None)",
        "a module of something else": "m = m._replace(model=torch.nn.Linear(2, 2))",
        "without its layers": "m.model.transformer.h = torch.nn.ModuleList()",
        "with a hook that raises": "m.model.register_forward_hook(lambda *_: 1 / 0)",
        "with other sizes in its configuration": "m.model.config.n_head = 3",
        "of NaN": "[p.data.fill_(float('nan')) for p in m.model.parameters()]",
    }.items():
        codes = (
            (0, 1, 2, 3)
            if words in ("of NaN", "without a tokenizer", "with other sizes in its configuration")
            else (2, 3)
        )
        yield of(words, *call(f"{loaded}{text}; sys.exit(compare(m, **short).exit_code())"), codes=codes)
    yield of("a tuple", *call("compare((1, 2, 3), **short)"), needs=(), fast=True)
    yield of("an object", *call("compare(object(), **short)"), needs=(), fast=True)
    yield of(
        "a broken folder",
        *call(f"load('./{MODEL}')"),
        make=after(model(), file(f"{MODEL}/config.json", "{")),
        needs=(),
        fast=True,
    )
