"""Saved reports: files that are none, values that no comparison writes, and maps of attention."""

import json
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.hostile_cases.case import Case, Make, mechanism
from benchmarks.hostile_cases.common import LONG, TITLE
from benchmarks.hostile_cases.files import after, file, folder, link, pipe, sparse
from benchmarks.hostile_cases.tiny_reports import DIFF, FORMATS, GONE, MAPS, REPORT, SHOW, SMALL, Place, maps_of, report


def cases() -> Iterator[Case]:
    """Yield the cases."""
    yield from _no_reports()
    yield from _values()
    yield from _texts()
    yield from _listed()
    yield from _maps()


def _no_reports() -> Iterator[Case]:
    yield from _a_file_that_is_none()
    yield from _schemas()


def _a_file_that_is_none() -> Iterator[Case]:
    of = mechanism("report: a file that is none", codes=(2,), fast=True)
    for words, content in {
        "empty": b"",
        "cut": SMALL.read_bytes()[:5000],
        "cut by a byte": SMALL.read_bytes().rstrip()[:-1],
        "an empty object": b"{}",
        "a list": b"[]",
        "null": b"null",
        "a number": b"5",
        "zeros": bytes(1000),
        "a text": b"report",
        "UTF-16": SMALL.read_text().encode("utf-16"),
        "nested 100,000 deep": b"[" * 100_000,
        "objects 50,000 deep": b'{"a":' * 50_000,
        "a PNG": b"\x89PNG\r\n\x1a\n",
        "bytes that are no text": SMALL.read_bytes().replace(b"tiny", b"t\xff\xfey"),
        "a surrogate": SMALL.read_bytes().replace(b"tiny", b"\\ud800"),
        "a number of 5000 digits": SMALL.read_bytes().replace(b'"seed":0', b'"seed":' + b"9" * 5000),
    }.items():
        yield of(f"{words}, show", *SHOW, make=file(REPORT, content))
        yield of(
            f"{words}, diff",
            "compare",
            "diff",
            "right",
            "saved",
            make=after(report(name="right/report.json"), file(REPORT, content)),
        )
    yield of("nothing, rejudge", "compare", "rejudge", "saved", make=file(REPORT, b""))
    for words, make in {
        "a folder": folder(REPORT),
        "a pipe": pipe(REPORT),
        "a link to itself": link(REPORT, "report.json"),
        "a link to nothing": link(REPORT, "none"),
        "a device without an end": link(REPORT, "/dev/zero"),
        "20 GB of zeros": sparse(REPORT, 2 * 10**10),
    }.items():
        yield of(words, *SHOW, make=make, fast="GB" not in words)
    for path in ("/dev/zero", "/dev/null", "/etc/passwd", "/", "/proc/self/mem", ".", "saved/report.json/x"):
        yield of(f"show {path}", "compare", "show", path, make=report())


def _schemas() -> Iterator[Case]:
    of = mechanism("report: schemas", codes=(2,), fast=True)
    for version in (99, 12, 0, -1, 10**30, "11", "x", 1.5, [], {}):
        may = (0, 2) if version in ("11", 0, -1) else (2,)
        yield of(json.dumps(version)[:20], *SHOW, make=report((("schema_version",), version)), codes=may)
    yield of("99 and unknown fields", *SHOW, make=report((("schema_version",), 99), (("new",), 5)), says="99")
    yield of("99, diff", *DIFF, make=report((("schema_version",), 99)), says="99")
    yield of("99, rejudge", "compare", "rejudge", "saved", make=report((("schema_version",), 99)), says="99")
    yield of(
        "99, list",
        "compare",
        "list",
        "--cache-dir",
        "c",
        make=report((("schema_version",), 99), name="c/reports/a/report.json"),
        codes=(0,),
    )


def _values() -> Iterator[Case]:
    yield from _values_of_another_type()
    yield from _nothing_in_it()
    yield from _numbers_that_no_comparison_measures()
    yield from _times_that_no_clock_measures()


