"""A comparison with a runtime that has an environment of its own: it is converted, traced, timed and decoded there."""

from pathlib import Path

import pytest

from compare.pipeline.compare_model import compare
from compare.runtimes.registry import spec_of
from tests.helpers.settings import small


@pytest.mark.parametrize("name", ["mnn"])
def test_a_comparison_runs_it_there(spec, name: str, tmp_path: Path) -> None:
    text = "To be, or not to be, that is all"
    report = compare("byte-gpt2", small(tmp_path / "out", name, decode=True, text=text))
    row = next(row for row in report.runtimes if row.name == name)
    assert (row.verdict.kind, row.error) == ("rounding", None)
    assert f"{name}=={row.facts[name]}" in spec_of(name).environment.requirements
    assert row.facts["conversion"].endswith(" s")
    assert next(row for row in report.latency if row.runtime == name).ratio is not None
    assert {check.kind for check in next(row for row in report.decoding if row.runtime == name).checks.values()} <= {
        "rounding",
        "identical",
    }
