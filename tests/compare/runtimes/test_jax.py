"""Test the models of the runtime jax against transformers."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from compare.runtimes.registry import spec_of
from export.errors import CannotRun
from export.models import no_progress_bar
from export.taps import run_tapped
from tests.helpers.runtimes import LARGEST, decoded, loaded
from tests.helpers.tiny import tiny_model

MODELS = {
    "gpt2": {"scale_attn_by_inverse_layer_idx": True, "activation_function": "gelu"},
    "llama": {"attention_bias": True, "tie_word_embeddings": True},
    "mistral": {"sliding_window": 4},
    "qwen2": {"use_sliding_window": True, "sliding_window": 4, "max_window_layers": 1},
    "qwen3": {"rms_norm_eps": 1e-5},
}


def saved(folder: Path, kind: str, **more: object) -> torch.nn.Module:
    """Return a tiny model that is saved in a folder."""
    model = tiny_model(kind, **more)
    with no_progress_bar():
        model.save_pretrained(folder)
    return model


@pytest.mark.parametrize("kind", MODELS)
def test_every_tensor_and_every_step_is_that_of_transformers(tmp_path: Path, kind: str, ids_and_mask) -> None:
    model = saved(tmp_path, kind, **MODELS[kind])
    ids, mask = ids_and_mask
    expected = run_tapped(model, torch.from_numpy(ids), torch.from_numpy(mask), "eager")
    found = loaded(spec_of("jax"), tmp_path, "inspect").run(ids, mask)
    assert list(found) == list(expected)
    real = mask.astype(bool)
    for name, tensor in found.items():
        rows = (lambda x: np.moveaxis(x, 2, 1)[real]) if tensor.ndim == 4 else (lambda x: x[real])
        limit = LARGEST["float32"]
        np.testing.assert_allclose(rows(tensor), rows(expected[name].numpy()), atol=limit, rtol=0, err_msg=name)
    steps = decoded(loaded(spec_of("jax"), tmp_path, "decode"), ids, mask, 5)
    np.testing.assert_allclose(steps[real], expected["logits"].numpy()[real], atol=LARGEST["float32"], rtol=0)


def test_a_cache_grows_when_it_is_full(tmp_path: Path) -> None:
    saved(tmp_path, "gpt2", positions=256)
    ids = np.arange(140)[None] % 300
    mask = np.ones_like(ids)
    expected = loaded(spec_of("jax"), tmp_path, "deploy").run(ids, mask)["logits"]
    found = decoded(loaded(spec_of("jax"), tmp_path, "decode"), ids, mask, 60)
    np.testing.assert_allclose(found, expected, atol=LARGEST["float32"], rtol=0)


@pytest.mark.parametrize(
    ("kind", "change", "why"),
    [
        ("gpt2", {"model_type": "opt"}, r"only gpt2, llama, .*, and this model is of type 'opt'"),
        ("gpt2", {"activation_function": "tanh"}, r"no GPT-2 with activation 'tanh'"),
        ("llama", {"rope_parameters": {"rope_type": "yarn"}}, r"no llama with rotary positions of type 'yarn'"),
    ],
)
def test_a_model_that_it_does_not_compute_is_refused(tmp_path: Path, kind: str, change: dict, why: str) -> None:
    saved(tmp_path, kind)
    file = tmp_path / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | change))
    with pytest.raises(CannotRun, match=why):
        loaded(spec_of("jax"), tmp_path, "deploy")
