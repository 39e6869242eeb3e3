"""Manifests that are damaged, incomplete or of another schema: the entry is refused, with the command that mends it."""

import json
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
    assert entries(root) == []
    assert list(cache.damaged(root)) == ["thing-123"]


def test_an_entry_of_another_schema_says_how_to_mend_it(root: Path, thing: Entry) -> None:
    manifest = thing.folder / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"schema": 3', '"schema": 99'))
    with pytest.raises(
        BadInput, match=r"cache schema 99, but this version uses 3; remove it: python -m export --remove thing-123"
    ):
        look_up(root, "thing", "123")
