"""The load of faults: its page, damaged files in full, and a few of every other fault."""

from pathlib import Path

import pytest

from benchmarks.faultload import damage, page
from benchmarks.faultload.__main__ import LOADS, aims_of
from benchmarks.faultload.cases import Case
from compare.pipeline.compare_model import compare
from tests.helpers.settings import small


def misses(cases: list[Case]) -> dict[str, list[str]]:
    assert all(case.runs for case in cases)
    return {case.what: case.misses for case in cases if case.misses}


def test_damaged_files_of_an_entry_are_refused(entry, tmp_path: Path) -> None:
    cases = list(damage.entry_cases(tmp_path, entry.folder, damage.DAMAGES))
    assert misses(cases) == {}
    assert sum(case.runs for case in cases) >= 80


@pytest.fixture(scope="module")
def out(tiny_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a report."""
    folder = tmp_path_factory.mktemp("report")
    compare(str(tiny_folder), small(folder, "onnxruntime", latency=False))
    return folder


@pytest.mark.slow
def test_a_damaged_golden_run_is_not_used(out: Path, cache_dir: Path, tmp_path: Path) -> None:
    assert misses(list(damage.golden_cases(tmp_path, damage.largest_golden(cache_dir), damage.DAMAGES))) == {}


@pytest.mark.slow
def test_damaged_reports_and_saved_rows_are_refused(out: Path, tmp_path: Path) -> None:
    cases = [*damage.report_cases(tmp_path, out, damage.DAMAGES), *damage.row_cases(tmp_path, out, damage.DAMAGES)]
    assert misses(cases) == {}


def test_the_page_is_made_from_the_results() -> None:
    assert page.PAGE.read_text() == page.page(), "write it with: python -m benchmarks.faultload.page"


def test_a_miss_is_on_the_page_and_misses_its_aim() -> None:
    case = Case("kills", "weights", "refused")
    case.count()
    case.count(["exit code 1", "", "a traceback"])
    assert list(page.table([vars(case)]))[2:] == [
        "| weights | refused | 1 of 2 |",
        "",
        "Not as it should be:",
        "",
        "- weights: exit code 1; a traceback",
    ]
    (aim,) = aims_of([case], quick=True)
    assert (aim.reached, aim.held) == ("1 of 2", False)
    assert [each.reached for each in aims_of([case], quick=False)] == ["1 of 2", "2", "0"]


#: The parts of which a few faults are made here. `python -m benchmarks.faultload` makes all of every part, which takes
#: more than an hour.
SHOWN = ("crowd", "sigterm", "killed")


@pytest.mark.slow
@pytest.mark.parametrize("part", SHOWN)
def test_a_few_faults_of_each_part_are_well_met(part: str) -> None:
    assert misses(LOADS[part](quick=True)) == {}
