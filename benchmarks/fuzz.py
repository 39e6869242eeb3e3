"""Fuzz the doors through which manifests, reports and ONNX files come in, guided by the lines of code that run.

    make fuzz

Each door gets a third of the time (`--seconds`, 600 in all) in a process of libFuzzer. A door may refuse a file with an
error of `export.errors`. Any other exception, a pass of more than 20 seconds, and more than 4 GB of memory are
failures; the file that shows one is kept in the folder that is named. It needs atheris: pip install atheris.
"""

import re
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from benchmarks.progress import one_by_one
from benchmarks.record import Aim, finish, parser
from compare.processes.own_packages import FOLDER
from export.errors import CannotRun
from tests.helpers.cache_entries import build
from tests.helpers.strange_graphs import small_graph

DOORS = ("manifest", "report", "onnx")
SECONDS, QUICK_SECONDS = 600, 30


def main() -> None:
    command_line = parser(__doc__)
    command_line.add_argument("--seconds", type=int, metavar="N", help="time for all doors")
    options = command_line.parse_args()
    if find_spec("atheris") is None:
        raise SystemExit(str(CannotRun("atheris is not installed; install it with: pip install atheris")))
    seconds = (options.seconds or (QUICK_SECONDS if options.quick else SECONDS)) // len(DOORS)
    folder = Path(tempfile.mkdtemp(prefix="fuzz-"))
    doors = {}
    for door in one_by_one("door", DOORS):
        doors[door] = fuzzed(door, folder / door, seconds)
        print(f"{door}: {doors[door]}", flush=True)
    failed = [door for door, figures in doors.items() if figures["failure"]]
    if failed:
        print(f"the files that show the failures are in {folder}")
    aims = [
        Aim("failures", "0", str(len(failed)), not failed),
        *(Aim(f"{door}: files tried", "> 0", f"{doors[door]['tried']:,}", doors[door]["tried"] > 0) for door in DOORS),
    ]
    finish("fuzz", {"seconds a door": seconds, "doors": doors}, aims, quick=options.quick)


def fuzzed(door: str, folder: Path, seconds: int) -> dict[str, Any]:
    """Fuzz a door and return its figures.

    tried: files. lines: places in the code that ran, as libFuzzer counts them. failure: the last line of the traceback,
    empty if there is none.
    """
    (folder / "seeds").mkdir(parents=True)
    (folder / "seeds" / "seed").write_bytes(seed_of(door))
    command = [sys.executable, "-m", "benchmarks.fuzz_door", door, str(folder), str(seconds)]
    run = subprocess.run(command, cwd=FOLDER, capture_output=True, text=True, errors="replace", check=False)
    tried = re.search(r"number_of_executed_units: *(\d+)", run.stderr)
    covered = re.findall(r" cov: (\d+)", run.stderr)
    return {
        "tried": int(tried[1]) if tried else 0,
        "lines": int(covered[-1]) if covered else 0,
        "failure": failure_in(run.stdout + run.stderr) if run.returncode else "",
    }


def failure_in(output: str) -> str:
    """Return what libFuzzer says of a failure: the exception, or that a pass took too long or too much memory.

    >>> failure_in(" === Uncaught Python exception: ===\\nKeyError: 'x'\\nTraceback")
    "KeyError: 'x'"
    >>> failure_in("==7== ERROR: libFuzzer: timeout after 21 seconds")
    'libFuzzer: timeout after 21 seconds'
    """
    raised = re.search(r"Uncaught Python exception: ===\s*(.+)", output)
    told = re.search(r"(libFuzzer: .+)", output)
    return raised[1].strip() if raised else told[1].strip() if told else output.strip()[-200:]


def seed_of(door: str) -> bytes:
    """Return a file that a door accepts."""
    if door == "onnx":
        content: bytes = small_graph().SerializeToString()
        return content
    with tempfile.TemporaryDirectory() as scratch:
        if door == "manifest":
            return build(Path(scratch)).to_json().encode()
        out = Path(scratch) / "report"
        command = ["--model", "byte-gpt2", "--quick", "--time", "1", "--max-load", "100", "--out", str(out)]
        subprocess.run([sys.executable, "-m", "compare", *command], check=True, capture_output=True)
        return (out / "report.json").read_bytes()


if __name__ == "__main__":
    main()
