"""The attention in the page, as JSON: the largest difference of every head, and the maps that the report keeps."""

from base64 import b64encode
from typing import Any

from numpy.typing import NDArray

from compare.report.formatting import number, verdict_cell
from compare.report.render.page.attention_maps import WORST, AttentionMaps, Differences, attention_maps
from compare.report.render.page.chart_data import finite
from compare.report.schema import Report
from compare.results.runtimes import RuntimeResult


def attention_data(report: Report) -> dict[str, Any] | None:
    """Return the data of the map of heads and of the maps of attention; None if there are no maps."""
    maps = attention_maps(report)
    runtimes = [found for runtime in report.runtimes if (found := _runtime(runtime, maps))]
    if maps is None or not runtimes:
        return None
    return {
        "causal": maps.causal,
        "positions": maps.positions,
        "tokens": report.input.tokens[: maps.positions],
        "layers": {str(layer): {"heads": len(codes), "golden": _text(codes)} for layer, codes in maps.golden.items()},
        "runtimes": runtimes,
    }


def attention_words(report: Report, data: dict[str, Any] | None) -> list[str]:
    """Say what the maps of attention show, or why there are none."""
    if data is None:
        exposed = any(gap.heads for runtime in report.runtimes for gap in runtime.gaps)
        if report.model is None:
            return ["Two ONNX files were compared without a model, so there is no golden attention to show."]
        if not exposed:
            return ["No runtime that ran exposes its attention, so there are no maps to show."]
        return ["This report keeps no attention, for example because an older version wrote it."]
    cut = len(report.input.tokens) - data["positions"]
    batch = "the first sequence of the batch" if report.input.batch > 1 else "the text"
    first = f"the first {data['positions']} {report.token_word} of {batch}" if cut > 0 else batch
    return [
        "Each cell is one head: layers down, heads across. Its shade is the largest difference of the chosen runtime's "
        f"attention from golden's, over the whole input. A cell opens the head's attention on {first}.",
        f"A dot marks the heads whose difference is in this page: the {WORST} of each layer with the largest "
        "difference, or all heads of a runtime that is different while there is room.",
    ]


def _runtime(runtime: RuntimeResult, maps: AttentionMaps | None) -> dict[str, Any] | None:
    """Return the differences of a runtime; None if it exposes no attention."""
    gaps = {gap.tensor.partition(".")[2]: list(map(finite, gap.heads)) for gap in runtime.gaps if gap.heads}
    if not gaps:
        return None
    kept = maps.differences.get(runtime.name) if maps else None
    above = runtime.above_diagonal()
    return {
        "name": runtime.name,
        "verdict": verdict_cell(runtime),
        "above": number(above) if above else None,
        "gaps": gaps,
        **(_kept(kept) if kept else {"heads": [], "codes": "", "largest": []}),
    }


def _kept(differences: Differences) -> dict[str, Any]:
    return {
        "heads": [f"{layer}.{head}" for layer, head in differences.heads],
        "codes": _text(differences.codes),
        "largest": differences.largest,
    }


def _text(codes: NDArray[Any]) -> str:
    return b64encode(codes.tobytes()).decode()
