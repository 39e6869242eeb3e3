"""Tests of downloads and their failures, with a local hub. Each command runs in a process of its own."""

import json
import os
import re
import subprocess
import sys
import termios
from pathlib import Path

import pytest

from export.pooling import Pooling, pooling_of
from tests.helpers.local_hub import COMMIT, DOWNLOAD, MODEL, Fault, LocalHub, sha256


def compare_command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "compare", "--quick", "--threads", "1", "--no-latency", *arguments]


def test_from_the_hub_into_the_cache_and_then_without_it(hub: LocalHub, run_with_hub, tmp_path: Path) -> None:
    export = [sys.executable, "-m", "export", MODEL]
    first = run_with_hub(*export)
    assert first.returncode == 0, first.stderr
    assert f"download: asking {hub.url} for someone/tiny at main\n" in first.stderr
    assert re.search(r"^model\.safetensors, [\d.]+ MB$", first.stderr, re.MULTILINE)
    assert "Fetching" not in first.stderr  # the library's bar, which is for terminals
    assert not [asked for asked in hub.content.requests if any(x in asked for x in ("README", ".bin", "onnx/"))]
    asked = len(hub.content.requests)
    assert run_with_hub(*export).stdout == first.stdout
    assert len(hub.content.requests) == asked

    hub.stop()
    (tmp_path / "hf").rename(tmp_path / "hf-gone")
    assert run_with_hub(*export).stdout == first.stdout
    compared = run_with_hub(*compare_command("--offline", "--model", MODEL))
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


def test_the_progress_of_a_download_is_drawn_in_a_terminal(hub_environment: dict[str, str]) -> None:
    ours, theirs = os.openpty()
    termios.tcsetwinsize(theirs, (24, 120))
    command = [sys.executable, "-c", DOWNLOAD.format(MODEL)]
    process = subprocess.Popen(command, env=hub_environment, stderr=theirs, stdout=subprocess.DEVNULL)
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


def test_of_modules_of_sentence_transformers_the_configurations_are_downloaded(hub, download, served_files) -> None:
    modules = {"1_Pooling/config.json": b'{"pooling_mode": "cls"}', "2_Dense/config.json": b'{"out_features": 8}'}
    others = {"2_Dense/model.safetensors": b"weights", "onnx/config.json": b"{}", "10_old/config.json": b"{}"}
    others |= {"2/model.safetensors": b"weights", "1_data/train.json": b"{}", "2_Dense/old/x.json": b"{}"}
    hub.content.repositories["someone/embeddings"] = served_files | modules | others
    folder = Path(download("someone/embeddings").stdout.strip())
    assert {str(path.relative_to(folder)) for path in folder.glob("*/*")} == {*modules}
    assert pooling_of(folder) == Pooling(["cls"], left_out=["2_Dense"])


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
def test_both_names_of_a_pinned_model_are_one_entry(hub: LocalHub, run_with_hub, served_files) -> None:
    pin = f"sources.Pin('distilbert/distilgpt2', {COMMIT!r}, {sha256(served_files['model.safetensors'])!r})"
    code = f"from export import sources; sources.PINS['distilgpt2'] = {pin}; import export.__main__ as e; e.main()"
    short = run_with_hub(sys.executable, "-c", code, "distilgpt2")
    assert short.returncode == 0, short.stderr
    assert "distilgpt2-" in short.stdout
    asked = len(hub.content.requests)
    assert run_with_hub(sys.executable, "-c", code, "distilbert/distilgpt2").stdout == short.stdout
    assert len(hub.content.requests) == asked
