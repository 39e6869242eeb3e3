"""Test that infinities and NaN survive in JSON, and that unknown fields are refused."""

import ast
import json
import sys
from math import inf, isnan
from pathlib import Path

import pytest
from pydantic import BaseModel, ValidationError

from compare import results
from compare.results.latency import LatencyRow, Ratio

PACKAGE = Path(results.__path__[0])


class Holder(BaseModel):
    """A class that embeds results as a report does, without its own pydantic configuration."""

    rows: list[LatencyRow]


def written(ratio: Ratio) -> str:
    return Holder(rows=[LatencyRow(runtime="x", again=False, ratio=ratio)]).model_dump_json()


def test_infinity_and_nan_are_strings_in_json_and_numbers_again() -> None:
    text = written(Ratio(estimate=float("nan"), low=-inf, high=inf))
    plain = json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    assert plain["rows"][0]["ratio"] == {"estimate": "NaN", "low": "-Infinity", "high": "Infinity"}
    ratio = Holder.model_validate_json(text).rows[0].ratio
    assert ratio is not None
    assert (isnan(ratio.estimate), ratio.low, ratio.high) == (True, -inf, inf)


@pytest.mark.parametrize("place", [("rows", 0), ("rows", 0, "ratio")])
def test_a_field_that_is_not_known_is_refused(place: tuple[str | int, ...]) -> None:
    plain = json.loads(written(Ratio(estimate=1.0, low=1.0, high=1.0)))
    part = plain
    for step in place:
        part = part[step]
    part["surprise"] = 1
    with pytest.raises(ValidationError, match=r"surprise\n  Unexpected keyword argument"):
        Holder.model_validate(plain)


def test_results_import_the_standard_library_and_each_other_alone() -> None:
    imported = {
        name
        for file in PACKAGE.glob("*.py")
        for node in ast.walk(ast.parse(file.read_text()))
        for name in names_of(node)
        if name.partition(".")[0] not in sys.stdlib_module_names
    }
    assert imported
    assert all(name.startswith("compare.results.") for name in imported), imported


def names_of(node: ast.AST) -> list[str]:
    if isinstance(node, ast.ImportFrom):
        return [node.module or ""]
    return [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
