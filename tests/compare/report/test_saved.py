"""The reports of a cache: found by path and by name, and never taken while another comparison writes them."""

import os
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from compare.pipeline.report_folder import make_report_folder, new_folder
from compare.pipeline.settings import OutputSettings
from compare.report.saved import being_written, is_being_written, listing, located, newest, reports_in
from compare.report.schema import Report
from export.errors import BadInput
from tests.helpers.processes import comes_true

#: Writes to a folder until its standard input ends.
WRITER = """
import sys
from pathlib import Path
from compare.report.saved import being_written
with being_written(Path(sys.argv[1])):
    print("writing", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def root(tmp_path: Path, report: Report) -> Path:
    """A cache with the reports "older" and "newer"."""
    for seconds, name in enumerate(("older", "newer"), start=1):
        folder = tmp_path / "reports" / name
        folder.mkdir(parents=True)
        report.model_copy().write(folder)
        os.utime(folder / "report.json", (seconds, seconds))
    return tmp_path


def test_a_report_is_found_by_its_name_and_by_its_path(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = root / "reports" / "older"
    assert located("older", root) == folder
    assert located(str(folder), root) == folder
    assert located(str(folder / "report.json"), root) == folder / "report.json"
    monkeypatch.chdir(root / "reports")
    assert located("./newer", root).samefile("newer")
    assert Report.read(located("newer", root)).folder.name == "newer"


def test_a_folder_in_the_working_folder_comes_before_a_name(root: Path, tmp_path_factory, monkeypatch) -> None:
    here = tmp_path_factory.mktemp("here")
    (here / "older").mkdir()
    monkeypatch.chdir(here)
    assert located("older", root) == Path("older")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("oldr", "no report 'oldr'; did you mean older"),
        ("zzz", "no report 'zzz'; python -m compare list lists the names"),
        ("reports/zzz", "no report at reports/zzz; python -m compare list lists the names of those in the cache"),
    ],
)
def test_a_wrong_name_is_answered_with_near_ones(root: Path, given: str, message: str) -> None:
    with pytest.raises(BadInput) as refused:
        located(given, root)
    assert str(refused.value).startswith(message)


def test_hidden_folders_are_no_reports(root: Path) -> None:
    (root / "reports" / "newer").rename(root / "reports" / ".removed-newer-1")
    assert [saved.folder.name for saved in listing(root)] == ["older"]
    assert newest(root).name == "older"


def test_what_has_no_report_is_listed_with_the_reason(root: Path) -> None:
    (root / "reports" / "killed" / "logs").mkdir(parents=True)
    (root / "reports" / "older" / "report.json").write_text("{")
    os.utime(root / "reports" / "older" / "report.json", (1, 1))
    found = {saved.folder.name: saved for saved in listing(root)}
    assert list(found) == ["killed", "newer", "older"]
    assert [saved.why for saved in found.values()] == ["no report", "", "unreadable"]
    assert [saved.report is None for saved in found.values()] == [True, False, True]
    assert found["newer"].bytes == (root / "reports" / "newer" / "report.json").stat().st_size


def test_a_folder_is_written_by_one_process_and_free_after_its_death(tmp_path: Path) -> None:
    assert not is_being_written(tmp_path)
    command = [sys.executable, "-c", WRITER, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout.readline() == "writing\n"
        assert is_being_written(tmp_path)
        with pytest.raises(BadInput, match=r"another comparison is writing to .*; wait for it, or set out to"):
            make_report_folder(OutputSettings(out=tmp_path), "tiny", ExitStack())
        writer.kill()
    assert comes_true(lambda: not is_being_written(tmp_path))
    with being_written(tmp_path):
        assert is_being_written(tmp_path)
    assert not is_being_written(tmp_path)


def test_a_run_in_progress_is_listed_as_such(root: Path) -> None:
    with ExitStack() as held:
        folder = make_report_folder(OutputSettings(cache_dir=root), "tiny", held)
        assert [saved.why for saved in listing(root) if saved.folder == folder] == ["being written"]
    assert [saved.why for saved in listing(root) if saved.folder == folder] == ["no report"]


def test_comparisons_of_one_second_have_folders_of_their_own(tmp_path: Path) -> None:
    made = [new_folder(reports_in(tmp_path), "tiny") for _ in range(20)]
    assert len(set(made)) == 20
    assert all(folder.is_dir() for folder in made)
