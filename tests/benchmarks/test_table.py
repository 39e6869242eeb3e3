"""Tests of docs/benchmarks.md: it is what `benchmarks.table` makes of the results, and every aim has a claim."""

import json
import tomllib
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from benchmarks import table
from benchmarks.further_rows import FURTHER
from benchmarks.proportions import upper_bound
from tests.helpers.documents import README

AIM = {"what": "level", "aimed": "<= 1", "reached": "0.5", "held": True}
TOPIC = {"title": "Levels", "setup": "A level.", "claims": {"level": "the level", "level (2)": "the level later"}}


def result(*aims: dict[str, Any]) -> dict[str, Any]:
    """Return the results of a benchmark with these aims."""
    machine = {"processor": "a processor", "cores": 2, "packages": {"torch": "2.0", "onnxruntime": "1.0"}}
    return {"created": "2026-01-02T03:04:05", "commit": "0123", "environment": machine, "aims": aims, "figures": {}}


def test_the_page_is_made_from_the_results() -> None:
    assert table.PAGE.read_text() == table.page(), "write it with: python -m benchmarks.table"


def test_the_readme_has_the_table_of_engines() -> None:
    readme = README.read_text()
    assert readme == table.with_engines(readme), "write it with: python -m benchmarks.table"
    assert len(table.engines()) > 9


def figures_of(name: str) -> dict[str, Any]:
    """Return the figures of a benchmark's results."""
    figures: dict[str, Any] = json.loads((table.RESULTS / f"{name}.json").read_text())["figures"]
    return figures


def test_the_readme_quotes_the_results() -> None:
    faults, ways, ours = figures_of("faults"), figures_of("peers")["table"], figures_of("gap_cost")["over ours"]
    bins = list(faults["bins"].values())
    found, planted = ([sum(row[what] for row in part) for part in (bins[:2], bins[4:])] for what in ("found", "faults"))
    polygraphy = ours["polygraphy"]
    clean = figures_of("false_alarms")["models"].values()
    runs, distinct = (sum(model[what] for model in clean) for what in ("runs", "distinct"))
    alarms = [alarm for model in clean for alarm in model["alarms"]]
    by_runtime = sum((Counter(model["by runtime"]) for model in clean), Counter())
    runtimes = {name.partition(",")[0] for name in by_runtime}
    quoted = [
        f"{found[0]} of {planted[0]} were found, {bins[2]['found']} of {bins[2]['faults']} from 4 to 8,",
        f"{bins[3]['found']} of {bins[3]['faults']} from 8 to 16, and all {found[1]} above",
        f"None of {runs:,} runs without a fault in {len(runtimes)} runtimes was called different",
        f"the rate is at most {100 * upper_bound(0, distinct):.2f} %",
        f"{polygraphy['estimate']:.1f} [{polygraphy['low']:.1f}, {polygraphy['high']:.1f}] times as long",
        f"spread by {100 * ways['process']['spread']:.1f} and {100 * ways['inline']['spread']:.1f} %, ours by "
        f"{100 * ways['ours']['spread']:.1f} %",
    ]
    assert [words for words in quoted if words not in README.read_text()] == []
    assert (alarms, found[1]) == ([], planted[1])


def test_each_aim_is_a_row_and_a_missed_one_is_marked() -> None:
    lines = list(table.section("levels", TOPIC, result(AIM, {**AIM, "reached": "2", "held": False})))
    assert lines[-2:] == ["| the level | 0.5 | ≤ 1 |", "| the level later | 2 | ≤ 1, **missed** |"]
    assert (
        "`python -m benchmarks.levels`, commit 0123, 2026-01-02, a processor, 2 cores, torch 2.0, onnxruntime 1.0"
        in lines
    )


def test_an_aim_without_a_claim_is_an_error() -> None:
    with pytest.raises(KeyError, match=r"level \(3\)"):
        list(table.section("levels", TOPIC, result(AIM, AIM, AIM)))


def test_a_result_without_a_section_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "RESULTS", tmp_path)
    (tmp_path / "levels.json").write_text(json.dumps(result(AIM)))
    (tmp_path / "other.quick.json").write_text("of a quick run, which counts as no result")
    with pytest.raises(KeyError, match=r"claims\.toml has no section for levels"):
        table.page()


def test_every_section_is_of_a_benchmark() -> None:
    named = {name for part in tomllib.loads(table.CLAIMS.read_text()).values() for name in part}
    assert named >= FURTHER.keys()
    folder = table.CLAIMS.parent
    assert not [n for n in named if not ((folder / f"{n}.py").is_file() or (folder / n / "__main__.py").is_file())]
