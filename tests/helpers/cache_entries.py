"""A small entry of the cache, with two files."""

from pathlib import Path

from export.manifest import Manifest, ModelFacts
from export.sources import Source

SOURCE = Source("seeded", "thing", "thing", "0")
FACTS: ModelFacts = {
    "type": "gpt2",
    "layers": 2,
    "heads": 4,
    "key_value_heads": 4,
    "head_dim": 16,
    "hidden": 64,
    "vocabulary": 300,
    "positions": 64,
    "parameters": 12345,
    "tokens": "bytes",
    "output": "logits",
    "pooling": [],
}


def build(folder: Path) -> Manifest:
    (folder / "a.bin").write_bytes(b"abc")
    (folder / "b.txt").write_text("text")
    return Manifest(source=SOURCE, exporter="dynamo", opset=20, versions={}, model=FACTS)