def _values_of_another_type() -> Iterator[Case]:
    of = mechanism("report: values of another type", codes=(2,), fast=True)
    for field in (
        "created",
        "model",
        "input",
        "environment",
        "runtimes",
        "latency",
        "rounds",
        "heads",
        "decoding",
        "limits",
        "phases",
        "notes",
    ):
        for value in (5, "x", [5]):
            if not (field == "created" and value == "x") and not (field == "rounds" and value == 5):
                yield of(f"{field} {json.dumps(value)}", *SHOW, make=report(((field,), value)))
    for field in ("created", "input", "environment", "runtimes", "latency", "rounds", "heads", "fail_on", "seed"):
        may = (0, 2) if field == "fail_on" else (2,)
        yield of(f"{field} null", *SHOW, make=report(((field,), None)))
        yield of(f"no {field}", *SHOW, make=report(((field,), GONE)), codes=may)
    yield of("an unknown field", *SHOW, make=report((("bogus",), 5)))
    yield of("an unknown verdict", *SHOW, make=report((("runtimes", 0, "verdict", "kind"), "bogus")))
    yield of("an unknown --fail-on", *SHOW, make=report((("fail_on",), "bogus")))


def _nothing_in_it() -> Iterator[Case]:
    of = mechanism("report: nothing in it", codes=(0, 1, 2), fast=True)
    nothing = (("runtimes",), [])
    for shape in FORMATS:
        yield of(f"no runtimes, {shape}", *SHOW, "--format", shape, make=report(nothing))
        yield of(
            f"no runtimes and no model, {shape}",
            *SHOW,
            "--format",
            shape,
            make=report(nothing, (("model",), None), (("latency",), [])),
        )
        yield of(
            f"no baseline, {shape}",
            *SHOW,
            "--format",
            shape,
            make=report((("latency", 0), {"runtime": "x", "again": False})),
        )
        yield of(
            f"no gaps, {shape}",
            *SHOW,
            "--format",
            shape,
            make=report((("runtimes", 0, "gaps"), []), (("runtimes", 1, "gaps"), [])),
        )
        yield of(
            f"no tokens, {shape}",
            *SHOW,
            "--format",
            shape,
            make=report((("input", "tokens"), []), (("input", "sequence"), 0)),
        )
        yield of(
            f"no latency, {shape}",
            *SHOW,
            "--format",
            shape,
            make=report((("latency",), []), (("rounds",), 0)),
            codes=(0, 2),
        )
    for command in (("rejudge", "saved"), ("diff", "saved", "saved")):
        yield of(f"no runtimes, {command[0]}", "compare", *command, make=report(nothing))
        yield of(
            f"no runtimes and no latency, {command[0]}", "compare", *command, make=report(nothing, (("latency",), []))
        )
        yield of(
            f"no evidence, {command[0]}",
            "compare",
            *command,
            make=report((("runtimes", 0, "verdict"), None), (("runtimes", 1, "gaps"), [])),
        )


