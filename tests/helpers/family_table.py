"""The tables in docs/models.md: what was measured of each family, for each major version of transformers.

    python -m tests.helpers.family_table [FAMILY ...]

measures the named families, or all, under the installed version of transformers, and writes their rows.
"""

import sys
import tempfile
from pathlib import Path

import transformers

from compare.report.formatting import NOTHING
from export.errors import CannotRun
from export.layout import KINDS
from tests.helpers.families import FAMILIES, Measured, measure

DOCS = Path(__file__).parents[2] / "docs" / "models.md"

#: The heading of the table of the installed version.
HEADING = f"## With transformers {transformers.__version__.partition('.')[0]}"

COLUMNS = ("family", "type", "taps", "attention of golden", "replay", "decodes", "verdict on ONNX Runtime")


def row_of(family: str, found: Measured | None) -> str:
    """Return a family's row of the table. found: None if the family cannot be exported."""
    kind = f"`{FAMILIES[family][0]}`"
    if found is None:
        return written((family, kind, *[NOTHING] * 4, "cannot be exported"))
    there = {name.partition(".")[0] for name in found.names}
    missing = [kind.replace("_", " ") for kind in KINDS if kind not in there]
    cells = (
        family,
        kind,
        f"all but {', '.join(missing)}" if missing else "all",
        "transformers' own" if found.own_attention else "the reference",
        "every segment" if not missing else "joined segments",
        "yes" if found.decodes else "no",
        found.verdict.kind,
    )
    return written(cells)


def written(cells: tuple[str, ...]) -> str:
    """Return a row of a Markdown table."""
    return f"| {' | '.join(cells)} |"


def saved_row(family: str) -> str:
    """Return a family's row in docs/models.md, for the installed version of transformers."""
    section = DOCS.read_text().partition(f"{HEADING}\n")[2].partition("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith(f"| {family} |")]
    return rows[0] if rows else f"no row in {DOCS.name}; write it with: python -m tests.helpers.family_table"


def measured(family: str, folder: Path) -> Measured | None:
    """Measure a family in a folder; None if it cannot be exported."""
    try:
        return measure(family, folder)
    except CannotRun:
        return None


def save(rows: dict[str, str]) -> None:
    """Write rows of families into the table of the installed version. Rows of other families stay."""
    before, _, rest = DOCS.read_text().partition(f"{HEADING}\n")
    section, mark, after = rest.partition("\n## ")
    kept = {line.split(" | ")[0].removeprefix("| "): line for line in section.splitlines() if line.startswith("| ")}
    lines = [(kept | rows)[family] for family in FAMILIES if family in kept | rows]
    table = "\n".join([written(COLUMNS), written(("---",) * len(COLUMNS)), *lines])
    DOCS.write_text(f"{before}{HEADING}\n\n{table}\n{mark}{after}")


def main(families: list[str]) -> None:
    """Measure families, all by default, and write their rows."""
    for family in families or FAMILIES:
        with tempfile.TemporaryDirectory() as folder:
            row = row_of(family, measured(family, Path(folder)))
        print(row, flush=True)
        save({family: row})


if __name__ == "__main__":
    main(sys.argv[1:])
