"""Test that the folder of a report is a comparison's alone, and that a refused comparison leaves nothing in it."""

import os
import stat
from contextlib import ExitStack
from pathlib import Path

import pytest

from compare.pipeline.report_folder import check_own, make_report_folder
from compare.pipeline.settings import OutputSettings
from compare.report.folder import LOCK, MARKER, UNFINISHED, begin, finish, is_unfinished
from compare.report.saved import listing
from compare.report.schema import Report
from export.errors import BadInput


def made(out: Path) -> Path:
    """Make the folder of a report, as a comparison that ends well does."""
    with ExitStack() as held:
        folder = make_report_folder(OutputSettings(out=out), "tiny", held)
        begin(folder)
        finish(folder)
    return folder


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize(
    "names",
    [["notes.txt"], ["report.md"], ["scratch/inputs/thesis.txt"], ["logs/a"], ["report.json", "report.md"], [".git/x"]],
)
def test_somebody_elses_folder_is_left_alone(names: list[str], tmp_path: Path) -> None:
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("years of work")
    before = sorted(tmp_path.rglob("*"))
    first = names_in(tmp_path)[0]
    with pytest.raises(BadInput) as refused:
        made(tmp_path)
    assert str(refused.value).startswith(f"the folder {tmp_path} has {first!r}")
    assert str(refused.value).endswith(", which no comparison wrote; set out to a new or an empty folder")
    assert sorted(tmp_path.rglob("*")) == before
    assert all((tmp_path / name).read_text() == "years of work" for name in names)


def test_a_new_or_empty_folder_is_taken_and_can_be_used_again(tmp_path: Path) -> None:
    out = tmp_path / "a" / "b"
    assert made(out) == out
    assert names_in(out) == [MARKER]
    for name in ("report.md", "gap_by_layer.png", "heads_onnxruntime.svg", "maps.npz"):
        (out / name).write_text("old")
    (out / "logs").mkdir()
    assert made(out) == out
    assert names_in(out) == [MARKER]
    (out / ".DS_Store").touch()
    made(out)


def test_a_file_that_was_put_into_a_reports_folder_is_not_mixed_with_another_report(tmp_path: Path) -> None:
    made(tmp_path / "out")
    (tmp_path / "out" / "report.md").write_text("old")
    (tmp_path / "out" / "notes.txt").write_text("mine")
    with pytest.raises(BadInput, match=r"has 'notes\.txt', which no comparison wrote"):
        made(tmp_path / "out")
    assert (tmp_path / "out" / "report.md").read_text() == "old"


def test_a_link_in_a_reports_folder_is_removed_and_not_followed(tmp_path: Path) -> None:
    made(tmp_path / "out")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "file").touch()
    (tmp_path / "out" / "logs").symlink_to(tmp_path / "mine")
    made(tmp_path / "out")
    assert (tmp_path / "mine" / "file").exists()
    assert not (tmp_path / "out" / "logs").exists()


def test_a_report_from_before_there_were_markers_can_be_replaced(report: Report, tmp_path: Path) -> None:
    report.model_copy().write(tmp_path)
    check_own(tmp_path)
    (tmp_path / "scratch").mkdir()
    with pytest.raises(BadInput, match=r"has 'scratch', which no comparison wrote"):
        check_own(tmp_path)
    (tmp_path / "scratch").rmdir()
    (tmp_path / "notes.txt").touch()
    with pytest.raises(BadInput, match=r"has 'notes\.txt', which no comparison wrote"):
        check_own(tmp_path)


@pytest.mark.parametrize("there", [True, False])
@pytest.mark.parametrize("error", [BadInput("no"), KeyboardInterrupt()])
def test_a_refused_comparison_leaves_nothing(there: bool, error: BaseException, tmp_path: Path) -> None:
    out = tmp_path / "a" / "out"
    if there:
        out.mkdir(parents=True)
    with pytest.raises(type(error)), ExitStack() as held:
        make_report_folder(OutputSettings(out=out), "tiny", held)
        raise error
    assert sorted(tmp_path.rglob("*")) == ([tmp_path / "a", out] if there else [])


def test_a_refused_comparison_leaves_nothing_in_the_cache(tmp_path: Path) -> None:
    with pytest.raises(BadInput), ExitStack() as held:
        make_report_folder(OutputSettings(cache_dir=tmp_path), "tiny", held)
        raise BadInput("no")
    assert list((tmp_path / "reports").iterdir()) == []


def test_a_comparison_that_fails_says_that_it_is_unfinished(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), ExitStack() as held:
        folder = make_report_folder(OutputSettings(cache_dir=tmp_path), "tiny", held)
        begin(folder)
        raise RuntimeError
    assert "has not finished" in (folder / UNFINISHED).read_text()
    assert is_unfinished(folder)
    assert [saved.why for saved in listing(tmp_path)] == ["unfinished"]


def test_permissions_are_as_the_umask_says(tmp_path: Path) -> None:
    with ExitStack() as held:
        before = os.umask(0o027)
        try:
            out = make_report_folder(OutputSettings(out=tmp_path / "out"), "tiny", held)
        finally:
            os.umask(before)
        names = {path.name for path in out.iterdir()} - {LOCK}
        modes = {name: stat.S_IMODE((out / name).stat().st_mode) for name in (".", *names)}
    assert modes == {".": 0o750, MARKER: 0o640, "scratch": 0o750}


def test_a_long_name_is_cut(tmp_path: Path) -> None:
    with ExitStack() as held:
        folder = make_report_folder(OutputSettings(cache_dir=tmp_path), "ä" * 300, held)
    assert folder.is_dir()
