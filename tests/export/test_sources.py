"""Test which source a model's name means, and which folders are refused."""

import shutil
from pathlib import Path

import pytest

from export.errors import BadInput
from export.sources import find


def test_a_name_of_the_hub_is_pinned_under_both_its_spellings() -> None:
    assert find("distilgpt2") == find("distilbert/distilgpt2")
    assert find("distilgpt2").label == "distilbert/distilgpt2@2290a62"
    assert find("someone/model").revision == "main"


def test_a_folder_is_known_by_its_content(tiny_folder: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(tiny_folder, tmp_path / "copy")
    assert find(str(copy)).revision == find(str(tiny_folder)).revision
    with (copy / "model.safetensors").open("r+b") as file:
        file.seek(-1, 2)
        file.write(b"\x01")
    assert find(str(copy)).revision != find(str(tiny_folder)).revision


def test_no_folder_is_given_up_for_the_hub(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=f"the model folder {tmp_path}/no does not exist"):
        find(str(tmp_path / "no"))


def test_a_folder_without_a_configuration(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"has no config\.json; save the model with save_pretrained"):
        find(str(tmp_path))


def test_a_pickle_is_refused_with_the_command_that_converts_it(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "pytorch_model.bin").write_bytes(b"\x80\x04")
    with pytest.raises(BadInput, match=r"pytorch_model\.bin, which is a pickle and is never loaded") as error:
        find(str(tmp_path))
    assert "save_pretrained" in str(error.value)
