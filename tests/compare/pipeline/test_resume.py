"""Comparisons that are interrupted and resumed: finished rows are taken as they are, and the rest is measured."""

import json
import signal
import subprocess
from contextlib import ExitStack
from dataclasses import replace
from math import inf
from pathlib import Path
from typing import Any

import pytest
import torch

from compare.pipeline.compare_model import compare
from compare.pipeline.dispatch import resume_comparison, run_comparison
from compare.pipeline.report_folder import make_report_folder
from compare.pipeline.settings import OutputSettings, Settings
from compare.report.folder import KEPT, MARKER, UNFINISHED, is_unfinished
from compare.report.saved import listing, located
from compare.report.schema import Report
from compare.report.unfinished import RUN_FILE, SavedRow, can_resume, read_begun, read_row, saved_names, write_row
from export.cache import Entry
from export.errors import BadInput, CannotRun
from export.models import load
from export.progress import Progress
from export.sources import find
from tests.helpers.commands import COMPARE, ran, refused
from tests.helpers.settings import small

NAMES = ("torch-eager", "torch-sdpa", "onnxruntime")


class Interrupts(Progress):
    """Raises an error when so many rows are finished, and keeps what it is told."""

    def __init__(self, rows: int, error: type[BaseException] = KeyboardInterrupt) -> None:
        self.rows, self.error = rows, error
        self.steps: list[str] = []
        self.notes: list[str] = []

    def results(self, *, runtimes: Any = None, **_: Any) -> None:
        if runtimes is not None and len(runtimes) == self.rows:
            raise self.error("by the test")

    def step(self, what: str) -> None:
        self.steps.append(what)

    def note(self, line: str) -> None:
        self.notes.append(line)


def interrupted(model: Path, out: Path, rows: int = 2, **more: Any) -> Interrupts:
    """Interrupt a comparison when so many rows are finished, and return its progress."""
    progress = Interrupts(rows)
    with pytest.raises(KeyboardInterrupt):
        compare(str(model), small(out, *NAMES, latency=False, **more), progress)
    return progress


@pytest.fixture(scope="module")
def stopped(tiny_folder: Path, entry: Entry, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Interrupts]:
    """The folder of a comparison that was interrupted after two of three rows, and its progress.

    entry: exports the model first, so that no note is of another worker's export.
    """
    root = tmp_path_factory.mktemp("stopped")
    return root / "reports" / "begun", interrupted(tiny_folder, root / "reports" / "begun")


@pytest.fixture
def folder(stopped: tuple[Path, Interrupts], tmp_path: Path) -> Path:
    """A copy of that folder."""
    import shutil

    return Path(shutil.copytree(stopped[0], tmp_path / "begun"))


def test_an_interrupted_comparison_keeps_its_rows_and_nothing_else(stopped: tuple[Path, Interrupts]) -> None:
    folder, progress = stopped
    assert saved_names(folder) == ["torch-eager", "torch-sdpa"]
    assert {path.name for path in folder.iterdir()} == {KEPT, MARKER, UNFINISHED}
    assert progress.notes == [f"2 of 3 rows are saved; python -m compare --resume {folder} goes on"]


def test_it_is_listed_as_unfinished_and_show_names_the_command(stopped: tuple[Path, Interrupts]) -> None:
    folder, _ = stopped
    assert [saved.why for saved in listing(folder.parents[1])] == ["unfinished"]
    with pytest.raises(
        BadInput, match=r"is unfinished, with 2 rows saved; python -m compare --resume .*begun goes on$"
    ):
        located(folder.name, folder.parents[1])


def test_the_list_names_the_command(stopped: tuple[Path, Interrupts], monkeypatch, capfd) -> None:
    folder, _ = stopped
    stdout, _ = ran(["list", "--cache-dir", str(folder.parents[1])], monkeypatch, capfd)
    assert f"begun is unfinished, with 2 rows saved; python -m compare --resume {folder} goes on" in stdout


def test_one_that_is_unfinished_and_has_kept_nothing_is_not_resumed(tmp_path: Path) -> None:
    (tmp_path / UNFINISHED).touch()
    with pytest.raises(BadInput, match=r"is unfinished: it is running, or it failed or was stopped; compare again$"):
        located(str(tmp_path))
    with pytest.raises(BadInput, match="has no unfinished comparison"):
        resume_comparison(tmp_path)


