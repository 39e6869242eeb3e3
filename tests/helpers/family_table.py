"""The tables in docs/models.md: what was measured of each family, for each major version of transformers.

    python -m tests.helpers.family_table

measures every family under the installed version of transformers, and rewrites that version's table.
"""

import tempfile
from pathlib import Path

import transformers

from export.layout import KINDS
from tests.helpers.families import FAMILIES, Measured, measure

DOCS = Path(__file__).parents[2] / "docs" / "models.md"

#: The heading of the table of the installed version.
HEADING = f"## With transformers {transformers.__version__.partition('.')[0]}"

COLUMNS = ("family", "type", "taps", "attention of golden", "replay", "decodes", "verdict on ONNX Runtime")


def row_of(family: str, found: Measured) -> str:
    """Return a family's row of the table."""
    there = {name.partition(".")[0] for name in found.names}
    missing = [kind.replace("_", " ") for kind in KINDS if kind not in there]
    cells = (
        family,
        f"`{FAMILIES[family][0]}`",
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


def main() -> None:
    """Measure every family, and rewrite the table of the installed version."""
    rows = [written(COLUMNS), written(("---",) * len(COLUMNS))]
    for family in FAMILIES:
        with tempfile.TemporaryDirectory() as folder:
            rows.append(row_of(family, measure(family, Path(folder))))
        print(rows[-1], flush=True)
    before, _, rest = DOCS.read_text().partition(f"{HEADING}\n")
    _, mark, after = rest.partition("\n## ")
    DOCS.write_text(f"{before}{HEADING}\n\n" + "\n".join(rows) + f"\n{mark}{after}")


if __name__ == "__main__":
    main()
