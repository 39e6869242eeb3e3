"""Tests of the shipped model: its files, what it has learned, and the functions that measure it."""

import json
import math

import numpy as np
import pytest
import torch

from benchmarks import byte_gpt2_model, byte_gpt2_text, train_byte_gpt2
from compare.pipeline.inputs import DEFAULT_TEXT
from export.models import MiniTransformer, load
from export.sources import SHIPPED, find


@pytest.fixture(scope="module")
def shipped() -> MiniTransformer:
    return load(find("byte-gpt2"))


@pytest.fixture(scope="module")
def windows(shipped: MiniTransformer) -> torch.Tensor:
    """Token ids of the project's default text, on which the model was not trained, (windows, positions)."""
    return byte_gpt2_model.windows(torch.tensor(shipped.tokenizer(DEFAULT_TEXT.read_text())["input_ids"]))


def test_what_is_shipped(shipped: MiniTransformer) -> None:
    assert (SHIPPED / "model.safetensors").stat().st_size <= 8e6
    assert (SHIPPED / "loss_curve.png").read_bytes().startswith(b"\x89PNG")
    assert "PYTHON SOFTWARE FOUNDATION LICENSE VERSION 2" in (SHIPPED / train_byte_gpt2.LICENCE).read_text()
    assert "Python Software Foundation" in (SHIPPED / "NOTICE.md").read_text()
    model, tokenizer, provenance = shipped
    assert len(tokenizer) == model.config.vocab_size == 256
    assert model.config.n_embd // model.config.n_head == 64
    assert provenance.trained
    assert provenance.label.startswith("byte-gpt2, trained by this project (sha256 ")


def test_it_predicts_text_that_it_never_saw(shipped: MiniTransformer, windows: torch.Tensor) -> None:
    """The loss must be at least one bit per byte below the entropy of the text's byte frequencies."""
    counts = np.bincount(windows.flatten().numpy(), minlength=256)
    shares = counts[counts > 0] / counts.sum()
    entropy = float(-(shares * np.log2(shares)).sum())
    with torch.no_grad():
        bits = shipped.model(input_ids=windows, labels=windows).loss.item() / math.log(2)
    assert bits < entropy - 1


def test_a_head_looks_back_one_position(shipped: MiniTransformer, windows: torch.Tensor) -> None:
    best = byte_gpt2_model.previous_token_scores(shipped.model, windows.flatten()).max()
    untrained = byte_gpt2_model.previous_token_scores(byte_gpt2_model.new_model(), windows.flatten()).max()
    assert best >= 0.4
    assert best >= 5 * untrained


def test_the_record_of_its_training_belongs_to_it() -> None:
    record = json.loads((SHIPPED / "training.json").read_text())
    assert record["weights_sha256"] == train_byte_gpt2.sha256_of(SHIPPED / "model.safetensors")
    bits, score = record["bits_per_byte"], record["previous_token_score"]
    assert bits["unigram"] - bits["held_out"] >= 1.0
    assert score["best"] >= 0.5
    assert score["best"] >= 5 * score["untrained"]
    assert record["training"]["minutes"] <= 30
    assert len(record["curve"]["training"]) == sum(stage["steps"] for stage in record["training"]["stages"])


def test_documents_are_split_into_learned_and_held_out() -> None:
    texts = [f"document {number}" for number in range(2000)]
    learned, held_out = byte_gpt2_text.split(texts)
    assert sorted(learned + held_out) == sorted(texts)
    assert 60 < len(held_out) < 140  # about one in twenty, chosen by digest
    assert byte_gpt2_text.split(texts) == (learned, held_out)


def test_the_unigram_baseline() -> None:
    """Two equally frequent bytes take one bit each."""
    learned = torch.tensor([0, 1] * 100_000)
    assert byte_gpt2_model.unigram_bits(learned, torch.tensor([0, 1, 1])) == pytest.approx(1.0, abs=0.01)


def test_the_score_of_heads_with_uniform_attention(shipped: MiniTransformer) -> None:
    """If all queries are zero, every row of attention is uniform: 1 / (i + 1) at the previous position."""
    model = byte_gpt2_model.new_model()
    with torch.no_grad():
        for block in model.transformer.h:
            block.attn.c_attn.weight[:, : byte_gpt2_model.HIDDEN] = 0
    length = byte_gpt2_model.LENGTH
    scores = byte_gpt2_model.previous_token_scores(model, torch.zeros(length, dtype=torch.int64))
    np.testing.assert_allclose(scores, np.mean(1 / np.arange(2, length + 1)), rtol=1e-4)


def test_the_rate_warms_up_and_falls_to_a_twentieth() -> None:
    rates = [train_byte_gpt2.rate_at(step, 1000) for step in range(1000)]
    assert rates[0] < 0.05
    assert max(rates) == pytest.approx(1, abs=0.01)
    assert rates[-1] == pytest.approx(0.05, abs=0.001)
