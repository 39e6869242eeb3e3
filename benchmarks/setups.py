"""Models with inputs for the benchmarks of verdicts.

Limits are chosen on some models and inputs, and reported on others: `CHOOSING` and `REPORTING` share neither a seed nor
a text.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.progress import one_by_one
from compare.pipeline.inputs import DEFAULT_TEXT
from export import dynamo, optimum_exporter
from export.graphs import write_graphs
from export.models import read_weights
from export.sources import SHIPPED
from export.tokens import byte_tokenizer
from tests.faults.bench import Bench
from tests.helpers.tiny import tiny_model

_EXPORTERS = {"dynamo": dynamo, "optimum": optimum_exporter}


@dataclass(frozen=True)
class Setup:
    """A model by type and seed ("byte-gpt2" has no seed), and the shapes of its inputs, (batch, sequence)."""

    model: str
    seed: int
    inputs: tuple[tuple[int, int], ...]
    sizes: dict[str, int] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.model if self.model == "byte-gpt2" else f"{self.model} {self.seed}"

    def make(self) -> Any:
        if self.model == "byte-gpt2":
            return read_weights(SHIPPED)
        return tiny_model(self.model, self.seed, positions=256, **self.sizes)

    def ids(self, batch: int, sequence: int) -> NDArray[np.int64]:
        """Return input ids: text for the model that was trained on text, random tokens for the others."""
        rng = np.random.default_rng((self.seed, batch, sequence))
        if self.model != "byte-gpt2":
            return rng.integers(0, 300, (batch, sequence))
        text = np.frombuffer(DEFAULT_TEXT.read_bytes(), dtype=np.uint8).astype(np.int64)
        starts = rng.integers(0, len(text) - sequence, batch)
        return np.stack([text[start : start + sequence] for start in starts])


CHOOSING = (
    Setup("byte-gpt2", 0, ((1, 32), (1, 96))),
    Setup("gpt2", 0, ((1, 24), (1, 64))),
    Setup("gpt2", 1, ((1, 48), (2, 128))),
)

_INPUTS = ((1, 16), (1, 33), (2, 48), (1, 70), (3, 40), (1, 128), (1, 200))
_MORE = {"hidden": 192, "layers": 3, "heads": 6}
REPORTING = (
    Setup("byte-gpt2", 10, _INPUTS),
    Setup("gpt2", 2, _INPUTS),
    Setup("gpt2", 3, _INPUTS, {"hidden": 96, "layers": 4, "heads": 3}),
    Setup("gpt2", 4, _INPUTS, _MORE),
    Setup("gpt2", 5, _INPUTS, {"hidden": 320, "layers": 2, "heads": 5}),
    Setup("llama", 6, _INPUTS),
    Setup("llama", 7, _INPUTS, _MORE),
    Setup("qwen3", 8, _INPUTS),
    Setup("qwen3", 9, _INPUTS, _MORE),
)


@dataclass(frozen=True)
class Stand:
    """A bench with its model, exporter and input."""

    setup: Setup
    bench: Bench
    entries: dict[str, Path]

    @property
    def name(self) -> str:
        batch, sequence = self.bench.inputs["input_ids"].shape
        return f"{self.setup.name}, {batch} x {sequence}"


def stands(setups: tuple[Setup, ...], scratch: Path) -> Iterator[Stand]:
    """Export each model with every exporter, and yield a bench for each of its inputs."""
    for setup in one_by_one("exporting, model", setups):
        model = setup.make()
        entries = {}
        for name, exporter in _EXPORTERS.items():
            entries[name] = scratch / setup.name.replace(" ", "-") / f"seed {setup.seed}" / name
            entries[name].mkdir(parents=True)
            write_graphs(model, entries[name], setup.name, exporter)
            byte_tokenizer().save_pretrained(entries[name])  # as an export does; a converter may read it
        for batch, sequence in setup.inputs:
            folder = entries["dynamo"].parent / f"{batch} x {sequence}"
            yield Stand(setup, Bench(entries["dynamo"], setup.ids(batch, sequence), folder), entries)


def in_pairs(stands: Iterable[Stand]) -> Iterator[tuple[Stand, ...]]:
    """Yield the benches in pairs with the same model; if their number is odd, the last one is single."""
    for _, same in groupby(stands, key=lambda stand: stand.setup):
        rest = list(same)
        for start in range(0, len(rest), 2):
            yield tuple(rest[start : start + 2])
