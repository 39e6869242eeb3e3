"""Tests of a hub whose answers, files or variables are wrong: each is one line."""

import os
import subprocess
from pathlib import Path

import pytest

from export.errors import BadInput, CannotRun
from export.hub import download as fetch
from export.sources import find
from tests.helpers.local_hub import MODEL, Fault, LocalHub


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
