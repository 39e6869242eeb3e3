"""Compare with runtimes that fail: their rows say how, and all others are compared and timed."""

from pathlib import Path

from benchmarks.faultload.bad_runtimes import RUNTIMES, install
from benchmarks.faultload.cases import Case
from benchmarks.faultload.commands import ROOT, compare, run, tiny_folder, workspace
from benchmarks.progress import PROGRESS
from compare.report.schema import Report

#: What a class of runtime does wrong, for the page.
WORDS = {
    "crashes": "crashes when it is traced",
    "exits": "ends its process with exit code 0",
    "hangs": "hangs when it is traced",
    "greedy": "needs more memory than there is",
    "givesnan": "gives NaN",
    "wrongshape": "gives an output of a wrong shape",
    "toofew": "lacks the output that is compared",
    "nothing": "gives no output",
    "wrongkind": "gives lists in place of arrays",
    "failstoload": "raises an error of several lines when it is loaded",
    "crasheslater": "crashes when it is timed",
    "hangslater": "hangs when it is timed",
    "prints": "prints to stdout, from Python and below",
    "leavesprocesses": "leaves a process in a session of its own",
}


def load(*, quick: bool) -> list[Case]:
    """Compare all bad runtimes and a good one in one run. quick: four of them."""
    names = ["crashes", "givesnan", "crasheslater", "prints"] if quick else list(RUNTIMES)
    with workspace() as folder:
        site = folder / "site"
        site.mkdir()
        install(site)
        model, out = tiny_folder(folder / "tiny"), folder / "report"
        PROGRESS.stage("workers", f"{len(names)} bad runtimes and a good one")
        arguments: list[str | Path] = ["--model", model, "--runtimes", ",".join([*names, "onnxruntime"]), "--out", out]
        arguments += ["--threads", "1", "--text", "To be, or not to be", "--time", "2", "--timeout", "20"]
        arguments += ["--max-load", "100"]  # the good runtime has turns that count even if the machine is busy
        path = f"{site}:{ROOT}"
        ended = run(compare(*arguments), folder / "cache", more={"PYTHONPATH": path}, timeout=900)
        whole = Case("workers", "the comparison as a whole", "exit 1, nothing left; the good runtime is timed")
        problems = ended.problems([1])
        if not (out / "report.json").is_file():
            whole.count([*problems, f"no report: {ended.stderr[-500:]!r}"])
            return [whole]
        report = Report.read(out)
        good = [row for row in report.latency if row.runtime == "onnxruntime"]
        if not (good and good[0].error is None and good[0].turns):
            problems.append(f"onnxruntime was not timed: {good[0].error if good else 'it has no row'}")
        whole.count(problems)
        return [whole, *(case_of(report, name) for name in names)]


def case_of(report: Report, name: str) -> Case:
    """Return the case of one runtime: its row has to say what is wrong with it."""
    _, where, words = RUNTIMES[name]
    expected = "its row is right" if where == "right" else f"its row says: {words}"
    case = Case("workers", WORDS[name], expected)
    row = next(row for row in report.runtimes if row.name == name)
    timed = next((row for row in report.latency if row.runtime == name), None)
    error, verdict = row.error or "", row.verdict.sentence if row.verdict else ""
    said = {"trace": error, "verdict": verdict, "latency": (timed.error or "") if timed else "no row"}
    if where == "right":
        wrong = [
            error,
            "" if row.verdict and row.verdict.kind == "identical" else verdict,
            (timed and timed.error) or "",
        ]
        case.count("; ".join(filter(None, wrong)))
    else:
        line = said[where]
        right = words in line and "\n" not in line and line.isprintable()
        case.count("" if right else f"it says {said}")
    return case
