"""The embeddings of texts, and the cosines between them, for encoders."""

from compare.report.formatting import Table, number
from compare.report.schema import Report
from compare.report.sections.section import Section
from compare.results.runtimes import RuntimeResult

_NOTES = (
    "Texts are all sequences of the text and of the padded input, counted from 0. golden: the model in float64. "
    "cosine: the largest change of the cosine between two texts. distance: the largest distance of a normalized "
    "embedding from golden's. neighbour as golden: texts whose nearest neighbour is golden's. beyond rounding: texts "
    "with another one, where golden's is nearer by more than rounding can change."
)


def tables(report: Report) -> list[Table]:
    """Show one row for each runtime whose embeddings were compared."""
    rows = []
    for runtime in report.runtimes:
        part = runtime.embeddings
        if part is None:
            continue
        between = f"{part.pair[0]} and {part.pair[1]}"
        same = f"{part.texts - part.flips} of {part.texts}"
        rows.append(
            [runtime.name, number(part.cosine), between, number(part.distance), same, str(part.real_flips)],
        )
    if not rows or report.model is None:
        return []
    columns = ["runtime", "cosine", "between texts", "distance", "neighbour as golden", "beyond rounding"]
    modes = " and ".join(report.model.pooling)
    return [Table(f"Embeddings of texts, pooled by {modes}: changes of cosines", columns, rows, _NOTES)]


def sentences(report: Report) -> list[str]:
    """Say that an encoder does not decode."""
    if report.model is None or report.output == "logits":
        return []
    return ["The model is an encoder. It generates no tokens, so there is no decoding."]


def changed_embeddings(runtime: RuntimeResult) -> str:
    """Return how cosines change, as the end of a sentence; empty if they were not compared."""
    part = runtime.embeddings
    if part is None:
        return ""
    real = f", {part.real_flips} of them by more than rounding" if part.flips else ""
    return f"; cosines change by at most {number(part.cosine)}, {part.flips} of {part.texts} neighbours differ{real}"


def answer(report: Report) -> list[str]:
    """Say how much the cosines of the trusted runtimes change at most, and whether a nearest neighbour changes."""
    known = {r.name: r.embeddings for r in report.runtimes if r.embeddings and r.name not in report.untrusted}
    if not known:
        return []
    name, worst = max(known.items(), key=lambda item: item[1].cosine)
    flips = {other: part.flips for other, part in known.items() if part.flips}
    changed = ", ".join(f"{count} with {other}" for other, count in flips.items())
    neighbours = f"nearest neighbours change: {changed}" if flips else "no text's nearest neighbour changes"
    return [f"Cosines between {worst.texts} texts change by at most {number(worst.cosine)} ({name}); {neighbours}."]


SECTION = Section("embeddings", tables, sentences)
