"""A cache with one small entry, folders of a tiny model that a test may change, and a local hub."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from export.cache import Entry, publish
from export.hub import download as fetch
from export.sources import find
from tests.helpers.cache_entries import build
from tests.helpers.local_hub import DOWNLOAD, MODEL, LocalHub


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def thing(root: Path) -> Entry:
    return publish(root, "thing", "123", build)


@pytest.fixture
def folder(tiny_folder: Path, tmp_path: Path) -> Path:
    """A copy of the folder of a tiny GPT-2."""
    return shutil.copytree(tiny_folder, tmp_path / "model")


@pytest.fixture
def sharded(tiny, tmp_path: Path) -> Path:
    """The folder of a tiny GPT-2 that is saved as several files and an index."""
    folder = tmp_path / "sharded"
    tiny().save_pretrained(folder, max_shard_size="100KB")
    assert len(list(folder.glob("*.safetensors"))) > 2
    return folder


@pytest.fixture(scope="session")
def served_files(tiny, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The files of a hub model, with a tokenizer that has merges, and weights with causal masks, like distilgpt2's."""
    import torch
    from safetensors.torch import load_file, save_file
    from tokenizers import ByteLevelBPETokenizer
    from transformers import PreTrainedTokenizerFast

    folder = tmp_path_factory.mktemp("served")
    tiny().save_pretrained(folder)
    masks = {f"transformer.h.{i}.attn.bias": torch.ones(1, 1, 64, 64).tril() for i in range(2)}
    weights = load_file(folder / "model.safetensors") | masks
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    tokenizer = ByteLevelBPETokenizer()
    tokenizer.train_from_iterator(["the model that is the same as the other"] * 9, vocab_size=270)
    PreTrainedTokenizerFast(tokenizer_object=tokenizer._tokenizer).save_pretrained(folder)
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    return files | {"README.md": b"# tiny", "pytorch_model.bin": b"a pickle", "onnx/model.safetensors": b"not wanted"}


@pytest.fixture
def hub(served_files: dict[str, bytes]) -> Iterator[LocalHub]:
    """A local hub that serves the files as `MODEL` and as distilgpt2."""
    hub = LocalHub()
    hub.content.repositories = {MODEL: served_files, "distilbert/distilgpt2": served_files}
    hub.content.aliases = {"distilgpt2": "distilbert/distilgpt2"}
    yield hub
    hub.stop()


@pytest.fixture
def hub_environment(hub: LocalHub, tmp_path: Path) -> dict[str, str]:
    """Environment variables that name the local hub and the test's own folders."""
    own = {"HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "hf"), "ONNX_ATTENTION_COMPARE_CACHE": str(tmp_path)}
    return os.environ | own


@pytest.fixture
def run_with_hub(hub_environment: dict[str, str]):
    """A function that runs a command with the local hub. Keyword arguments are further environment variables."""

    def start(*command: str, **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(command, env=hub_environment | more, capture_output=True, text=True)

    return start


@pytest.fixture
def download(run_with_hub):
    """A function that downloads a model from the local hub in a new process, which prints its folder."""
    return lambda model=MODEL, **more: run_with_hub(sys.executable, "-c", DOWNLOAD.format(model), **more)


@pytest.fixture
def hub_in_process(hub: LocalHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A function that downloads a model from the local hub in this process. Retries do not wait."""
    import huggingface_hub
    from huggingface_hub import constants
    from huggingface_hub.utils import _http

    local = partial(huggingface_hub.snapshot_download, endpoint=hub.url)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", local)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hf"))
    monkeypatch.setattr(_http.time, "sleep", lambda seconds: None)
    monkeypatch.setattr("export.hub._SILENCE", 1)
    return lambda model: fetch(find(model), offline=False)
