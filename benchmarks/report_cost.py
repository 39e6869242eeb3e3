"""Measure what the page costs: its size, its first paint in Chromium, and the time to render it.

One comparison is of all runtimes on the distilgpt2 architecture, with six layers, twelve heads and 128 tokens (with
--quick, of two runtimes on byte-gpt2). Its page is opened in new contexts of a headless Chromium: the first paint is
the browser's own figure, and the page is drawn when its last chart is. Rendering is timed with the files that a
comparison leaves, and compared with the time of a whole default run. Keeping maps of attention is part of that run.
"""

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

from benchmarks.progress import PROGRESS
from benchmarks.record import Aim, arguments, finish
from compare.report.render.page.page import save_page
from compare.report.schema import MAPS_FILE, Report
from compare.runtimes import npm_packages

#: The largest page in bytes, the latest first paint in seconds, and the largest share of a default run.
SIZE, PAINT, SHARE = 8_000_000, 1.5, 0.05

#: How often a page is rendered and opened.
REPETITIONS, QUICK_REPETITIONS = 15, 3

#: What the browser measured: milliseconds until the first paint, and until all charts are drawn.
PAINTED = """async () => {
  const painted = () => performance.getEntriesByName("first-contentful-paint")[0];
  const left = () => document.querySelectorAll(".drawing:empty").length;
  while (left() || !painted()) await new Promise(requestAnimationFrame);
  return [painted().startTime, performance.now()];
}"""


def main() -> None:
    options = arguments(__doc__)
    usual, everything = (
        (["--model", "byte-gpt2", "--quick"], ["--model", "byte-gpt2", "--quick"])
        if options.quick
        else (["--model", "distilgpt2-seeded"], ["--model", "distilgpt2-seeded", "--runtimes", "all"])
    )
    with tempfile.TemporaryDirectory() as scratch:
        default = compared(usual, Path(scratch) / "default")
        report = compared(everything, Path(scratch) / "all")
        assert report.folder is not None
        repetitions = QUICK_REPETITIONS if options.quick else REPETITIONS
        PROGRESS.stage("rendering", f"{repetitions} times")
        rendered = {name: seconds(made, repetitions) for name, made in (("default", default), ("all", report))}
        page = save_page(report)
        PROGRESS.stage("Chromium", f"opens the page {repetitions} times")
        paints = painted(page, repetitions)
        figures = {
            "runtimes": [runtime.name for runtime in report.runtimes if runtime.gaps],
            "bytes": page.stat().st_size,
            "maps_bytes": (report.folder / MAPS_FILE).stat().st_size,
            "first_paint_ms": [first for first, _ in paints],
            "drawn_ms": [drawn for _, drawn in paints],
            "render_s": rendered,
            "default_run_s": default.phases["in all"],
        }
    for name, value in figures.items():
        print(f"{name:<16} {value}")
    finish("report_cost", figures, aims(figures), quick=options.quick)


def compared(options: list[str], out: Path) -> Report:
    """Run a comparison, and return its report. Raises `CalledProcessError` if it could not run."""
    PROGRESS.stage("comparison", " ".join(options))
    command = [sys.executable, "-m", "compare", *options, "--quiet", "--out", str(out)]
    run = subprocess.run(command, stdout=subprocess.DEVNULL)
    if run.returncode not in (0, 1, 3):  # 1: a verdict, 3: a runtime that did not run
        raise subprocess.CalledProcessError(run.returncode, command)
    return Report.read(out)


def seconds(report: Report, repetitions: int) -> list[float]:
    """Return the seconds in which the page is rendered and written, for each repetition."""
    taken = []
    for _ in range(repetitions):
        start = time.perf_counter()
        save_page(report)
        taken.append(time.perf_counter() - start)
    return taken


def painted(page: Path, repetitions: int) -> list[tuple[float, float]]:
    """Return the milliseconds until the first paint and until all charts are drawn, for each repetition."""
    found = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=npm_packages.chromium() or None)
        for _ in range(repetitions):
            context = browser.new_context(viewport={"width": 1280, "height": 900})
            tab = context.new_page()
            tab.goto(page.as_uri())
            first, drawn = tab.evaluate(PAINTED)
            found.append((first, drawn))
            context.close()
        browser.close()
    return found


def aims(figures: dict[str, Any]) -> list[Aim]:
    size, whole = figures["bytes"], figures["default_run_s"]
    paint = statistics.median(figures["first_paint_ms"]) / 1e3
    share = statistics.median(figures["render_s"]["default"]) / whole
    return [
        Aim("size", f"< {SIZE / 1e6:g} MB", f"{size / 1e6:.2f} MB", size < SIZE),
        Aim("first paint", f"<= {PAINT:g} s", f"{paint:.2f} s", paint <= PAINT),
        Aim("rendering", f"< {100 * SHARE:g} % of a default run", f"{100 * share:.2f} %", share < SHARE),
    ]


if __name__ == "__main__":
    main()