def _numbers_that_no_comparison_measures() -> Iterator[Case]:
    of = mechanism("report: numbers that no comparison measures", codes=(0, 1, 2), fast=True)
    gap, runtime = ("runtimes", 1, "gaps", 1), ("runtimes", 1)
    changed: dict[str, list[tuple[Place, Any]]] = {
        "no layers": [(("model", "layers"), 0)],
        "layers below 0": [(("model", "layers"), -5)],
        "10^12 layers": [(("model", "layers"), 10**12)],
        "10^12 heads": [(("model", "heads"), 10**12)],
        "a sequence of 0": [(("input", "sequence"), 0)],
        "a sequence of 10^12": [(("input", "sequence"), 10**12)],
        "a batch of -1": [(("input", "batch"), -1)],
        "no cores": [(("environment", "cores"), 0)],
        "memory of 10^30": [(("environment", "memory_bytes"), 10**30)],
        "infinite gaps": [((*gap, "max"), 1e999), ((*gap, "rms"), 1e999)],
        "gaps of NaN": [((*gap, "max"), float("nan"))],
        "gaps below 0": [((*gap, "max"), -1.0), ((*gap, "size"), -1.0)],
        "a size of 0": [((*gap, "size"), 0.0)],
        "1e-320": [((*gap, "max"), 1e-320), ((*gap, "size"), 1e-320)],
        "a tensor of layer 10^9": [((*gap, "tensor"), "attention.1000000000")],
        "a tensor of layer 10^30": [((*gap, "tensor"), f"attention.{'9' * 30}")],
        "a tensor of layer -1": [((*gap, "tensor"), "attention.-1")],
        "a tensor of no layer": [((*gap, "tensor"), "attention.x")],
        "a tensor without a name": [((*gap, "tensor"), "")],
        "an unknown tensor": [((*gap, "tensor"), "bogus.0")],
        "a place beyond the tensor": [((*gap, "place"), [10**9] * 4)],
        "a place of no dimensions": [((*gap, "place"), [])],
        "a place of 100 dimensions": [((*gap, "place"), [1] * 100)],
        "two units in the last place": [((*gap, "ulps"), [1.0])],
        "a negative seed": [(("seed",), -1)],
        "-1 rounds": [(("rounds",), -1)],
        "shifts of 0": [(("shifts",), 0)],
        "phases of NaN": [(("phases",), {"x": float("nan")})],
        "a head of layer 10^9": [(("heads", 0, "layer"), 10**9), (("heads", 0, "head"), -1)],
        "a verdict of 1e308 floors": [((*runtime, "verdict", "multiple"), 1e308)],
        "a verdict without a statistic": [
            ((*runtime, "verdict", "statistic"), None),
            ((*runtime, "verdict", "kind"), "different"),
        ],
        "a verdict without floors": [
            ((*runtime, "verdict", "multiple"), None),
            ((*runtime, "verdict", "kind"), "different"),
        ],
        "an unknown statistic": [
            ((*runtime, "verdict", "statistic"), "bogus"),
            ((*runtime, "verdict", "kind"), "different"),
        ],
        "a perplexity of 1e308": [((*runtime, "decisions", "perplexity"), 1e308)],
        "no positions": [((*runtime, "decisions", "positions"), 0)],
        "two runtimes of one name": [((*runtime, "name"), "torch-eager")],
        "a date that is none": [(("created",), "yesterday")],
        "a date of the year 99999": [(("created",), "99999-01-01T00:00:00+00:00")],
        "no date": [(("created",), "")],
        "a time limit of 0": [(("time_s",), 0)],
        "a precision of 0": [(("precision",), 0)],
        "limits of 0": [
            (
                ("verdict_limits",),
                {side: dict.fromkeys(("rms", "max", "channel", "slope"), 0.0) for side in ("local", "accumulated")},
            )
        ],
    }
    for words, changes in changed.items():
        for shape in ("terminal", "full", "html"):
            yield of(f"{words}, {shape}", *SHOW, "--format", shape, make=report(*changes))


def _times_that_no_clock_measures() -> Iterator[Case]:
    of = mechanism("report: times that no clock measures", codes=(0, 1, 2), fast=True)
    row = ("latency", 1)
    changed = {
        "0": [((*row, "turns"), {str(n): [0] for n in range(12)}), ((*row, "median_ms"), 0.0)],
        "below 0": [((*row, "turns"), {str(n): [-5] for n in range(12)}), ((*row, "median_ms"), -1.0)],
        "10^30": [((*row, "turns"), {str(n): [10**30] for n in range(12)})],
        "rounds below 0": [((*row, "turns"), {"-1": [5]})],
        "empty rounds": [((*row, "turns"), {"0": []})],
        "an empty ratio": [((*row, "ratio"), {"estimate": 0.0, "low": 0.0, "high": 0.0})],
        "a ratio of NaN": [((*row, "ratio"), {"estimate": float("nan"), "low": float("nan"), "high": float("nan")})],
        "a ratio turned around": [((*row, "ratio"), {"estimate": 1.0, "low": 2.0, "high": 0.5})],
        "infinite ones": [((*row, "median_ms"), 1e999), ((*row, "load_s"), 1e999)],
        "100,000 samples": [((*row, "turns"), {str(n): [10**6] * 100 for n in range(1000)})],
    }
    for words, changes in changed.items():
        for shape in ("terminal", "full", "html", "pytest-benchmark"):
            yield of(f"{words}, {shape}", *SHOW, "--format", shape, make=report(*changes))
        yield of(f"{words}, diff", *DIFF, make=report(*changes))


