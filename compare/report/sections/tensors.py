"""Gaps layer by layer and tensor by tensor, and the tensors that could not be compared."""

from compare.report.formatting import KINDS, NOTHING, Table, number, place_words
from compare.report.schema import Report
from compare.report.sections.section import Section
from compare.results.gaps import Gap
from compare.results.runtimes import RuntimeResult

#: The kinds of tensors whose layers every format shows.
_SHOWN = ("attention", "hidden_state")

_LAYER_NOTES = {
    "attention": "Layers are counted from 0.",
    "context": "Layers are counted from 0.",
    "hidden_state": "0: the embedding; N: what the first N layers give.",
}
_TENSOR_NOTES = (
    "max: the largest gap, and at which element. median, 99 %, 99.9 %: percentiles of the absolute gap. RMS of "
    "golden: the size of the tensor in the float64 run."
)


def tables(report: Report) -> list[Table]:
    """Show the largest gap of attention and of hidden states, layer by layer."""
    return [layer_table(report, kind) for kind in _SHOWN] if report.model else []


def details(report: Report) -> list[Table]:
    """Show the other kinds layer by layer, and every tensor of every runtime."""
    if report.model is None:
        return []
    layers = [layer_table(report, kind) for kind in shown_kinds(report) if kind not in _SHOWN]
    return layers + [_tensor_table(report, runtime) for runtime in report.runtimes if runtime.gaps]


def sentences(report: Report) -> list[str]:
    """Say which kinds of tensors could not be compared."""
    lines = []
    for runtime in report.runtimes:
        kinds = dict.fromkeys(_kind(gap) for gap in runtime.gaps)
        exposed = {_kind(gap) for gap in runtime.gaps if gap.exposed}
        if hidden := [kind.replace("_", " ") for kind in kinds if kind not in exposed]:
            lines.append(f"{runtime.name} does not expose {', '.join(hidden)}, so these are not compared.")
    return lines


def shown_kinds(report: Report) -> dict[str, str]:
    """Return the kinds of tensors that tables show, with their headings. Of the outputs, only the model's is shown."""
    outputs = ("logits", "last_hidden_state")
    return {kind: words for kind, words in KINDS.items() if kind not in outputs or kind == report.output}


def layer_table(report: Report, kind: str) -> Table:
    """Return the largest gap of one kind of tensor, layer by layer, with a row for each runtime."""
    names = list(dict.fromkeys(gap.tensor for r in report.runtimes for gap in r.gaps if _kind(gap) == kind))
    rows = []
    for runtime in report.runtimes:
        by_name = {gap.tensor: gap for gap in runtime.gaps}
        if by_name:
            rows.append([runtime.name, *[number(by_name[name].max) for name in names]])
    layers = [name.partition(".")[2] or "all" for name in names]
    return Table(f"Largest gap of {KINDS[kind]} by layer", ["runtime", *layers], rows, _LAYER_NOTES.get(kind, ""))


def _tensor_table(report: Report, runtime: RuntimeResult) -> Table:
    """Return the gaps of a runtime, with a row for each tensor of the kinds that tables show."""
    alone = report.input.batch == 1
    rows = []
    for gap in runtime.gaps:
        if _kind(gap) not in KINDS:
            continue
        place = NOTHING if gap.place is None else place_words(gap.tensor, gap.place, report.input.tokens, alone=alone)
        values = [number(gap.max), place, *map(number, (gap.rms, gap.p50, gap.p99, gap.p999, gap.size))]
        rows.append([gap.tensor, *(values if gap.exposed else ["not exposed", *[NOTHING] * 6])])
    columns = ["tensor", "max", "at", "RMS", "median", "99 %", "99.9 %", "RMS of golden"]
    return Table(f"{runtime.name}, tensor by tensor", columns, rows, _TENSOR_NOTES)


def _kind(gap: Gap) -> str:
    return gap.tensor.partition(".")[0]


SECTION = Section("tensors", tables, sentences, details)
