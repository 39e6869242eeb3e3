"""Write docs/reliability.md from the figures of the load.

    python -m benchmarks.faultload.page

A test compares the page with what this script makes.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.faultload.endings import SIGNALS
from benchmarks.record import RESULTS

PAGE = Path(__file__).parents[2] / "docs" / "reliability.md"
FIGURES = RESULTS / "faultload.json"

OPENING = """# Reliability

What happens when a process is killed, a file is damaged, a disk is full, a runtime fails or the hub does not answer.
The aim: nothing wrong is served, nothing that was finished is lost, and no process is left. `python -m
benchmarks.faultload` makes these faults, on a tiny model or on byte-gpt2, and writes the tables below.

## An interrupted comparison

A comparison that is interrupted ends its processes and its temporary files: with exit code 130 after Ctrl-C, 143 after
SIGTERM, and 129 after SIGHUP. If its process is killed, a second process ends the others. The rows that were finished
are saved in the report's folder, and `python -m compare list` marks it as unfinished.

<!-- not run: it needs an interrupted comparison -->
```sh
python -m compare --resume REPORT
```

goes on with the settings of the comparison. Only what is printed can be chosen again.

- Gaps and verdicts of finished rows are taken as they are. If the model, the inputs, a version, the machine or this
  project's code has changed since, the command is refused and names the change. A row that failed, and one whose file
  is damaged, is measured again.
- The baseline runs again, because other rows are compared with it bit for bit. With
  another exporter, `onnxruntime` and the row of the default exporter's graph run again too, and with `--thorough`,
  `onnxruntime` does.
- Latency and decoding are measured again from the start: a ratio compares times of the same rounds, and the load of the
  machine may have changed since.
- The report's notes say that it was resumed, and name the rows from before. A comparison of two ONNX files
  keeps no rows, so it runs again from the start.

## Damage that leaves no trace

A bit that flips on a disk changes neither the size nor the time of a file. A comparison compares the SHA-256 of every
file of a cache entry with its manifest. A manifest, a report and the notes of a golden run have the digest of their own
content in the field `sha256`. A file of an older version has none, and is read without it. If you change a report by
hand, remove the field.
"""

#: Headings -> what is done there, and the parts of the load.
SECTIONS = {
    "Kills of an export": (
        "An export is killed with SIGKILL. What it leaves says how far it was.",
        ["kills"],
    ),
    "Damaged files": (
        "Files are cut, emptied, extended, overwritten, replaced by folders and links, or removed, or a bit is flipped "
        "that leaves no trace in size and time.",
        ["damage"],
    ),
    "Many processes at once": ("Exporters and comparisons run at the same time.", ["crowd"]),
    "Disks and clocks": (
        "File systems of 64 kB to 1.5 MB become full, a cache is mounted read-only, and files are of the future.",
        ["disks"],
    ),
    "Runtimes that fail": ("One comparison has all of these runtimes, and a good one.", ["workers"]),
    "Interrupted comparisons": (
        "A comparison of three runtimes is ended at moments spread over its run. Some of those that are then "
        "unfinished are resumed.",
        [*SIGNALS],
    ),
    "A hub that fails": ("A server on this machine imitates the hub.", ["hub"]),
}


def page() -> str:
    """Return the page."""
    result: dict[str, Any] = json.loads(FIGURES.read_text())
    cases: list[dict[str, Any]] = result["figures"]["cases"]
    machine = result["environment"]
    commits = ", ".join(dict.fromkeys(str(case["commit"]) for case in cases))
    lines = [
        OPENING,
        f"Measured on {machine['processor']}, {machine['cores']} cores, until {result['created'][:10]}, at commits",
        f"{commits}.",
        "The last column counts the runs in which exactly this happened.",
    ]
    for title, (what, parts) in SECTIONS.items():
        if shown := [case for case in cases if case["part"] in parts and case["runs"]]:
            lines += ["", f"## {title}", "", what, "", *table(shown)]
    return "\n".join(lines) + "\n"


def table(cases: list[dict[str, Any]]) -> Iterator[str]:
    """Yield the lines of a table, and below it what was not as it should be."""
    yield "| fault | what should happen | happened |"
    yield "| --- | --- | --- |"
    for case in cases:
        held = case["runs"] - len(case["misses"])
        yield f"| {case['what']} | {case['expected']} | {held} of {case['runs']} |"
    missed = [f"- {case['what']}: {miss}" for case in cases for miss in case["misses"]]
    if missed:
        yield from ("", "Not as it should be:", "", *missed)


if __name__ == "__main__":
    PAGE.write_text(page())