def _texts() -> Iterator[Case]:
    """Yield reports whose texts take the terminal, or are markup of a format."""
    taken = f"{TITLE}\x1b[31m\x9b7m\u202e\u2028"
    everywhere: list[tuple[str, Place]] = [
        ("a runtime", ("runtimes", 1, "name")),
        ("an error", ("runtimes", 1, "error")),
        ("the model", ("model", "name")),
        ("its provenance", ("model", "provenance")),
        ("its type", ("model", "type")),
        ("a token", ("input", "tokens", 0)),
        ("a tensor", ("runtimes", 1, "gaps", 0, "tensor")),
        ("a verdict's place", ("runtimes", 1, "verdict", "place")),
        ("a verdict's note", ("runtimes", 1, "verdict", "note")),
        ("a fact", ("runtimes", 1, "facts")),
        ("a note", ("notes",)),
        ("the processor", ("environment", "processor")),
        ("a package", ("environment", "packages")),
        ("the date", ("created",)),
        ("the command", ("command",)),
        ("a head", ("heads", 0, "name")),
        ("a timed runtime", ("latency", 1, "runtime")),
        ("a phase", ("phases",)),
        ("an operator", ("observer", "operators")),
    ]

    def value(place: Place, text: str) -> Any:
        if place[-1] == "notes":
            return [text]
        if place[-1] == "phases":
            return {text: 1.0}
        if place[-1] == "operators":
            return {text: [1, 2]}
        return {text: text} if place[-1] in ("facts", "packages") else text

    of = mechanism("report: texts that take the terminal", codes=(0, 1, 2, 3), fast=True)
    for words, place in everywhere:
        make = report((place, value(place, taken)))
        for shape in ("full", "html"):
            yield of(f"{words}, {shape}", *SHOW, "--format", shape, make=make)
    changes = [(place, value(place, taken)) for _, place in everywhere if place[:3] != ("runtimes", 1, "name")]
    for shape in FORMATS:
        yield of(f"all, {shape}", *SHOW, "--format", shape, make=report(*changes))
    for words, command in {
        "rejudge": ("rejudge", "saved"),
        "diff": ("diff", "saved", "saved"),
        "diff as JSON": ("diff", "saved", "saved", "--json"),
        "explained": ("show", "saved", "--explain", "onnxruntime"),
    }.items():
        yield of(f"all, {words}", "compare", *command, make=report(*changes))
    yield of("an unknown field", *SHOW, make=report(((taken,), 5)), codes=(2,))
    yield of("a wrong value", *SHOW, make=report((("rounds",), taken)), codes=(2,))
    yield of("a schema", *SHOW, make=report((("schema_version",), taken)), codes=(2,))
    yield of("an unknown verdict", *SHOW, make=report((("fail_on",), taken)), codes=(2,))
    yield of("the folder", "compare", "show", f"./{taken}", "--full", make=report(name=f"{taken}/report.json"))
    yield of(
        "the folder of a wrong one",
        "compare",
        "show",
        f"./{taken}",
        make=file(f"{taken}/report.json", "{}"),
        codes=(2,),
    )

    of = mechanism("report: texts that are markup", codes=(0, 1, 2, 3), fast=True)
    markups = {
        "HTML": "<img src=x onerror=alert(1)></script><script>alert(1)</script>",
        "Markdown": "|x](javascript:alert(1)) ![a](b) `` ` ```\n# heading\n",
        "rich": "[bold red]x[/] [/red] [link=file:///]x[/link]",
        "TeX": "$\\frac{$ $x_{$ \\$",
        "a template": "{{ 7*7 }} {% raw %} ${x}",
    }
    for words, text in markups.items():
        changes = [(place, value(place, text)) for _, place in everywhere]
        for shape in FORMATS:
            lacks = ("<img src=x", "<script>alert") if shape in ("html", "markdown") else ()
            yield of(f"{words}, {shape}", *SHOW, "--format", shape, make=report(*changes), lacks=lacks)
        for where, place in everywhere[:6]:
            yield of(
                f"{words} in {where}, html",
                *SHOW,
                "--format",
                "html",
                make=report((place, value(place, text))),
                lacks=("<img src=x", "<script>alert"),
            )
        yield of(f"{words}, diff", *DIFF, make=report(*changes))

    of = mechanism("report: very long texts", codes=(0, 1, 2, 3), seconds=60)
    for words, place in everywhere[:6]:
        make = report((place, value(place, "n" * 100_000)))
        for shape in ("terminal", "full", "html"):
            yield of(f"{words}, {shape}", *SHOW, "--format", shape, make=make)
    yield of("100,000 notes", *SHOW, "--full", make=report((("notes",), ["note"] * 100_000)))
    many = [{**json.loads(SMALL.read_text())["runtimes"][0], "name": f"r{n}"} for n in range(2000)]
    for shape in ("terminal", "full", "html"):
        yield of(f"2000 runtimes, {shape}", *SHOW, "--format", shape, make=report((("runtimes",), many)), seconds=120)
    yield of("a million tokens", *SHOW, "--full", make=report((("input", "tokens"), ["a"] * 10**6)))

    drawn = (
        "from pathlib import Path; from compare import visualize_model_comparison as draw\n"
        "from compare.report.schema import Report\n"
        "from export.command import finish\n"
        "finish(lambda: draw(Report.read(Path('saved')), Path('figures')) and None)"
    )
    of = mechanism("report: figures of texts", codes=(0, 2), writes=("figures",), seconds=120)
    for words, text in {
        **markups,
        "control characters": taken,
        "a path": "../../../tmp/taken",
        "nothing": "",
        "a zero byte": "a\0b",
        "300 letters": LONG,
    }.items():
        yield of(words, "python", drawn, make=report(*((place, value(place, text)) for _, place in everywhere)))
        maps = after(
            report((("runtimes", 1, "name"), text)),
            maps_of(lambda maps, text=text: {**maps, f"{text}/attention.0": maps["golden/attention.0"]}),
        )
        yield of(f"{words} as a runtime", "python", drawn, make=maps)


