"""Saved reports: files that are none, and values that no comparison writes."""

import json
from collections.abc import Iterator
from typing import Any

from benchmarks.hostile_cases.case import Case, mechanism
from benchmarks.hostile_cases.files import after, file, folder, link, pipe, sparse
from benchmarks.hostile_cases.tiny_reports import DIFF, FORMATS, GONE, REJUDGE, REPORT, SHOW, SMALL, Place, report


def cases() -> Iterator[Case]:
    """Yield the cases."""
    yield from _a_file_that_is_none()
    yield from _schemas()
    yield from _values_of_another_type()
    yield from _nothing_in_it()
    yield from _numbers_that_no_comparison_measures()
    yield from _times_that_no_clock_measures()


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
        both = after(report(name="right/report.json"), file(REPORT, content))
        yield of(f"{words}, diff", "compare", "diff", "right", "saved", make=both)
    yield of("nothing, rejudge", *REJUDGE, make=file(REPORT, b""))
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
    newer = (("schema_version",), 99)
    yield of("99 and unknown fields", *SHOW, make=report(newer, (("new",), 5)), says="99")
    yield of("99, diff", *DIFF, make=report(newer), says="99")
    yield of("99, rejudge", *REJUDGE, make=report(newer), says="99")
    listed = report(newer, name="c/reports/a/report.json")
    yield of("99, list", "compare", "list", "--cache-dir", "c", make=listed, codes=(0,))


def _values_of_another_type() -> Iterator[Case]:
    of = mechanism("report: values of another type", codes=(2,), fast=True)
    for field in (
        *("created", "model", "input", "environment", "runtimes", "latency", "rounds", "heads", "decoding", "limits"),
        *("phases", "notes"),
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
    no_runtimes, no_latency = (("runtimes",), []), (("latency",), [])
    for shape in FORMATS:
        for words, make in {
            "no runtimes": report(no_runtimes),
            "no runtimes and no model": report(no_runtimes, (("model",), None), no_latency),
            "no baseline": report((("latency", 0), {"runtime": "x", "again": False})),
            "no gaps": report((("runtimes", 0, "gaps"), []), (("runtimes", 1, "gaps"), [])),
            "no tokens": report((("input", "tokens"), []), (("input", "sequence"), 0)),
        }.items():
            yield of(f"{words}, {shape}", *SHOW, "--format", shape, make=make)
        untimed = report(no_latency, (("rounds",), 0))
        yield of(f"no latency, {shape}", *SHOW, "--format", shape, make=untimed, codes=(0, 2))
    for name, command in {"rejudge": REJUDGE, "diff": DIFF}.items():
        yield of(f"no runtimes, {name}", *command, make=report(no_runtimes))
        yield of(f"no runtimes and no latency, {name}", *command, make=report(no_runtimes, no_latency))
        no_evidence = report((("runtimes", 0, "verdict"), None), (("runtimes", 1, "gaps"), []))
        yield of(f"no evidence, {name}", *command, make=no_evidence)


_RUNTIME: Place = ("runtimes", 1)
_GAP: Place = (*_RUNTIME, "gaps", 1)
_LIMITS = dict.fromkeys(("rms", "max", "channel", "slope"), 0.0)

#: Changes to a report, each with numbers that no comparison measures.
_NUMBERS: dict[str, list[tuple[Place, Any]]] = {
    "no layers": [(("model", "layers"), 0)],
    "layers below 0": [(("model", "layers"), -5)],
    "10^12 layers": [(("model", "layers"), 10**12)],
    "10^12 heads": [(("model", "heads"), 10**12)],
    "a sequence of 0": [(("input", "sequence"), 0)],
    "a sequence of 10^12": [(("input", "sequence"), 10**12)],
    "a batch of -1": [(("input", "batch"), -1)],
    "no cores": [(("environment", "cores"), 0)],
    "memory of 10^30": [(("environment", "memory_bytes"), 10**30)],
    "infinite gaps": [((*_GAP, "max"), 1e999), ((*_GAP, "rms"), 1e999)],
    "gaps of NaN": [((*_GAP, "max"), float("nan"))],
    "gaps below 0": [((*_GAP, "max"), -1.0), ((*_GAP, "size"), -1.0)],
    "a size of 0": [((*_GAP, "size"), 0.0)],
    "1e-320": [((*_GAP, "max"), 1e-320), ((*_GAP, "size"), 1e-320)],
    "a tensor of layer 10^9": [((*_GAP, "tensor"), "attention.1000000000")],
    "a tensor of layer 10^30": [((*_GAP, "tensor"), f"attention.{'9' * 30}")],
    "a tensor of layer -1": [((*_GAP, "tensor"), "attention.-1")],
    "a tensor of no layer": [((*_GAP, "tensor"), "attention.x")],
    "a tensor without a name": [((*_GAP, "tensor"), "")],
    "an unknown tensor": [((*_GAP, "tensor"), "bogus.0")],
    "a place beyond the tensor": [((*_GAP, "place"), [10**9] * 4)],
    "a place of no dimensions": [((*_GAP, "place"), [])],
    "a place of 100 dimensions": [((*_GAP, "place"), [1] * 100)],
    "two units in the last place": [((*_GAP, "ulps"), [1.0])],
    "a negative seed": [(("seed",), -1)],
    "-1 rounds": [(("rounds",), -1)],
    "shifts of 0": [(("shifts",), 0)],
    "phases of NaN": [(("phases",), {"x": float("nan")})],
    "a head of layer 10^9": [(("heads", 0, "layer"), 10**9), (("heads", 0, "head"), -1)],
    "a verdict of 1e308 floors": [((*_RUNTIME, "verdict", "multiple"), 1e308)],
    "a verdict without a statistic": [
        ((*_RUNTIME, "verdict", "statistic"), None),
        ((*_RUNTIME, "verdict", "kind"), "different"),
    ],
    "a verdict without floors": [
        ((*_RUNTIME, "verdict", "multiple"), None),
        ((*_RUNTIME, "verdict", "kind"), "different"),
    ],
    "an unknown statistic": [
        ((*_RUNTIME, "verdict", "statistic"), "bogus"),
        ((*_RUNTIME, "verdict", "kind"), "different"),
    ],
    "a perplexity of 1e308": [((*_RUNTIME, "decisions", "perplexity"), 1e308)],
    "no positions": [((*_RUNTIME, "decisions", "positions"), 0)],
    "two runtimes of one name": [((*_RUNTIME, "name"), "torch-eager")],
    "a date that is none": [(("created",), "yesterday")],
    "a date of the year 99999": [(("created",), "99999-01-01T00:00:00+00:00")],
    "no date": [(("created",), "")],
    "a time limit of 0": [(("time_s",), 0)],
    "a precision of 0": [(("precision",), 0)],
    "limits of 0": [(("verdict_limits",), {"local": _LIMITS, "accumulated": _LIMITS})],
}


def _numbers_that_no_comparison_measures() -> Iterator[Case]:
    of = mechanism("report: numbers that no comparison measures", codes=(0, 1, 2), fast=True)
    for words, changes in _NUMBERS.items():
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
