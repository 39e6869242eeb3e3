"""End a comparison at moments of its work: no process is left, what was finished is saved, and `--resume` goes on.

The moments are spread over an undisturbed run. A run that has ended before its moment counts as one that was not
disturbed, and has to be whole.
"""

import re
import shutil
import signal
import time
from pathlib import Path

from benchmarks.faultload.cases import Case
from benchmarks.faultload.commands import Ended, Running, compare, run, workspace
from benchmarks.progress import one_by_one
from compare.report.folder import is_unfinished
from compare.report.saved import is_being_written
from compare.report.schema import REPORT_FILE, Report
from compare.report.unfinished import read_row, saved_names
from export.errors import BadInput

#: The parts of the load: a signal in words, the signal, and the exit code of a run that it ends.
SIGNALS = {
    "ctrl-c": ("Ctrl-C", signal.SIGINT, 130),
    "sigterm": ("SIGTERM", signal.SIGTERM, 143),
    "sighup": ("SIGHUP", signal.SIGHUP, 129),
    "killed": ("its process is killed", signal.SIGKILL, -signal.SIGKILL),
}

#: The number of moments for each signal, and which unfinished runs are resumed: one of so many.
MOMENTS, QUICK_MOMENTS, RESUMED = 30, 2, 6

ARGUMENTS = ["--model", "byte-gpt2", "--runtimes", "torch-eager,torch-sdpa,onnxruntime", "--sequence", "32"]
ARGUMENTS += ["--time", "1", "--verbose"]

#: A line of progress that says that a row is finished.
_ROW = re.compile(r"^traces: ([\w-]+): (?:identical|rounding|reduced|different|broken)", re.MULTILINE)


def load(part: str, *, quick: bool, count: int = MOMENTS) -> list[Case]:
    """End comparisons of byte-gpt2 with one signal, a key of `SIGNALS`, at so many moments; two if it is quick."""
    words, sent, code = SIGNALS[part]
    expected = f"exit code {code}, one line" if code > 0 else "the rows are saved"
    case = Case(part, words, f"{expected}; no process and no temporary file left")
    resumed = Case(part, f"resumed after {words}", "the saved rows are kept, and the rest is measured")
    with workspace() as folder:
        cache, out = folder / "cache", folder / "report"
        run(["-m", "export", "byte-gpt2"], cache)
        whole = run(compare(*ARGUMENTS, "--out", out), cache)
        assert whole.code == 0, whole.stderr
        shutil.rmtree(out)
        count = QUICK_MOMENTS if quick else count
        moments = [whole.seconds * (number + 0.5) / count for number in range(count)]
        for number, moment in enumerate(one_by_one(words, moments)):
            problems = problems_of(ended_at(moment, sent, cache, out), code, out)
            case.count(f"after {moment:.2f} s: {problem}" for problem in problems)
            unfinished = is_unfinished(out) and not (out / REPORT_FILE).is_file()
            if unfinished and (number % RESUMED == RESUMED // 2 or quick):
                resumed.count(f"after {moment:.2f} s: {problem}" for problem in resume_problems(cache, out))
            shutil.rmtree(out, ignore_errors=True)
    return [case, resumed]


def ended_at(moment: float, sent: signal.Signals, cache: Path, out: Path) -> Ended:
    """Run a comparison, send it a signal so many seconds after its start, and wait until it has ended."""
    running = Running(compare(*ARGUMENTS, "--out", out), cache, preexec_fn=_as_in_a_terminal)
    time.sleep(max(0.05, moment))
    running.send(sent)
    return running.ended(60)


def problems_of(ended: Ended, code: int, out: Path) -> list[str]:
    """Return what is wrong with how a run has ended, and with what it has left.

    code: the exit code of the signal. A run may also have ended before it came, with 0.
    """
    if code < 0:
        found = ended.left() + ([] if ended.code in (code, 0) else [f"exit code {ended.code}"])
    else:
        found = ended.problems([code, 0])
    if not out.is_dir():
        return found
    if is_being_written(out):
        found.append("the lock is held")
    if code > 0 and (out / "scratch").exists():
        found.append("left its scratch folder")
    if (out / "report.json").exists():
        try:
            Report.read(out)
        except BadInput as error:
            found.append(str(error))
        return found
    if ended.code == 0:
        found.append("no report")
    finished = _ROW.findall(ended.stderr)
    lost = set(finished[:-1] if code < 0 else finished) - set(saved_names(out))  # the last one may not be written yet
    found += [f"lost {name}" for name in sorted(lost)]
    found += [f"{name} cannot be read" for name in saved_names(out) if read_row(out, name) is None]
    if finished and not is_unfinished(out):
        found.append("not marked as unfinished")
    return found


def resume_problems(cache: Path, out: Path) -> list[str]:
    """Resume a comparison. Return what is wrong with how that ends."""
    saved = {name: kept.result for name in saved_names(out) if (kept := read_row(out, name)) is not None}
    shown = run(compare("show", out), cache)
    found = shown.problems([2], said="--resume")
    ended = run(compare("--resume", out), cache)
    found += ended.problems([0])
    if ended.code != 0:
        return found
    report = Report.read(out)
    rows = {row.name: row for row in report.runtimes}
    if [row.name for row in report.runtimes] != ["torch-eager", "torch-sdpa", "onnxruntime"]:
        found.append(f"its rows are {list(rows)}")
    taken = [name for name in saved if name != "torch-eager"]
    if any(rows[name] != saved[name] for name in taken):
        found.append("a saved row has changed")
    if not any(note.startswith("resumed after an interruption") for note in report.notes):
        found.append("no note")
    if len(report.latency) < 3 or is_unfinished(out):
        found.append("it is not whole")
    return found


def _as_in_a_terminal() -> None:
    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):  # a job in the background, or of nohup, ignores some
        signal.signal(each, signal.SIG_DFL)