def _listed() -> Iterator[Case]:
    of = mechanism("reports in the cache: names and contents", codes=(0,), fast=True, writes=("c/reports/a/.lock",))
    taken = f"{TITLE}\x9b7m"
    there = "c/reports"
    for words, make in {
        "a name that takes the terminal": report(name=f"{there}/{taken}/report.json"),
        "a name of lines": report(name=f"{there}/a\nb/report.json"),
        "a name that is no text": report(name=f"{there}/\udcff/report.json"),
        "a model that takes the terminal": report((("model", "name"), taken), name=f"{there}/a/report.json"),
        "a report that is none": file(f"{there}/a/report.json", b"\xff"),
        "a pipe": pipe(f"{there}/a/report.json"),
        "a folder in the place of a report": folder(f"{there}/a/report.json"),
        "a device without an end": link(f"{there}/a/report.json", "/dev/zero"),
        "a link to itself": link(f"{there}/a", "a"),
        "a file": file(f"{there}/a"),
        "a lock that is a folder": after(report(name=f"{there}/a/report.json"), folder(f"{there}/a/.lock")),
        "a lock that is a pipe": after(report(name=f"{there}/a/report.json"), pipe(f"{there}/a/.lock")),
        "a lock that is a link": after(
            report(name=f"{there}/a/report.json"), link(f"{there}/a/.lock", "../../../mine")
        ),
    }.items():
        yield of(f"{words}, list", "compare", "list", "--cache-dir", "c", make=make)
        yield of(f"{words}, list --json", "compare", "list", "--json", "--cache-dir", "c", make=make)
        yield of(f"{words}, show", "compare", "show", "--cache-dir", "c", make=make, codes=(0, 2))
        yield of(
            f"{words}, remove",
            "compare",
            "remove",
            "--older-than",
            "0d",
            "--dry-run",
            "--cache-dir",
            "c",
            make=make,
            codes=(0, 2),
        )
    yield of(
        "a report with a link out of it, remove",
        "compare",
        "remove",
        "a",
        "--cache-dir",
        "c",
        writes=("c",),
        make=after(
            file("mine/a", "mine"), report(name=f"{there}/a/report.json"), link(f"{there}/a/out", "../../../mine")
        ),
    )
    yield of(
        "a link out of the cache, remove",
        "compare",
        "remove",
        "a",
        "--cache-dir",
        "c",
        make=after(report(name="mine/report.json"), folder(there), link(f"{there}/a", "../../mine")),
        codes=(2,),
    )