def test_a_comparison_that_is_refused_leaves_the_rows_of_another_one(folder: Path, tiny_folder: Path) -> None:
    with pytest.raises(BadInput, match="by the test"), ExitStack() as held:
        make_report_folder(OutputSettings(out=folder), "tiny", held)
        raise BadInput("by the test")
    assert saved_names(folder) == ["torch-eager", "torch-sdpa"]
    assert can_resume(folder)
    assert not (folder / "scratch").exists()


def test_a_new_comparison_removes_the_rows_of_another_one(folder: Path, tiny_folder: Path) -> None:
    interrupted(tiny_folder, folder, rows=1)
    assert saved_names(folder) == ["torch-eager"]


def test_rows_in_a_link_are_not_taken_and_not_removed(folder: Path, tmp_path: Path) -> None:
    (folder / KEPT).rename(tmp_path / "elsewhere")
    (folder / KEPT).symlink_to(tmp_path / "elsewhere")
    with ExitStack() as held:
        make_report_folder(OutputSettings(out=folder), "tiny", held)
    assert not (folder / KEPT).is_symlink()
    assert (tmp_path / "elsewhere" / "torch-eager.npz").exists()


def test_numbers_that_are_not_finite_and_odd_names_are_kept(tmp_path: Path, report: Report) -> None:
    row = report.runtimes[-1]
    odd = replace(row, facts={"file": "a\udc80"}, gaps=[replace(row.gaps[0], max=inf)])
    write_row(tmp_path, SavedRow(odd))
    kept = read_row(tmp_path, row.name)
    assert kept is not None and kept.result == odd


def test_a_resumed_comparison_measures_what_is_missing(folder: Path) -> None:
    kept = read_row(folder, "torch-sdpa")
    progress = Interrupts(99)
    report = resume_comparison(folder, progress)
    assert [row.name for row in report.runtimes] == list(NAMES)
    assert all(row.error is None for row in report.runtimes)
    assert kept is not None and report.runtimes[1] == kept.result
    assert [step for step in progress.steps if "before" in step] == ["torch-sdpa: from before the interruption"]
    (note,) = [note for note in report.notes if note.startswith("resumed after an interruption")]
    assert "gaps and verdicts of torch-sdpa are from before; everything else was measured later" in note
    assert not (folder / KEPT).exists() and not is_unfinished(folder)
    assert Report.read(folder) == report
    from compare.report.head_maps import head_maps

    with head_maps(report) as maps:
        assert maps is not None and set(NAMES[:2]) <= set(maps.runtimes)


def test_a_damaged_row_is_measured_anew(folder: Path) -> None:
    file = folder / KEPT / "torch-sdpa.npz"
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    assert read_row(folder, "torch-sdpa") is None
    progress = Interrupts(99)
    report = resume_comparison(folder, progress)
    assert not [step for step in progress.steps if "before" in step]
    assert any("no row was finished before" in note for note in report.notes)


@pytest.mark.slow
def test_a_loaded_model_is_resumed_as_it_was_when_the_comparison_began(tiny_folder: Path, tmp_path: Path) -> None:
    loaded = load(find(str(tiny_folder)))
    with torch.no_grad():
        loaded.model.transformer.wte.weight[5] *= 1.5
    with pytest.raises(KeyboardInterrupt):
        compare(loaded, small(tmp_path / "out", *NAMES, latency=False), Interrupts(2))
    report = resume_comparison(tmp_path / "out")
    assert report.model.provenance.startswith("changed in memory")
    assert any("gaps and verdicts of torch-sdpa are from before" in note for note in report.notes)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("torch", "1.0", r'torch was "1\.0", and now it is "\d'),
        ("the digest of the input", "0", r'the digest of the input was "0", and now it is'),
        ("the row onnxruntime", None, r"the row onnxruntime was null, and now it is"),
        ("gone", 3, r"gone was 3, and now it is null"),
    ],
)
def test_rows_that_would_not_fit_are_refused_by_what_has_changed(
    folder: Path, name: str, value: object, message: str
) -> None:
    begun = read_begun(folder)
    begun["facts"][name] = value
    (folder / KEPT / RUN_FILE).write_text(json.dumps(begun))
    with pytest.raises(BadInput, match=f"cannot be resumed, because its rows would not fit: {message}"):
        resume_comparison(folder)
    assert saved_names(folder) == ["torch-eager", "torch-sdpa"]
    assert not (folder / "scratch").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", r"run\.json cannot be read: Expecting"),
        ("[]", r"run\.json cannot be read: it is no object; start the comparison anew"),
        ('{"format": 9}', "cannot be resumed: it has format 9, but this version uses 1"),
        ('{"format": 1, "settings": {"input": 3}}', "cannot be resumed: its settings are not valid"),
    ],
)
def test_a_damaged_beginning_is_refused(folder: Path, content: str, message: str) -> None:
    (folder / KEPT / RUN_FILE).write_text(content)
    with pytest.raises(BadInput, match=message):
        resume_comparison(folder)


