"""Tests of downloads and their failures, with a local hub. Each command runs in a process of its own."""

import json
import os
import re
import subprocess
import sys
import termios
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
import torch

from export.errors import BadInput, CannotRun
from export.hub import download as fetch
from export.sources import find
from tests.helpers.local_hub import COMMIT, Fault, LocalHub, sha256

MODEL = "someone/tiny"

#: Code that downloads a model without loading it and prints its folder.
DOWNLOAD = (
    "from export.command import finish; from export.hub import download; from export.sources import find;"
    "finish(lambda: print(download(find({!r}), offline=False)))"
)


@pytest.fixture(scope="session")
def served_files(tiny, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The files of a hub model, with a tokenizer that has merges, and weights with causal masks, like distilgpt2's."""
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
    hub = LocalHub()
    hub.content.repositories = {MODEL: served_files, "distilbert/distilgpt2": served_files}
    hub.content.aliases = {"distilgpt2": "distilbert/distilgpt2"}
    yield hub
    hub.stop()


@pytest.fixture
def environment(hub: LocalHub, tmp_path: Path) -> dict[str, str]:
    """Environment variables that name the local hub and the test's own folders."""
    own = {"HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "hf"), "ONNX_ATTENTION_COMPARE_CACHE": str(tmp_path)}
    return os.environ | own


@pytest.fixture
def run(environment: dict[str, str]):
    """A function that runs a command with the local hub. Keyword arguments are further environment variables."""

    def start(*command: str, **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(command, env=environment | more, capture_output=True, text=True)

    return start


@pytest.fixture
def download(run):
    return lambda model=MODEL, **more: run(sys.executable, "-c", DOWNLOAD.format(model), **more)


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


def compare_command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "compare", "--quick", "--threads", "1", "--no-latency", *arguments]


def test_from_the_hub_into_the_cache_and_then_without_it(hub: LocalHub, run, tmp_path: Path) -> None:
    export = [sys.executable, "-m", "export", MODEL]
    first = run(*export)
    assert first.returncode == 0, first.stderr
    assert f"download: asking {hub.url} for someone/tiny at main\n" in first.stderr
    assert re.search(r"^model\.safetensors, [\d.]+ MB$", first.stderr, re.MULTILINE)
    assert "Fetching" not in first.stderr  # the library's bar, which is for terminals
    assert not [asked for asked in hub.content.requests if any(x in asked for x in ("README", ".bin", "onnx/"))]
    asked = len(hub.content.requests)
    assert run(*export).stdout == first.stdout
    assert len(hub.content.requests) == asked

    hub.stop()
    (tmp_path / "hf").rename(tmp_path / "hf-gone")
    assert run(*export).stdout == first.stdout
    compared = run(*compare_command("--offline", "--model", MODEL))
    assert compared.returncode == 0, compared.stderr
    assert f"someone/tiny@{COMMIT[:7]}" in compared.stdout


def test_a_connection_that_breaks_leaves_no_half_file(hub: LocalHub, download, served_files) -> None:
    """Depending on its version, Hugging Face's library resumes the download or raises an error."""
    hub.content.faults["model.safetensors"] = Fault(drop=1000)
    run = download()
    if run.returncode:
        assert "the download of 'someone/tiny' failed: " in run.stderr
        assert "run the command again to resume" in run.stderr
        run = download()
    assert (Path(run.stdout.strip()) / "model.safetensors").read_bytes() == served_files["model.safetensors"]


def test_the_progress_of_a_download_is_drawn_in_a_terminal(environment: dict[str, str]) -> None:
    ours, theirs = os.openpty()
    termios.tcsetwinsize(theirs, (24, 120))
    command = [sys.executable, "-c", DOWNLOAD.format(MODEL)]
    process = subprocess.Popen(command, env=environment, stderr=theirs, stdout=subprocess.DEVNULL)
    os.close(theirs)
    drawn = b""
    while chunk := _read(ours):
        drawn += chunk
    os.close(ours)
    assert process.wait() == 0
    assert re.search(rb"100%|(\d+kB) / +\1", drawn)  # depends on the version of Hugging Face's library


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 4096)
    except OSError:  # raised on Linux if the other end is closed
        return b""


def test_what_was_downloaded_serves_without_the_hub(hub: LocalHub, download) -> None:
    folder = download().stdout
    hub.stop()
    assert download().stdout == folder
    assert download(HF_HUB_OFFLINE="1").stdout == folder


def test_no_hub_and_nothing_downloaded(hub: LocalHub, download) -> None:
    offline = download(HF_HUB_OFFLINE="1")
    assert (offline.returncode, hub.content.requests) == (3, [])
    assert "'someone/tiny' cannot be loaded: HF_HUB_OFFLINE is set and it was not downloaded before" in offline.stderr
    hub.stop()
    silent = download()
    assert silent.returncode == 3
    assert "'someone/tiny' cannot be loaded: the hub does not answer" in silent.stderr
    assert "--model FOLDER" in silent.stderr


def test_a_model_that_the_hub_has_not(download) -> None:
    run = download("someone/tinny")
    assert run.returncode == 3
    assert "model 'someone/tinny' cannot be loaded: the hub has no such model" in run.stderr


def test_a_model_without_safetensors(hub: LocalHub, download) -> None:
    hub.content.repositories["someone/old"] = {"config.json": b"{}", "pytorch_model.bin": b"a pickle"}
    run = download("someone/old")
    assert run.returncode == 3
    assert "'someone/old' cannot be loaded: the hub has no safetensors of this model" in run.stderr


def sharded(files: dict[str, bytes], name: str) -> dict[str, bytes]:
    """Return the files of a model whose weights file is replaced by an index that names the file `name`."""
    index = {"metadata": {}, "weight_map": {"transformer.wte.weight": name}}
    others = {key: data for key, data in files.items() if key != "model.safetensors"}
    return others | {"model.safetensors.index.json": json.dumps(index).encode()}


@pytest.mark.parametrize("name", ["pytorch_model.bin", "../../../../other.safetensors", "onnx/model.safetensors"])
def test_an_index_of_the_hub_names_safetensors_next_to_it_and_nothing_else(
    hub: LocalHub, download, served_files, name: str
) -> None:
    shard = {"a.safetensors": served_files["model.safetensors"]}
    hub.content.repositories["someone/sharded"] = sharded(served_files, name) | shard
    run = download("someone/sharded")
    assert run.returncode == 2
    assert f"names '{name}'; an index may name only safetensors files in its own folder" in run.stderr


def test_a_shard_that_was_not_downloaded(hub: LocalHub, download, served_files) -> None:
    shard = {"a.safetensors": served_files["model.safetensors"], "b.safetensors": served_files["model.safetensors"]}
    hub.content.repositories["someone/sharded"] = sharded(served_files, "a.safetensors") | shard
    folder = Path(download("someone/sharded").stdout.strip())
    (folder / "a.safetensors").unlink()
    offline = download("someone/sharded", HF_HUB_OFFLINE="1")
    assert offline.returncode == 3
    assert "HF_HUB_OFFLINE is set and it was not downloaded before, or only partly" in offline.stderr
    assert download("someone/sharded").returncode == 0
    assert (folder / "a.safetensors").is_file()


def test_a_file_that_was_cut_short_is_not_taken_and_comes_whole_the_next_time(hub: LocalHub, download) -> None:
    hub.content.faults["model.safetensors"] = Fault(cut=5000)
    cut = download()
    assert cut.returncode == 3
    assert "the download of 'someone/tiny' failed: " in cut.stderr
    assert "run the command again to resume" in cut.stderr
    del hub.content.faults["model.safetensors"]
    assert download().returncode == 0


def test_other_bytes_than_the_hub_promised(hub: LocalHub, download, served_files) -> None:
    good = served_files["model.safetensors"]
    hub.content.faults["model.safetensors"] = Fault(swap=good[:-1] + b"\x01")
    wrong = download()
    assert wrong.returncode == 2
    message, _, mend = wrong.stderr.strip().rpartition("; ")
    assert f"SHA-256 {sha256(good[:-1] + bytes([1]))[:12]}..., expected {sha256(good)[:12]}..." in message
    del hub.content.faults["model.safetensors"]
    assert download().returncode == 2  # the stored file is checked again
    subprocess.run(mend.removeprefix("remove the download and try again: "), shell=True, check=True)
    assert download().returncode == 0


def test_a_pinned_model_is_checked_against_its_pin(download, served_files) -> None:
    """The local hub serves other weights under distilgpt2's name."""
    run = download("distilgpt2")
    assert run.returncode == 2
    found = sha256(served_files["model.safetensors"])
    assert f"of distilbert/distilgpt2@2290a62 has SHA-256 {found[:12]}..., expected e1ff18884359..." in run.stderr


@pytest.mark.slow
def test_both_names_of_a_pinned_model_are_one_entry(hub: LocalHub, run, served_files) -> None:
    pin = f"sources.Pin('distilbert/distilgpt2', {COMMIT!r}, {sha256(served_files['model.safetensors'])!r})"
    code = f"from export import sources; sources.PINS['distilgpt2'] = {pin}; import export.__main__ as e; e.main()"
    short = run(sys.executable, "-c", code, "distilgpt2")
    assert short.returncode == 0, short.stderr
    assert "distilgpt2-" in short.stdout
    asked = len(hub.content.requests)
    assert run(sys.executable, "-c", code, "distilbert/distilgpt2").stdout == short.stdout
    assert len(hub.content.requests) == asked


def one_line(run: subprocess.CompletedProcess[str], code: int) -> str:
    """Return the line with which a download failed. Lines of progress come before it."""
    assert run.returncode == code, run.stderr
    assert "Traceback" not in run.stderr
    (line,) = (line for line in run.stderr.splitlines() if line.startswith("error: "))
    return line


#: In place of information on a model: a status, headers and a body -> what the message says.
ANSWERS = [
    (500, {}, b"", "the hub answers with HTTP status 500"),
    (429, {"Retry-After": "1"}, b"", "the hub answers with HTTP status 429"),
    (404, {}, b"", "cannot be loaded: the hub"),
    (302, {"Location": "/api/models/someone/tiny"}, b"", "'someone/tiny'"),
    (302, {"Location": "file:///etc/hostname"}, b"", "'someone/tiny'"),
    (200, {"Content-Type": "application/json"}, b"<html>", "the download of 'someone/tiny' failed: "),
    (200, {"Content-Type": "application/json"}, b"[]", "the download of 'someone/tiny' failed: "),
    (200, {"Content-Type": "application/json"}, b"[" * 10**5, "the download of 'someone/tiny' failed: "),
    (200, {"Content-Type": "application/json"}, b'{"id": 5, "siblings": 7}', "the download of 'someone/tiny' failed: "),
    (200, {"Content-Length": "100"}, b"{", "'someone/tiny'"),
]


@pytest.mark.parametrize(("status", "headers", "body", "message"), ANSWERS)
def test_what_a_hub_should_not_answer(
    hub: LocalHub, hub_in_process, status: int, headers: dict[str, str], body: bytes, message: str
) -> None:
    hub.content.answer = (status, headers, body)
    with pytest.raises(CannotRun) as error:
        hub_in_process(MODEL)
    assert message in str(error.value)
    assert len(str(error.value).splitlines()) == 1


@pytest.mark.parametrize("status", [404, 429, 500, 503])
def test_weights_that_the_hub_does_not_give(hub: LocalHub, hub_in_process, status: int) -> None:
    hub.content.faults["model.safetensors"] = Fault(status=status)
    with pytest.raises(CannotRun, match=r"the download of 'someone/tiny' failed: .*; run the command again to resume$"):
        hub_in_process(MODEL)


def test_weights_that_stop_in_the_middle(hub: LocalHub, download) -> None:
    hub.content.faults["model.safetensors"] = Fault(stall=1000)
    line = one_line(download(HF_HUB_DOWNLOAD_TIMEOUT="1"), 3)
    assert "the download of 'someone/tiny' failed: " in line
    assert line.endswith("; run the command again to resume")


#: Variables of the environment -> what the message says.
VARIABLES = [
    ({"HF_ENDPOINT": "nonsense"}, "HF_ENDPOINT is 'nonsense'; it must be a URL, such as https://huggingface.co"),
    ({"HF_ENDPOINT": ""}, "HF_ENDPOINT is ''; it must be a URL"),
    ({"HF_ENDPOINT": "ftp://x"}, "HF_ENDPOINT is 'ftp://x'; it must be a URL"),
    ({"HF_ENDPOINT": "http://[::1"}, "HF_ENDPOINT is 'http://[::1'; it must be a URL"),
    ({"HF_ENDPOINT": "http://x:99999999"}, "HF_ENDPOINT is 'http://x:99999999'; it must be a URL"),
    ({"HF_ENDPOINT": "http://x\x1b[31m"}, r"HF_ENDPOINT is 'http://x\x1b[31m'; it must be a URL"),
    ({"HF_HUB_OFFLINE": "x"}, "HF_HUB_OFFLINE is 'x'; it must be 1 or 0"),
    ({"TRANSFORMERS_OFFLINE": "maybe"}, "TRANSFORMERS_OFFLINE is 'maybe'; it must be 1 or 0"),
]


@pytest.mark.parametrize(("variables", "message"), VARIABLES)
def test_variables_that_name_no_hub(variables: dict[str, str], message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(BadInput) as error:
        fetch(find(MODEL), offline=False)
    assert message in str(error.value)


def test_a_variable_that_the_library_of_the_hub_cannot_read(download) -> None:
    line = one_line(download(HF_HUB_ETAG_TIMEOUT="x"), 2)
    assert "the hub's library cannot be imported: " in line
    assert line.endswith("; check the environment variables that begin with HF_")


#: What stands in the place of the file that says which commit was downloaded -> what the message says.
REVISIONS = [
    (lambda path: path.write_text("none"), "it holds 'none', not a commit"),
    (lambda path: path.write_text(""), "it holds '', not a commit"),
    (lambda path: path.write_text("../../../../.."), r"it holds '../../../../..', not a commit"),
    (lambda path: path.write_text("\x1b[31m"), r"it holds '\x1b[31m', not a commit"),
    (lambda path: path.write_bytes(b"\xff"), "it is not UTF-8 text"),
    (lambda path: path.write_text("0" * 1000), "it has more than 100 bytes"),
    (lambda path: path.mkdir(), "it is a folder, not a regular file"),
    (os.mkfifo, "it is a pipe, not a regular file"),
    (lambda path: path.symlink_to("/dev/zero"), "it is a device, not a regular file"),
]


@pytest.mark.parametrize(("place", "message"), REVISIONS)
def test_a_revision_that_is_no_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place, message: str) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    path = tmp_path / "models--someone--tiny" / "refs" / "main"
    path.parent.mkdir(parents=True)
    place(path)
    with pytest.raises(BadInput) as error:
        fetch(find(MODEL), offline=True)
    assert message in str(error.value)
    assert str(error.value).endswith(f"; remove it and try again: rm -r {path}")