class _Touches:
    """Makes a file when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (Path("ran"),)


def _maps() -> Iterator[Case]:
    shown = (*SHOW, "--format", "html")
    of = mechanism("maps: a file that is none", codes=(0, 2), fast=True)
    for words, content in {
        "empty": b"",
        "no zip": b"x" * 100,
        "an empty zip": b"PK\x05\x06" + bytes(18),
        "an array": b"\x93NUMPY\x01\x00v\x00{'descr': '<f8', 'fortran_order': False, 'shape': (1,), }".ljust(128)
        + bytes(8),
        "a pickle": b"\x80\x04K\x01.",
    }.items():
        yield of(words, *shown, make=after(report(), file(MAPS, content)))
    for words, make in {
        "a folder": folder(MAPS),
        "a pipe": pipe(MAPS),
        "a link to itself": link(MAPS, "maps.npz"),
        "a device without an end": link(MAPS, "/dev/zero"),
        "20 GB of zeros": sparse(MAPS, 2 * 10**10),
    }.items():
        yield of(words, *shown, make=after(report(), make), fast="GB" not in words)
    of = mechanism("maps: members of a zip", codes=(0, 2))
    for words, members in {
        "a bomb of 4 GB": {"golden/attention.0.npy": _header((2 * 10**9,), "<f2")},
        "a size of 10^15": {"golden/attention.0.npy": _header((10**15,), "<f2") + bytes(10)},
        "a size below 0": {"golden/attention.0.npy": _header((-1, 2), "<f2") + bytes(10)},
        "no arrays": {"readme.txt": b"x", "golden/attention.0.npy": b"x"},
        "code in a header": {
            "golden/attention.0.npy": b"\x93NUMPY\x01\x00v\x00__import__('os').system('touch ran')".ljust(128)
        },
        "names above the folder": {
            "../../x.npy": _header((1,), "<f2") + bytes(2),
            "golden/attention.0.npy": _header((1,), "<f2") + bytes(2),
        },
        "members without an end": {"golden/attention.0.npy": _header((4, 32, 32), "<f2") + bytes(100)},
    }.items():
        yield of(
            words,
            *shown,
            make=after(report(), _zip(members, bomb=4 * 10**9 if "bomb" in words else 0)),
            fast="bomb" not in words,
        )
    of = mechanism("maps: arrays that do not fit", codes=(0, 2), fast=True)
    name = "golden/attention.0"
    edits: dict[str, Callable[..., dict[str, Any]]] = {
        "another shape": lambda maps: {**maps, name: np.zeros((4, 3, 5), np.float16)},
        "one dimension": lambda maps: {**maps, name: np.zeros(7)},
        "no elements": lambda maps: {**maps, name: np.zeros((0, 0, 0), np.float16)},
        "texts": lambda maps: {**maps, name: np.full((4, 32, 32), "x")},
        "complex numbers": lambda maps: {**maps, name: np.zeros((4, 32, 32), complex)},
        "NaN": lambda maps: {**maps, name: np.full((4, 32, 32), np.nan, np.float16)},
        "below 0 and above 1": lambda maps: {**maps, name: np.full((4, 32, 32), -9, np.float16)},
        "objects": lambda maps: {**maps, name: np.array([_Touches()], dtype=object)},
        "no number of a layer": lambda maps: {**maps, "golden/attention.x": maps[name]},
        "a layer of 10^9": lambda maps: {**maps, "golden/attention.1000000000": maps[name]},
        "golden alone": lambda maps: {key: value for key, value in maps.items() if key.startswith("golden")},
        "no golden": lambda maps: {key: value for key, value in maps.items() if not key.startswith("golden")},
        "no largest": lambda maps: {key: value for key, value in maps.items() if "largest" not in key},
        "largest of another size": lambda maps: {**maps, "torch-eager/attention.0/largest": np.ones(1)},
        "fewer heads": lambda maps: {**maps, "torch-eager/attention.0": maps[name][:1]},
        "another runtime": lambda maps: {**maps, "bogus/attention.0": maps[name]},
        "2000 layers": lambda maps: {**maps, **{f"golden/attention.{n}": maps[name][:, :4, :4] for n in range(2000)}},
    }
    for words, edit in edits.items():
        yield of(words, *shown, make=after(report(), maps_of(edit)))


def _header(shape: tuple[int, ...], kind: str) -> bytes:
    """Return the header of an array file, which may claim any shape."""
    text = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}".encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text


def _zip(members: dict[str, bytes], *, bomb: int = 0) -> Make:
    """Write a zip in the place of the maps. bomb: so many zeros follow the first member, compressed."""

    def made(work: Path) -> None:
        block = bytes(2**24)
        with zipfile.ZipFile(work / MAPS, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as opened:
            for place, (name, content) in enumerate(members.items()):
                with opened.open(name, "w", force_zip64=True) as member:
                    member.write(content)
                    for _ in range(bomb // len(block) if place == 0 else 0):
                        member.write(block)

    return made
