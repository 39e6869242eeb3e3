"""Test that seeded weights are reproducible and have the properties that keep faults visible."""

import numpy as np
import pytest
import torch

from export.models import weights_digest
from export.taps import run_tapped


def test_the_same_seed_gives_the_same_bits_and_another_seed_others(tiny) -> None:
    assert weights_digest(tiny(seed=3)) == weights_digest(tiny(seed=3))
    assert weights_digest(tiny(seed=3)) != weights_digest(tiny(seed=4))


@pytest.mark.parametrize("model_type", ["gpt2", "llama", "qwen3"])
def test_no_bias_is_zero_and_no_gain_is_one(tiny, model_type: str) -> None:
    for name, parameter in tiny(model_type).named_parameters():
        if parameter.ndim == 1:
            expected = 0.0 if name.endswith("bias") else 1.0
            assert (parameter - expected).abs().min() > 0, name


@pytest.mark.slow
def test_heads_spread_from_sharp_to_flat_and_some_channels_are_outliers(cache_dir) -> None:
    from compare import load_mini_transformer

    model, _, provenance = load_mini_transformer("distilgpt2-seeded")
    assert not provenance.trained
    ids = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (1, 128)))
    taps = run_tapped(model, ids, torch.ones_like(ids), "eager")
    for layer in range(6):
        attention = taps[f"attention.{layer}"][0].double()
        entropy = -(attention * attention.clamp_min(1e-300).log()).sum(-1).mean(-1)
        uniform = torch.arange(1, 129).double().log().mean()
        assert entropy.min() < 0.3 * uniform
        assert entropy.max() > 0.99 * uniform
        size = taps[f"hidden_state.{layer}"][0].square().mean(0).sqrt()
        assert size.sort().values[-4] > 3 * size.median()
