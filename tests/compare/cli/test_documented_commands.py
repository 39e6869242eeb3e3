"""The commands in the README and the documentation, run in their quick form.

A comparison that takes minutes is checked up to the point where its work would begin: its options, their values and the
names of runtimes. The comparisons of the README and the tour also run, on a tiny model.
"""

import re
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from compare.battery import runner
from compare.cli.app import app
from compare.pipeline import dispatch
from compare.pipeline.rows import row_names
from compare.pipeline.setting_checks import check_settings
from export.errors import CannotRun
from tests.helpers.commands import main, refused
from tests.helpers.documents import DOCS, README, ROOT, blocks, commands_in, pages

COMPARE = ["python", "-m", "compare"]

TOUR = DOCS / "index.md"

#: The pages whose comparisons run.
RUN = (README, TOUR)

#: The file that the tour makes, and which has a fault.
FAULTY = "faulty.onnx"

#: The options of a comparison that runs here.
QUICK = ["--quick", "--threads", "1", "--no-latency"]


def arguments_of(*files: Path) -> list[list[str]]:
    """Return the arguments of each `python -m compare` in the pages."""
    return [words[3:] for words in commands_in(*files) if words[:3] == COMPARE]


def compares(arguments: list[str]) -> bool:
    """Return whether the arguments are those of a comparison, and not of another command."""
    return not arguments or arguments[0].startswith("-")


def named(arguments: list[str]) -> str:
    """Return the name of a test."""
    return " ".join(arguments) or "without arguments"


COMPARISONS = [arguments for arguments in arguments_of(*pages()) if compares(arguments)]
OTHERS = [arguments for arguments in arguments_of(*pages()) if not compares(arguments)]


@pytest.fixture
def project(default_run, entry, tiny_folder: Path) -> Path:
    """A working folder with a model, its ONNX file, a text, and reports in the cache."""
    folder = Path.cwd()
    (folder / "my-model").symlink_to(tiny_folder)
    for file in entry.folder.glob("*.safetensors"):
        shutil.copy(file, folder)
    for name in ("model.onnx", "older.onnx", FAULTY):
        shutil.copy(entry.folder / "deploy.onnx", folder / name)
    (folder / "story.txt").write_text("To be, or not to be")
    for name in ("NAME", "OLDER", "NEWER"):
        shutil.copytree(default_run.folder, folder / "cache" / "reports" / name)
    return folder


def exit_code(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> int:
    """Run the command in this process, and return its exit code."""
    monkeypatch.setattr(sys, "argv", ["compare", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)


def accepted_comparison(*given: Any) -> None:
    """Check a comparison's settings as its first step does, and do no more. given: ends with settings and progress."""
    check_settings(given[-2])
    row_names(given[-2])
    raise CannotRun("accepted")


def accepted_battery(*_: Any, **__: Any) -> None:
    """Do no work. The command has checked its arguments."""
    raise CannotRun("accepted")


@pytest.mark.parametrize("arguments", COMPARISONS, ids=named)
def test_a_comparison_is_accepted(arguments: list[str], project: Path, monkeypatch, capfd) -> None:
    monkeypatch.setattr(dispatch, "compare", accepted_comparison)
    monkeypatch.setattr(dispatch, "compare_graphs", accepted_comparison)
    assert refused(arguments, 3, monkeypatch, capfd) == "error: accepted\n"


def test_one_that_is_wrong_is_not_accepted(project: Path, monkeypatch, capfd) -> None:
    monkeypatch.setattr(dispatch, "compare", accepted_comparison)
    assert "unknown runtime 'onnxruntim'" in refused(["--runtimes", "onnxruntim"], 2, monkeypatch, capfd)
    assert "--batch is 0" in refused(["--batch", "0"], 2, monkeypatch, capfd)


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [a for a in arguments_of(*RUN) if compares(a) and FAULTY not in a], ids=named)
def test_a_comparison_runs(arguments: list[str], project: Path, cache_dir: Path, monkeypatch, capfd) -> None:
    monkeypatch.setenv("ONNX_ATTENTION_COMPARE_CACHE", str(cache_dir))
    assert exit_code([*arguments, *QUICK, "--out", str(project / "out")], monkeypatch) == 0
    assert "Same model: " in capfd.readouterr().out or "--baseline" in arguments
    assert (project / "out" / "report.json").is_file()


@pytest.mark.slow
def test_the_fault_of_the_tour_is_found(project: Path, cache_dir: Path, monkeypatch, capfd) -> None:
    monkeypatch.setenv("ONNX_ATTENTION_COMPARE_CACHE", str(cache_dir))
    (block,) = (block for block in blocks(TOUR.read_text()) if block.language == "python")
    exec(block.text, {})
    (arguments,) = (arguments for arguments in arguments_of(TOUR) if FAULTY in arguments)
    assert exit_code([*arguments, *QUICK, "--out", str(project / "out")], monkeypatch) == 1
    starts = ("onnx-file", "Same model", "left: ")
    said = [line for line in capfd.readouterr().out.splitlines() if line.startswith(starts)]
    assert len(said) == len(starts)
    assert set(said) <= set(TOUR.read_text().splitlines())


@pytest.mark.parametrize("arguments", [a for a in OTHERS if a != ["runtimes"]], ids=named)  # test_runtimes runs that
def test_another_command_runs(arguments: list[str], project: Path, monkeypatch, capfd) -> None:
    monkeypatch.setattr(runner, "run_battery", accepted_battery)
    code = exit_code(arguments, monkeypatch)
    out, err = capfd.readouterr()
    if arguments[0] == "battery" and "--list" not in arguments:
        assert (code, err.splitlines()[-1]) == (3, "error: accepted")
        return
    assert code in ((0, 1) if arguments[0] in ("diff", "rejudge") else (0,)), err
    assert out


def test_every_command_of_the_pages_is_checked() -> None:
    made = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for words in commands_in(*pages()):
        if words[0] == "make":
            assert words[1] in made, words
        else:
            assert words[:3] in (COMPARE, ["python", "-m", "export"]), words
    registered = {command.name or command.callback.__name__ for command in app.registered_commands if command.callback}
    assert {arguments[0] for arguments in OTHERS} == registered, "a command is not in docs/usage.md"


def test_exports_are_listed(entry, cache_dir: Path, monkeypatch, capfd) -> None:
    from export.__main__ import main as export_main

    listed = [words[3:] for words in commands_in(*pages()) if words[:3] == ["python", "-m", "export"]]
    assert listed == [["--list"]]
    monkeypatch.setattr(sys, "argv", ["export", *listed[0]])
    export_main()
    assert entry.folder.name in capfd.readouterr().out


@pytest.mark.slow
def test_python_in_the_pages_runs(project: Path, cache_dir: Path, monkeypatch) -> None:
    monkeypatch.setenv("ONNX_ATTENTION_COMPARE_CACHE", str(cache_dir))
    (block,) = (block for block in blocks((DOCS / "usage.md").read_text()) if block.language == "python")
    quick = block.text.replace('"onnxruntime"])', '"onnxruntime"], latency=False, threads=1)')
    assert quick != block.text
    exec(quick, {})
    assert (project / "gap_by_layer.png").is_file()
