"""Runtimes that run the model in CTranslate2, which converts it to its own format. They give logits alone."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import ctranslate2
import numpy as np
from ctranslate2.converters import TransformersConverter
from numpy.typing import NDArray

from compare.runtimes.spec import Graph
from export.kinds import check_causal


class CTranslate2:
    """ctranslate2: in float32."""

    compute_type = "float32"

    def __init__(self, folder: Path, *, threads: int, graph: Graph, options: Mapping[str, str] | None = None) -> None:
        del graph  # it gives logits in any case
        self.threads = threads
        usual: dict[str, Any] = {"compute_type": self.compute_type, "intra_threads": threads, "inter_threads": 1}
        given = {key: literal(value) for key, value in (options or {}).items()}
        self.generator = ctranslate2.Generator(str(folder), device="cpu", **usual | given)

    def run(self, input_ids: NDArray[Any], attention_mask: NDArray[Any]) -> dict[str, NDArray[Any]]:
        """Run one forward pass. It takes sequences without padding, so padding is removed, and its logits are 0."""
        real = attention_mask.astype(bool)
        found = np.array(
            self.generator.forward_batch([row[kept].tolist() for row, kept in zip(input_ids, real, strict=True)])
        )
        logits = np.zeros((*input_ids.shape, found.shape[-1]), np.float32)
        for into, kept, row in zip(logits, real, found, strict=True):
            into[kept] = row[: kept.sum()]
        return {"logits": logits}

    def facts(self) -> dict[str, str]:
        return {
            "ctranslate2": ctranslate2.__version__,
            "type": self.generator.compute_type,
            "threads": str(self.threads),
        }

    def operators(self, *_: NDArray[Any]) -> dict[str, int]:
        return {}

    def close(self) -> None:
        del self.generator


class CTranslate2Int8(CTranslate2):
    """ctranslate2-int8: weights and activations of linear maps in 8 bits."""

    compute_type = "int8_float32"


def literal(value: str) -> Any:
    """Return an argument that is given as text: a number or truth value if it is one in JSON, else the text.

    >>> literal("2"), literal("true"), literal("int8")
    (2, True, 'int8')
    """
    try:
        return json.loads(value)
    except json.JSONDecodeError:
        return value


def convert(folder: Path, out: Path, _: tuple[Graph, ...]) -> dict[str, str]:
    """Convert a model to CTranslate2's format, with weights in float32; they are quantized when they are loaded."""
    check_causal(folder, "CTranslate2's Generator")
    _Converter(str(folder)).convert(str(out), force=True)
    file = out / "config.json"
    config = json.loads(file.read_text(encoding="utf-8"))
    file.write_text(json.dumps(config | dict.fromkeys(("bos_token", "eos_token", "unk_token"), "<0>")))
    return {}


class _Converter(TransformersConverter):  # type: ignore[misc]  # it has no types
    """A converter whose vocabulary has a name for each token id.

    CTranslate2 refuses models whose tokenizer has fewer tokens than the embedding, or no special tokens. It is given
    token ids alone, so names do not matter.
    """

    def _load(self) -> Any:
        spec = super()._load()
        spec.register_vocabulary([f"<{i}>" for i in range(spec.get_vocabulary_size())])
        return spec
