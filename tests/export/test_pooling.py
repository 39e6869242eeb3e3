"""Test that the pooling of sentence-transformers is read from a model's folder."""

import json
from pathlib import Path

import pytest

from export.errors import BadInput
from export.model_folder import model_files
from export.pooling import Pooling, pooling_of
from export.sources import find


def pooled(folder: Path, **settings: object) -> Path:
    (folder / "1_Pooling").mkdir(parents=True)
    (folder / "1_Pooling" / "config.json").write_text(json.dumps({"word_embedding_dimension": 64, **settings}))
    return folder


def test_the_mean_is_used_where_nothing_is_said(tmp_path: Path) -> None:
    assert pooling_of(tmp_path) == Pooling(["mean"], [])


@pytest.mark.parametrize(
    ("settings", "modes"),
    [
        ({"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}, ["cls"]),
        ({"pooling_mode_max_tokens": True, "pooling_mode_cls_token": True}, ["cls", "max"]),
        ({"pooling_mode_lasttoken": True}, ["lasttoken"]),
        ({"pooling_mode": "cls"}, ["cls"]),
        ({"pooling_mode": ["max", "mean"]}, ["max", "mean"]),
        ({"pooling_mode_mean_tokens": False}, ["mean"]),
    ],
)
def test_the_modes_are_read(tmp_path: Path, settings, modes: list[str]) -> None:
    assert pooling_of(pooled(tmp_path, **settings)).modes == modes


@pytest.mark.parametrize("mode", ["weird", ["mean", "weird"], [["mean"]]])
def test_an_unknown_mode_is_refused(tmp_path: Path, mode: object) -> None:
    with pytest.raises(BadInput, match=r"1_Pooling/config\.json names an unknown pooling mode .*; known: cls, max"):
        pooling_of(pooled(tmp_path, pooling_mode=mode))


def test_further_modules_are_named(tmp_path: Path) -> None:
    for name in ("2_Dense", "3_Normalize"):
        (tmp_path / name).mkdir()
    assert pooling_of(pooled(tmp_path, pooling_mode_mean_tokens=True)).left_out == ["2_Dense"]


def test_another_pooling_is_another_model(tiny_folder: Path, tmp_path: Path) -> None:
    import shutil

    folder = shutil.copytree(tiny_folder, tmp_path / "model")
    before = find(str(folder)).revision
    pooled(folder, pooling_mode_cls_token=True)
    assert folder / "1_Pooling" / "config.json" in model_files(folder)
    assert find(str(folder)).revision != before
