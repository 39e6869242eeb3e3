"""Comparisons of models that lack something: attention that can be replaced, or a cache of keys and values."""

from pathlib import Path

import pytest

from compare.pipeline.compare_model import compare
from export import dynamo
from export.errors import CannotRun
from tests.helpers.families import family_model
from tests.helpers.settings import small


def test_a_model_whose_attention_cannot_be_replaced(tmp_path: Path) -> None:
    """The rows that would replace it say so, the notes say what is not exposed, and the other rows are judged."""
    family_model("BLOOM").save_pretrained(tmp_path / "model")
    names = ("torch-reference", "onnxruntime")
    report = compare(str(tmp_path / "model"), small(tmp_path / "out", *names, latency=False))
    errors = {row.name: row.error for row in report.runtimes}
    assert errors["torch-eager"] is errors["onnxruntime"] is None
    assert errors["torch-reference"].endswith("the attention of models of type 'bloom' cannot be replaced")
    assert [row.verdict.kind for row in report.runtimes if row.error is None] == ["rounding", "rounding"]
    assert report.notes[0].startswith("attention is transformers' own, in golden too")
    assert report.notes[1].startswith("not exposed: query, key, value;")


@pytest.fixture
def no_past(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the exporter refuse a graph with a past."""

    def refuse(*_: object) -> None:
        raise CannotRun("it keeps something else")

    monkeypatch.setattr(dynamo, "export_decode", refuse)


@pytest.mark.usefixtures("no_past")
def test_a_model_that_does_not_decode_is_compared_without_it(tiny_folder: Path, tmp_path: Path) -> None:
    settings = small(tmp_path / "out", "onnxruntime", decode=True, min_rounds=3, cache_dir=tmp_path / "cache")
    report = compare(str(tiny_folder), settings)
    assert "decoding is left out: it keeps something else" in report.notes
    assert report.decoding == []
    assert [row.error for row in report.latency] == [None] * len(report.latency)