def test_traces_that_are_kept_are_made_anew(tiny_folder: Path, tmp_path: Path) -> None:
    interrupted(tiny_folder, tmp_path / "out", keep_traces=True)
    resume_comparison(tmp_path / "out")
    assert {name for name in NAMES if (tmp_path / "out" / "scratch" / name).is_dir()} == set(NAMES)


def test_a_comparison_that_is_refused_before_its_first_row_is_not_marked(tiny_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(CannotRun):
        compare(str(tiny_folder), small(tmp_path / "out", *NAMES, latency=False), Fails())
    assert not (tmp_path / "out" / KEPT).exists()


class Fails(Progress):
    def stage(self, name: str, what: str = "", of: int | None = None) -> None:
        if name == "golden":
            raise CannotRun("by the test")


def test_a_finished_comparison_is_not_resumed(folder: Path) -> None:
    report = resume_comparison(folder)
    assert resume_comparison(folder) == report, "its page was not written, so the command goes on with that"
    (folder / "report.html").touch()
    with pytest.raises(BadInput, match=r"is finished; python -m compare show .* shows it"):
        resume_comparison(folder)


def test_a_folder_without_a_comparison_is_not_resumed(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="has no unfinished comparison; python -m compare list names those of the cache"):
        resume_comparison(tmp_path)


def test_two_onnx_files_are_compared_anew(entry, tmp_path: Path) -> None:
    files = {"onnx": entry.folder / "inspect.onnx", "baseline": entry.folder / "inspect.onnx"}
    settings = Settings.of(**files, text="To be", threads=1, latency=False, out=tmp_path / "out")
    with pytest.raises(KeyboardInterrupt):
        run_comparison(None, settings, InterruptsAtOnce())
    assert is_unfinished(tmp_path / "out")
    report = resume_comparison(tmp_path / "out")
    assert report.worst == "identical"
    assert not is_unfinished(tmp_path / "out")


class InterruptsAtOnce(Progress):
    """Interrupts after the first row."""

    def step(self, what: str) -> None:
        raise KeyboardInterrupt


@pytest.mark.parametrize(
    "option", [["--batch", "2"], ["--option", "onnxruntime.provider=X"], ["--provider", "X"], ["--no-latency"]]
)
def test_settings_cannot_be_given_with_resume(folder: Path, option: list[str], monkeypatch, capfd) -> None:
    line = refused(["--resume", str(folder), *option], 2, monkeypatch, capfd)
    assert line == (
        f"error: --resume goes on with the settings of the comparison, so {option[0]} cannot be given; leave it out, "
        "or compare anew\n"
    )


def test_a_row_that_cannot_be_explained_is_refused_before_anything_is_measured(
    folder: Path, monkeypatch, capfd
) -> None:
    line = refused(["--resume", str(folder), "--explain", "numpy-referenc"], 2, monkeypatch, capfd)
    assert line.startswith("error: --explain: the comparison has no runtime 'numpy-referenc'; ")
    assert not (folder / "report.json").exists()


def heeds() -> None:
    """Let no signal be ignored, as SIGHUP is in processes of nohup."""
    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, signal.SIG_DFL)


@pytest.mark.parametrize(("sent", "code", "words"), [("SIGTERM", 143, "SIGTERM"), ("SIGHUP", 129, "SIGHUP")])
def test_other_signals_end_it_as_ctrl_c_does(
    tiny_folder: Path, entry, tmp_path: Path, sent: str, code: int, words: str
) -> None:
    out = tmp_path / "out"
    command = [*COMPARE, "--model", str(tiny_folder), "--quick", "--no-latency", "--threads", "1", "--out", str(out)]
    with subprocess.Popen(
        command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, preexec_fn=heeds
    ) as run:
        assert run.stderr is not None
        try:
            next(line for line in run.stderr if line.startswith("golden: "))
            run.send_signal(signal.Signals[sent])
            assert run.wait(timeout=60) == code
        finally:
            run.kill()
        assert run.stderr.read().endswith(f"error: ended by {words}\n")
    assert not (out / "scratch").exists()
    assert is_unfinished(out)
