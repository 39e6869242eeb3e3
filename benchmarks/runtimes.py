"""Compare every runtime that is installed, and show what each computes, costs and needs.

This runs `python -m compare --runtimes all --thorough` on the architecture of distilgpt2 with random weights, or with
`--quick` on byte-gpt2. torch.compile starts with an empty cache, so its first call compiles. The table is printed for
80 columns and written as Markdown, and the figure shows each runtime's error against its time.
"""

import os
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from rich.console import Console

from benchmarks.progress import PROGRESS
from benchmarks.record import RESULTS, Aim, arguments, finish
from benchmarks.runtime_rows import Row, faults, rows_of, table
from compare.report.render.markdown import table_lines
from compare.report.render.plots.style import log_scale, look_of
from compare.report.render.tables import print_table
from compare.report.schema import Report
from compare.results.verdicts import reaches

#: The axis of errors is logarithmic if one is larger than this.
WIDE = 10.0

ROOT = Path(__file__).parents[1]

#: The model, and the seconds that the command may take.
FULL, QUICK = ("distilgpt2-seeded", 480.0), ("byte-gpt2", 240.0)


def main() -> None:
    options = arguments(__doc__)
    model, most = QUICK if options.quick else FULL
    with tempfile.TemporaryDirectory() as scratch:
        report, seconds = compared(model, Path(scratch))
    rows = rows_of(report)
    shown = table(rows, report)
    print_table(shown, Console(width=80, highlight=False))
    lines = "\n".join([*table_lines(shown), *[f"- {sentence}" for sentence in faults(rows)]])
    print(lines)
    name = f"runtimes{'.quick' if options.quick else ''}"
    (RESULTS / f"{name}.md").write_text(f"{lines.strip()}\n")
    plot(rows, report).savefig(RESULTS / f"{name}.png", dpi=100)
    figures = {
        "model": model,
        "threads": report.environment.threads,
        "seconds": seconds,
        "phases": report.phases,
        "rounds": [report.rounds, report.decode_rounds],
        "rows": [asdict(row) for row in rows],
    }
    finish("runtimes", figures, aims(rows, seconds, most), quick=options.quick)


def compared(model: str, scratch: Path) -> tuple[Report, float]:
    """Run the command, and return its report and its wall time in seconds.

    Its exit code may be 1, because a runtime that was not named may be different. Raises `CalledProcessError` for any
    other failure.
    """
    PROGRESS.stage("comparing", f"every runtime on {model}")
    out = scratch / "report"
    command = [sys.executable, "-m", "compare", "--model", model, "--runtimes", "all", "--thorough", "--out", str(out)]
    environment = {**os.environ, "TORCHINDUCTOR_CACHE_DIR": str(scratch / "inductor")}
    started = time.monotonic()
    code = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL).returncode
    if code not in (0, 1):
        raise subprocess.CalledProcessError(code, command)
    return Report.read(out), time.monotonic() - started


def plot(rows: list[Row], report: Report) -> Figure:
    """Draw the error of each runtime in units of what its own precision does, against its time over the baseline's.

    A hollow mark is a precision below float32, a cross a runtime that does not compute the same model. Runtimes without
    an error or a time are left out.
    """
    figure = Figure(figsize=(9, 5.5), layout="constrained")
    axes = figure.subplots()
    for place, row in enumerate(rows):
        if row.own is None or row.ratio is None:
            continue
        colour, mark = look_of(place)
        wrong = reaches(row.verdict, "unsteady")
        said = [word for word in (row.type, row.verdict) if word not in ("float32", "rounding", "reduced precision")]
        label = f"{row.name} ({', '.join(said)})" if said else row.name
        filled = colour if row.type == "float32" else "none"
        style: dict[str, Any] = {"markersize": 8, "markeredgecolor": colour, "markerfacecolor": filled}
        style["marker"] = "x" if wrong else mark
        axes.plot(row.ratio, row.own, linestyle="none", label=label, **style)
    axes.axhline(1, color="0.6", lw=0.8, ls="--", zorder=0)
    axes.axvline(1, color="0.6", lw=0.8, ls="--", zorder=0)
    ratios = [row.ratio for row in rows if row.own is not None and row.ratio is not None]
    log_scale(axes.xaxis, 0.8 * min(ratios), 1.25 * max(ratios))
    axes.margins(y=0.15)
    if max(row.own or 0.0 for row in rows) > WIDE:
        axes.set_yscale("log")
    else:
        axes.set_ylim(bottom=0)
    axes.set_xlabel(f"time of one pass over {report.latency[0].runtime}'s")
    axes.set_ylabel("largest logit error, in units of what its precision alone does")
    axes.set_title(f"{report.subject}, {report.input.sequence} {report.token_word}", loc="left", fontsize=10)
    axes.grid(alpha=0.25, which="both")
    figure.legend(loc="outside right center", fontsize=8, frameon=False)
    return figure


def aims(rows: list[Row], seconds: float, most: float) -> list[Aim]:
    there = [row for row in rows if not row.missing]
    engines = {row.engine for row in there}
    timed = [row for row in there if not row.hybrid]
    known = [row for row in timed if row.ratio is not None]
    decoders = [row for row in timed if row.decodes]
    decoded = [row for row in decoders if row.token_ms is not None]
    return [
        Aim("rows with a verdict", ">= 18", str(len(there)), len(there) >= 18),
        Aim("engines", ">= 7", str(len(engines)), len(engines) >= 7),
        Aim("known ratios of a pass", "all", f"{len(known)} of {len(timed)}", len(known) == len(timed)),
        Aim("times of a token", "all", f"{len(decoded)} of {len(decoders)}", len(decoded) == len(decoders)),
        Aim("seconds", f"<= {most:g}", f"{seconds:.0f}", seconds <= most),
    ]


if __name__ == "__main__":
    main()
