"""python -m compare list and remove: what is in the cache, and what may be removed from it."""

import json
import os
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from compare.cli import cached
from compare.report.saved import being_written
from compare.report.schema import Report
from tests.helpers.commands import ran, refused
from tests.helpers.reports import verdict

NAMES = ["20261126-183232-byte-gpt2", "20261126-181645-distilgpt2-seeded", "20261101-000000-tiny"]


@pytest.fixture
def root(tmp_path: Path, altered: Report, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache with three reports, an hour, two days and five weeks old, and two golden runs, of today and of then."""
    monkeypatch.setenv("ONNX_ATTENTION_COMPARE_CACHE", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "80")
    now = datetime.now().timestamp()
    ages = [3600, 2 * 86400, 35 * 86400]
    for name, age in zip(NAMES, ages, strict=True):
        folder = tmp_path / "reports" / name
        folder.mkdir(parents=True)
        altered.write(folder)
        os.utime(folder / "report.json", (now - age, now - age))
    for name, age in (("new", 0), ("old", 40 * 86400)):
        entry = tmp_path / "golden" / name
        entry.mkdir(parents=True)
        (entry / "kept.json").write_text("{}")
        os.utime(entry, (now - age, now - age))
    return tmp_path


def left(root: Path, kind: str = "reports") -> list[str]:
    return sorted(path.name for path in (root / kind).iterdir())


def test_reports_are_listed_newest_first_in_80_columns(root: Path, altered: Report, monkeypatch, capfd) -> None:
    altered.runtimes[1].verdict = verdict("different")
    written = root / "reports" / NAMES[1] / "report.json"
    seconds = written.stat().st_mtime
    altered.write(written.parent)
    os.utime(written, (seconds, seconds))
    stdout, _ = ran(["list"], monkeypatch, capfd)
    heading, *rows, golden = stdout.splitlines()
    assert heading.split() == ["name", "date", "model", "verdict", "MB"]
    assert [row.split()[0] for row in rows] == NAMES
    dates = [f"{datetime.now() - timedelta(hours=hours):%Y-%m-%d}" for hours in (1, 48, 35 * 24)]
    assert [row.split()[1] for row in rows] == dates
    assert {row.split()[2] for row in rows} == {"tiny"}
    assert [" different " in row for row in rows] == [False, True, False]
    assert golden == "2 golden runs, 0.0 MB: python -m compare remove --golden removes them"
    assert max(map(len, stdout.splitlines())) <= 80


def test_a_long_verdict_wraps_and_a_name_does_not(root: Path, altered: Report, monkeypatch, capfd) -> None:
    altered.model.name = "an-organization-with-a-long-name/a-model-with-a-long-name"
    altered.runtimes[0].verdict = verdict("reduced precision", precision="bf16")
    altered.write(root / "reports" / NAMES[1])
    stdout, _ = ran(["list"], monkeypatch, capfd)
    assert max(map(len, stdout.splitlines())) <= 80
    assert all(any(line.startswith(f"{name}  ") for line in stdout.splitlines()) for name in NAMES)


def test_the_list_as_json(root: Path, altered: Report, monkeypatch, capfd) -> None:
    (root / "reports" / "broken").mkdir()
    stdout, stderr = ran(["list", "--json"], monkeypatch, capfd)
    first, second, *_ = json.loads(stdout)
    assert first == {
        "name": "broken",
        "created": None,
        "model": None,
        "verdict": None,
        "exit_code": None,
        "bytes": 0,
        "problem": "no report",
    }
    assert second["name"] == NAMES[0]
    assert (second["created"], second["model"]) == (altered.created, "tiny")
    assert (second["verdict"], second["exit_code"], second["problem"]) == ("rounding", 0, None)
    assert second["bytes"] == (root / "reports" / NAMES[0] / "report.json").stat().st_size
    assert stderr == ""


def test_an_empty_cache_is_listed_in_one_line(tmp_path: Path, monkeypatch, capfd) -> None:
    stdout, stderr = ran(["list", "--cache-dir", str(tmp_path)], monkeypatch, capfd)
    assert (stdout, stderr) == ("", f"no report in {tmp_path / 'reports'}; python -m compare writes one\n")


def test_named_reports_are_removed(root: Path, monkeypatch, capfd) -> None:
    path = f"{root / 'reports' / NAMES[1]}/"
    stdout, _ = ran(["remove", NAMES[0], path, path], monkeypatch, capfd)
    assert [line.rpartition("  ")[0] for line in stdout.splitlines()[:2]] == [f"removed {name}" for name in NAMES[:2]]
    assert stdout.splitlines()[2].startswith("freed 0.")
    assert left(root) == NAMES[2:]
    assert left(root, "golden") == ["new", "old"]


def test_old_reports_are_removed(root: Path, monkeypatch, capfd) -> None:
    said, _ = ran(["remove", "--older-than", "1d", "--dry-run"], monkeypatch, capfd)
    assert [line.split()[:3] for line in said.splitlines()[:2]] == [["would", "remove", name] for name in NAMES[1:]]
    assert said.splitlines()[2].startswith("this would free 0.")
    assert left(root) == sorted(NAMES)
    ran(["remove", "--older-than", "1d"], monkeypatch, capfd)
    assert left(root) == [NAMES[0]]
    assert ran(["remove", "--older-than", "1d"], monkeypatch, capfd)[0] == "nothing to remove\n"
    assert left(root, "golden") == ["new", "old"]


def test_golden_runs_are_removed_and_reports_are_not(root: Path, monkeypatch, capfd) -> None:
    ran(["remove", "--golden", "--older-than", "5w"], monkeypatch, capfd)
    assert left(root, "golden") == ["new"]
    ran(["remove", "--golden"], monkeypatch, capfd)
    assert left(root, "golden") == []
    assert left(root) == sorted(NAMES)


@pytest.mark.parametrize(("answer", "kept"), [("n", 3), ("y", 1)])
def test_a_person_is_asked_about_what_has_no_name(
    root: Path, answer: str, kept: int, monkeypatch: pytest.MonkeyPatch, capfd
) -> None:
    monkeypatch.setattr(cached, "at_a_terminal", lambda: True)
    monkeypatch.setattr("typer.confirm", lambda question: question == "Remove them?" and answer == "y")
    stdout, _ = ran(["remove", "--older-than", "1d"], monkeypatch, capfd)
    assert stdout.splitlines()[2].startswith("in all 0.")
    assert len(left(root)) == kept


@pytest.mark.parametrize("arguments", [["--older-than", "1d", "--yes"], NAMES[1:]])
def test_nobody_is_asked_about_names_or_with_yes(root: Path, arguments: list[str], monkeypatch, capfd) -> None:
    monkeypatch.setattr(cached, "at_a_terminal", lambda: True)
    ran(["remove", *arguments], monkeypatch, capfd)
    assert left(root) == [NAMES[0]]


def test_a_report_that_is_being_written_stays(root: Path, monkeypatch, capfd) -> None:
    with being_written(root / "reports" / NAMES[2]):
        said = refused(["remove", NAMES[2]], 2, monkeypatch, capfd)
        assert said == f"error: {NAMES[2]} is being written; end that comparison first, or wait for it\n"
        _, stderr = ran(["remove", "--older-than", "1d"], monkeypatch, capfd)
    assert stderr == f"{NAMES[2]} is being written, so it stays\n"
    assert left(root) == sorted([NAMES[0], NAMES[2]])


def test_nothing_outside_the_cache_is_removed(root: Path, tmp_path_factory, monkeypatch, capfd) -> None:
    outside = tmp_path_factory.mktemp("outside")
    (outside / "report.json").write_text("{}")
    link = root / "reports" / "link"
    link.symlink_to(outside)
    inner = root / "reports" / NAMES[0] / "scratch"
    inner.mkdir()
    for given in (outside, link, "link", "..", ".", root, root / "golden", f"../golden/{'new'}", inner, "", "*"):
        assert f"no report {str(given)!r} in " in refused(["remove", str(given)], 2, monkeypatch, capfd)
    ran(["remove", "--older-than", "0d"], monkeypatch, capfd)
    assert left(root) == ["link"]
    assert left(root, "golden") == ["new", "old"]
    assert (outside / "report.json").is_file()


def test_one_wrong_name_removes_nothing(root: Path, monkeypatch, capfd) -> None:
    said = refused(["remove", NAMES[0], f"{NAMES[1]}x"], 2, monkeypatch, capfd)
    assert f"no report '{NAMES[1]}x' in {root / 'reports'}; did you mean {NAMES[1]}" in said
    assert left(root) == sorted(NAMES)
