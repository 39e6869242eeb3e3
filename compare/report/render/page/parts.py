"""The parts of the page after the screen: which charts, tables and sentences each of them has, in order."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from compare.report.formatting import Table
from compare.report.render.layout import style_of
from compare.report.render.page.attention_data import attention_words
from compare.report.schema import Report
from compare.report.sections.registry import SECTIONS, TOPICS

#: The classes of cells by their colour on a terminal (`compare.report.render.layout.style_of`).
_CLASSES = {"bold red": "bad", "bold yellow": "unsure", "green": "good"}

_LATENCY_CAPTION = (
    "Time over the baseline's in the same round; left of 1 is faster. Dot and line: the ratio and its 95 % interval. "
    "Fine ticks: single samples. Shaded: the interval of the A/A control, the baseline in a second process, whose "
    "ratio should be 1. It shows how well this machine can measure."
)

#: Chart -> its title and its caption. `compare.report.render.page.chart_data` has the numbers.
CHARTS = {
    "gaps": (
        "Errors by layer, in floors",
        "Each panel is one runtime, and each dot the tensor of a layer with the largest error. The first dot is the "
        "embedding, the last one the output. 1 floor is the largest error of float32 runs that only sum in other "
        "orders; for a runtime that is judged in its own lower precision, of such runs in that precision. An error "
        "above the limit is not rounding, and its dot is a cross.",
    ),
    "latency": ("Time of one forward pass", _LATENCY_CAPTION),
    "decoding": ("Time of one more token", _LATENCY_CAPTION),
    "front": (
        "Time and error of each runtime",
        "Further left is faster, and further down is closer to golden. The dashed line joins the front: of the "
        "trusted runtimes with a known time, no other one is better in both. A cross is a runtime that is "
        "not to be trusted.",
    ),
    "phases": ("Seconds of each phase of the comparison", "A phase may be part of another one."),
}


class Cell(NamedTuple):
    """A cell of a table: its text, its class, its column's heading, and the number of columns that it covers."""

    text: str
    style: str
    heading: str
    span: int


@dataclass(frozen=True)
class Chart:
    """A chart of the page."""

    name: str
    title: str
    caption: str


@dataclass
class Part:
    """A part of the page, with an anchor."""

    #: Its anchor.
    name: str
    title: str
    charts: list[Chart] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    sentences: list[str] = field(default_factory=list)
    #: Further tables, which are folded.
    details: list[Table] = field(default_factory=list)


#: Anchor -> title, charts and topics of each part in order. Topics that no part names are in the last one but one.
_LAYOUT: dict[str, tuple[str, tuple[str, ...], tuple[str, ...]]] = {
    "gaps": ("Gaps by layer and runtime", ("gaps",), ("ruler", "gaps", "pair", "padding", "tensors")),
    "attention": ("Attention, head by head", (), ()),
    "latency": (
        "Latency",
        ("latency", "decoding"),
        ("latency", "disturbance", "decoding", "last_position", "interference", "grid"),
    ),
    "front": ("Speed against error", ("front",), ()),
    "tokens": ("Next tokens that change", (), ("next_tokens", "embeddings")),
    "time": ("Where the time goes", ("phases",), ("limits",)),
    "more": ("Everything else", (), ()),
}


def parts_of(report: Report, charts: dict[str, Any], attention: dict[str, Any] | None) -> list[Part]:
    """Return the parts of the page that have content.

    charts: the data of each chart; None for one that has nothing to draw. attention: the data of the attention.
    """
    placed = {topic for _, _, topics in _LAYOUT.values() for topic in topics}
    found = []
    for name, (title, drawn, topics) in _LAYOUT.items():
        if name == "more":
            topics = tuple(topic for topic in TOPICS if topic not in placed)
        part = Part(name, title, [Chart(chart, *CHARTS[chart]) for chart in drawn if charts[chart]])
        for section in SECTIONS:
            if section.name in topics:
                part.tables += section.tables(report)
                part.sentences += section.sentences(report)
                part.details += section.details(report)
        if name == "attention":
            part.sentences = attention_words(report, attention)
        if name == "tokens":
            part.title, part.sentences = _changes(report, part)
        if part.charts or part.tables or part.sentences or part.details:
            found.append(part)
    return found


def _changes(report: Report, part: Part) -> tuple[str, list[str]]:
    """Return the title and the sentences of the part on changed predictions, which says why there are none."""
    if report.model is None:
        return part.title, []
    if report.output != "logits":
        return "Embeddings that change", part.sentences
    if not part.tables and not report.model.trained:
        return part.title, ["The weights are random. Predicted next tokens mean nothing, so they were not compared."]
    return part.title, part.sentences


def rows_of(table: Table) -> Iterator[list[Cell]]:
    """Yield the cells of each row. A cell that only empty cells follow covers their columns."""
    for row in table.rows:
        shown = row
        while len(shown) > 2 and not shown[-1]:
            shown = shown[:-1]
        yield [
            Cell(text, _CLASSES.get(style_of(text), ""), heading, 1 + (len(row) - len(shown)) * (at == len(shown) - 1))
            for at, (text, heading) in enumerate(zip(shown, table.columns, strict=False))
        ]


def facts_of(report: Report) -> Sequence[tuple[str, str]]:
    """Return what the report says about its origin: pairs of a word and a text."""
    part = report.environment
    packages = ", ".join(f"{name} {version}" for name, version in part.packages.items())
    facts = {
        "compared": report.subject,
        "made": report.created,
        "made by": report.command or "",
        "processor": f"{part.processor}, {part.cores} cores, {part.memory_bytes / 1e9:.0f} GB",
        "threads": f"{part.threads}",
        "GPU": ", ".join(part.gpus),
        "system": f"{part.platform}, Python {part.python}",
        "packages": packages,
        "commit": part.commit or "",
        "seed": f"{report.seed}",
    }
    return [(word, text) for word, text in facts.items() if text]
