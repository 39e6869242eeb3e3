"""Manifests that are damaged, incomplete or of another schema: the entry is refused, with the command that mends it."""

import json
import os
from pathlib import Path

import pytest

from export import cache
from export.cache import Entry, entries, entry_in, look_up, publish
from export.errors import BadInput
from tests.helpers.cache_entries import build


def cut(manifest: Path) -> None:
    content = manifest.read_bytes()
    manifest.write_bytes(content[: len(content) // 2])


def zeroed(manifest: Path) -> None:
    content = manifest.read_bytes()
    manifest.write_bytes(content[:100] + bytes(50) + content[150:])


def with_content(text: str):
    return lambda manifest: manifest.write_text(text)


def with_field(change):
    """Return a function that parses a manifest, applies `change` to its content and writes it back."""

    def damage(manifest: Path) -> None:
        content = json.loads(manifest.read_text())
        change(content)
        manifest.write_text(json.dumps(content))

    return damage


DAMAGE = [
    (cut, r"manifest\.json cannot be read: .*(delimiter|Expecting|Unterminated)"),
    (zeroed, r"manifest\.json cannot be read: .*(control character|Expecting)"),
    (lambda manifest: manifest.write_bytes(bytes(200)), r"manifest\.json cannot be read: Expecting value"),
    (lambda manifest: manifest.write_bytes(b"\xff\xfe"), r"manifest\.json cannot be read: "),
    (Path.unlink, r"manifest\.json is missing"),
    (with_content(""), r"manifest\.json cannot be read: Expecting value"),
    (with_content("[]"), r"manifest\.json cannot be read: it is not an object"),
    (with_content("null"), r"manifest\.json cannot be read: it is not an object"),
    (with_content("{}"), r"manifest\.json cannot be read: it has no checkpoint"),
    (with_content('{"schema": "1"}'), r"manifest\.json cannot be read: it has no checkpoint"),
    (with_content("[" * 100_000), r"manifest\.json cannot be read: it is nested too deeply"),
    (with_field(lambda m: m.pop("files")), r"cannot be read: it has no files"),
    (with_field(lambda m: m.update(more=1)), r"cannot be read: it has an unknown field 'more'"),
    (with_field(lambda m: m["model"].pop("positions")), r"cannot be read: model has no positions"),
    (with_field(lambda m: m["model"].update(layers="2")), r"cannot be read: model\.layers is '2', not of type int"),
    (with_field(lambda m: m["model"].update(tokens="x")), r"model\.tokens is 'x', not one of bytes, vocabulary"),
    (with_field(lambda m: m["files"]["a.bin"].update(size=True)), r"files\.a\.bin\.size is True, not of type int"),
    (with_field(lambda m: m.update(files=["a.bin"])), r"cannot be read: files is not an object"),
    (with_field(lambda m: m["source"].update(kind="elsewhere")), r"source\.kind is 'elsewhere', not one of hub, "),
    (with_field(lambda m: m.update(fingerprint={"a": 1})), r"cannot be read: fingerprint\.a is not a list"),
    (with_field(lambda m: m.update(schema="3")), r"schema is '3', not of type int"),
    (with_field(lambda m: m.update(schema=True)), r"schema is True, not of type int"),
    (with_field(lambda m: m.update(schema=3.0)), r"schema is 3\.0, not of type int"),
    (with_field(lambda m: m.update(schema=None)), r"schema is None, not of type int"),
    (with_field(lambda m: m.update(schema=10**300)), r"schema is a number of more than 64 bits"),
    (with_field(lambda m: m.update(created="yesterday")), r"created is 'yesterday', not a date"),
    (with_field(lambda m: m["model"].update(layers=10**9)), r"model\.layers is 1000000000; it must be from 0 to 1000"),
    (with_field(lambda m: m["model"].update(heads=-1)), r"model\.heads is -1; it must be from 0 to"),
    (with_field(lambda m: m["files"]["a.bin"].update(size=-3)), r"files\.a\.bin\.size is -3; it must not be negative"),
    (
        with_field(lambda m: m["files"]["a.bin"].update(size=2**64)),
        r"files\.a\.bin\.size is a number of more than 64 bits",
    ),
    (with_field(lambda m: m["files"]["a.bin"].update(mtime_ns=10**40)), r"mtime_ns is a number of more than 64 bits"),
    (with_field(lambda m: m["files"]["a.bin"].update(sha256="x")), r"files\.a\.bin\.sha256 is 'x', not a SHA-256"),
    (with_field(lambda m: m["files"]["a.bin"].update(sha256="x" * 10**6)), r"characters\), not a SHA-256"),
    *(
        (
            with_field(lambda m, name=name: m["files"].update({name: m["files"]["a.bin"]})),
            r"files has .*, which is not the name",
        )
        for name in ("../../outside", "/etc/passwd", "..", ".", "", "sub/a.bin", "a\\b", "a\x1bb", "\ud800", "a\0b")
    ),
    (lambda manifest: (manifest.unlink(), manifest.mkdir()), r"it is a folder, not a regular file"),
    (lambda manifest: (manifest.unlink(), manifest.symlink_to("/dev/zero")), r"it is a device, not a regular file"),
    (lambda manifest: (manifest.unlink(), os.mkfifo(manifest)), r"it is a pipe, not a regular file"),
    (lambda manifest: os.truncate(manifest, 2**30), r"it has more than 16,777,216 bytes"),
]


@pytest.mark.parametrize(("damage", "message"), DAMAGE)
def test_a_damaged_manifest_is_reported_like_any_damaged_file(root: Path, thing: Entry, damage, message: str) -> None:
    damage(thing.folder / "manifest.json")
    for use in (
        lambda: look_up(root, "thing", "123"),
        lambda: publish(root, "thing", "123", build),
        lambda: entry_in(thing.folder),
    ):
        with pytest.raises(
            BadInput, match="cache entry thing-123 has changed since it was exported: .*" + message
        ) as e:
            use()
        assert str(e.value).endswith("python -m export --remove thing-123")
        assert len(str(e.value)) < 500
    assert entries(root) == []
    assert list(cache.damaged(root)) == ["thing-123"]


def test_an_entry_of_another_schema_says_how_to_mend_it(root: Path, thing: Entry) -> None:
    manifest = thing.folder / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"schema": 3', '"schema": 99'))
    with pytest.raises(
        BadInput, match=r"cache schema 99, but this version uses 3; remove it: python -m export --remove thing-123"
    ):
        look_up(root, "thing", "123")


@pytest.mark.parametrize("schema", [4, 10**9, -1, 0])
def test_other_schemas_are_named(root: Path, thing: Entry, schema: int) -> None:
    with_field(lambda manifest: manifest.update(schema=schema))(thing.folder / "manifest.json")
    with pytest.raises(BadInput, match=f"written under cache schema {schema}, but this version uses 3; remove it: "):
        entry_in(thing.folder)


def test_a_manifest_verifies_no_file_outside_its_entry(root: Path, thing: Entry) -> None:
    """The file that it names is there, with this size and digest."""
    content = json.loads((thing.folder / "manifest.json").read_text())
    (root / "a.bin").write_bytes(b"abc")
    content["files"]["../../a.bin"] = content["files"]["a.bin"]
    (thing.folder / "manifest.json").write_text(json.dumps(content))
    with pytest.raises(BadInput, match=r"files has '\.\./\.\./a\.bin', which is not the name of a file in the entry"):
        entry_in(thing.folder)


def test_a_file_of_an_entry_that_became_something_else(root: Path, thing: Entry) -> None:
    (thing.folder / "a.bin").unlink()
    (thing.folder / "a.bin").symlink_to("a.bin")
    with pytest.raises(
        BadInput, match=r"a\.bin cannot be read: its links lead back to themselves; the manifest says 3"
    ):
        look_up(root, "thing", "123")
