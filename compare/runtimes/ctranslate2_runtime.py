"""Runtimes that run the model in CTranslate2, which converts it to its own format. They give logits alone."""

import json
import time
from collections.abc import Iterable, Mapping
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
        found = self.generator.forward_batch([ids[kept].tolist() for ids, kept in zip(input_ids, real, strict=True)])
        return {"logits": padded(np.array(found), real)}

    def generate(self, prompt: NDArray[Any], count: int) -> tuple[list[int], NDArray[Any]]:
        """Continue a prompt.

        The first token comes after a pass over the prompt without its last position, which gives no logits, and a step.
        """
        named = names(prompt)
        stamps = [time.perf_counter_ns()]

        def stamp(step: ctranslate2.GenerationStepResult) -> bool:
            if step.batch_id == len(prompt) - 1:
                stamps.append(time.perf_counter_ns())
            return False

        found = self._loop(named, count, callback=stamp)
        return np.diff(stamps).tolist(), np.array([each.sequences_ids[0] for each in found])

    def follow(self, input_ids: NDArray[Any], attention_mask: NDArray[Any], prefill: int) -> dict[str, NDArray[Any]]:
        """Decode a given text.

        The first pass in the loop gives no logits, so those of a forward pass stand in for them. If a text of a batch
        is shorter than `prefill`, the first pass is as long as that text.
        """
        real = attention_mask.astype(bool)
        texts = [ids[kept] for ids, kept in zip(input_ids, real, strict=True)]
        start = min(prefill, *map(len, texts))
        first = np.array(self.generator.forward_batch([ids[:start].tolist() for ids in texts]))
        if start == 1:  # the loop begins with the first position
            most = max(map(len, texts))
            looped = self._loop(names(texts), most, include_prompt_in_result=True, return_logits_vocab=True)
        else:
            # In a batch, the first pass is as long as the shortest prompt without its last position. Each step then
            # takes one position of each prompt. So the beginning of a text is added as one more, short prompt.
            looped = self._loop(names([*texts, texts[0][:start]]), 1, return_logits_vocab=True)
        rows = [
            np.vstack([before[:-1], *map(np.array, result.logits[0])])
            for before, result in zip(first, looped, strict=False)
        ]
        return {"logits": padded(rows, real)}

    def _loop(self, prompts: list[list[str]], count: int, **options: Any) -> list[Any]:
        """Generate so many tokens after each prompt, and return CTranslate2's results."""
        usual: dict[str, Any] = {"max_length": count, "include_prompt_in_result": False, "end_token": []}
        results: list[Any] = self.generator.generate_batch(prompts, **usual | options)
        return results

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


def names(prompts: Iterable[Iterable[int]]) -> list[list[str]]:
    """Return the names of the token ids of prompts."""
    return [[name_of(token) for token in prompt] for prompt in prompts]


def name_of(token: int) -> str:
    """Return the name of a token id in the vocabulary of `convert`."""
    return f"<{token}>"


def padded(rows: Iterable[NDArray[Any]], real: NDArray[Any]) -> NDArray[Any]:
    """Return logits with zeros at padding: (batch, sequence, vocabulary).

    rows: the logits of each sequence, (its positions or more, vocabulary). real: the mask, bool (batch, sequence).
    """
    parts = list(rows)
    logits = np.zeros((*real.shape, parts[0].shape[-1]), np.float32)
    for into, kept, row in zip(logits, real, parts, strict=True):
        into[kept] = row[: kept.sum()]
    return logits


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
    file.write_text(json.dumps(config | dict.fromkeys(("bos_token", "eos_token", "unk_token"), name_of(0))))
    return {}


class _Converter(TransformersConverter):  # type: ignore[misc]  # it has no types
    """A converter whose vocabulary has a name for each token id, that of `name_of`.

    CTranslate2 refuses models whose tokenizer has fewer tokens than the embedding, or no special tokens. It is given
    token ids alone, so names do not matter.
    """

    def _load(self) -> Any:
        spec = super()._load()
        spec.register_vocabulary([name_of(token) for token in range(spec.get_vocabulary_size())])
        return spec
