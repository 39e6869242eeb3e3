"""Saved reports whose texts take the terminal, are markup, or are very long."""

import json
from collections.abc import Iterator
from typing import Any

from benchmarks.hostile_cases.case import Case, mechanism
from benchmarks.hostile_cases.common import LONG, TITLE
from benchmarks.hostile_cases.files import after, file
from benchmarks.hostile_cases.tiny_reports import DIFF, FORMATS, REJUDGE, SHOW, SMALL, Place, maps_of, report

#: Sets the title, the colours and the direction of a terminal, and ends a line.
_TAKEN = f"{TITLE}\x1b[31m\x9b7m\u202e\u2028"

#: Where a report has texts.
_PLACES: dict[str, Place] = {
    "a runtime": ("runtimes", 1, "name"),
    "an error": ("runtimes", 1, "error"),
    "the model": ("model", "name"),
    "its provenance": ("model", "provenance"),
    "its type": ("model", "type"),
    "a token": ("input", "tokens", 0),
    "a tensor": ("runtimes", 1, "gaps", 0, "tensor"),
    "a verdict's place": ("runtimes", 1, "verdict", "place"),
    "a verdict's note": ("runtimes", 1, "verdict", "note"),
    "a fact": ("runtimes", 1, "facts"),
    "a note": ("notes",),
    "the processor": ("environment", "processor"),
    "a package": ("environment", "packages"),
    "the date": ("created",),
    "the command": ("command",),
    "a head": ("heads", 0, "name"),
    "a timed runtime": ("latency", 1, "runtime"),
    "a phase": ("phases",),
    "an operator": ("observer", "operators"),
}

#: Those that stand in the first lines of a report.
_FIRST = tuple(_PLACES.items())[:6]

#: Texts that a format would read as its own.
_MARKUP = {
    "HTML": "<img src=x onerror=alert(1)></script><script>alert(1)</script>",
    "Markdown": "|x](javascript:alert(1)) ![a](b) `` ` ```\n# heading\n",
    "rich": "[bold red]x[/] [/red] [link=file:///]x[/link]",
    "TeX": "$\\frac{$ $x_{$ \\$",
    "a template": "{{ 7*7 }} {% raw %} ${x}",
}

#: Markup that a page must not have.
_LIVE = ("<img src=x", "<script>alert")

#: Draws the figures of the report.
_DRAWS = (
    "from pathlib import Path; from compare import visualize_model_comparison as draw\n"
    "from compare.report.schema import Report\n"
    "from export.command import finish\n"
    "finish(lambda: draw(Report.read(Path('saved')), Path('figures')) and None)"
)


def cases() -> Iterator[Case]:
    """Yield the cases."""
    yield from _texts_that_take_the_terminal()
    yield from _texts_that_are_markup()
    yield from _very_long_texts()
    yield from _figures_of_texts()


def _with_text(place: Place, text: str) -> tuple[Place, Any]:
    """Return the change that puts a text in a place, where a list or a mapping may stand."""
    values: dict[Any, Any] = {
        "notes": [text],
        "phases": {text: 1.0},
        "operators": {text: [1, 2]},
        "facts": {text: text},
        "packages": {text: text},
    }
    return place, values.get(place[-1], text)


def _everywhere(text: str) -> list[tuple[Place, Any]]:
    """Return the changes that put a text in every place."""
    return [_with_text(place, text) for place in _PLACES.values()]


def _texts_that_take_the_terminal() -> Iterator[Case]:
    of = mechanism("report: texts that take the terminal", codes=(0, 1, 2, 3), fast=True)
    for words, place in _PLACES.items():
        for shape in ("full", "html"):
            yield of(f"{words}, {shape}", *SHOW, "--format", shape, make=report(_with_text(place, _TAKEN)))
    all_but_names = report(*(change for change in _everywhere(_TAKEN) if change[0] != _PLACES["a runtime"]))
    for shape in FORMATS:
        yield of(f"all, {shape}", *SHOW, "--format", shape, make=all_but_names)
    for words, command in {
        "rejudge": REJUDGE,
        "diff": DIFF,
        "diff as JSON": (*DIFF, "--json"),
        "explained": (*SHOW, "--explain", "onnxruntime"),
    }.items():
        yield of(f"all, {words}", *command, make=all_but_names)
    for words, place, value in (
        ("an unknown field", (_TAKEN,), 5),
        ("a wrong value", ("rounds",), _TAKEN),
        ("a schema", ("schema_version",), _TAKEN),
        ("an unknown verdict", ("fail_on",), _TAKEN),
    ):
        yield of(words, *SHOW, make=report((place, value)), codes=(2,))
    named = f"{_TAKEN}/report.json"
    yield of("the folder", "compare", "show", f"./{_TAKEN}", "--full", make=report(name=named))
    yield of("the folder of a wrong one", "compare", "show", f"./{_TAKEN}", make=file(named, "{}"), codes=(2,))


def _texts_that_are_markup() -> Iterator[Case]:
    of = mechanism("report: texts that are markup", codes=(0, 1, 2, 3), fast=True)
    for words, text in _MARKUP.items():
        every_place = report(*_everywhere(text))
        for shape in FORMATS:
            lacks = _LIVE if shape in ("html", "markdown") else ()
            yield of(f"{words}, {shape}", *SHOW, "--format", shape, make=every_place, lacks=lacks)
        for where, place in _FIRST:
            make = report(_with_text(place, text))
            yield of(f"{words} in {where}, html", *SHOW, "--format", "html", make=make, lacks=_LIVE)
        yield of(f"{words}, diff", *DIFF, make=every_place)


def _very_long_texts() -> Iterator[Case]:
    of = mechanism("report: very long texts", codes=(0, 1, 2, 3), seconds=60)
    for words, place in _FIRST:
        for shape in ("terminal", "full", "html"):
            yield of(f"{words}, {shape}", *SHOW, "--format", shape, make=report(_with_text(place, "n" * 100_000)))
    yield of("100,000 notes", *SHOW, "--full", make=report((("notes",), ["note"] * 100_000)))
    runtime = json.loads(SMALL.read_text())["runtimes"][0]
    many = report((("runtimes",), [{**runtime, "name": f"r{n}"} for n in range(2000)]))
    for shape in ("terminal", "full", "html"):
        yield of(f"2000 runtimes, {shape}", *SHOW, "--format", shape, make=many, seconds=120)
    yield of("a million tokens", *SHOW, "--full", make=report((("input", "tokens"), ["a"] * 10**6)))


def _figures_of_texts() -> Iterator[Case]:
    of = mechanism("report: figures of texts", codes=(0, 2), writes=("figures",), seconds=120)
    for words, text in {
        **_MARKUP,
        "control characters": _TAKEN,
        "a path": "../../../tmp/taken",
        "nothing": "",
        "a zero byte": "a\0b",
        "300 letters": LONG,
    }.items():
        yield of(words, "python", _DRAWS, make=report(*_everywhere(text)))
        maps = maps_of(lambda maps, text=text: {**maps, f"{text}/attention.0": maps["golden/attention.0"]})
        named = report((_PLACES["a runtime"], text))
        yield of(f"{words} as a runtime", "python", _DRAWS, make=after(named, maps))
