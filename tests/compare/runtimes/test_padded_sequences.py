"""Test that padding on either side does not change the results at real positions."""

import numpy as np
import pytest
import torch

from compare.runtimes.registry import spec_of
from export.attention import graph_attention
from export.positions import positions_of
from export.taps import run_tapped
from tests.helpers.runtimes import LARGEST, decoded, every_runtime, loaded
from tests.helpers.tiny import USUAL

LENGTH, PADDING = 7, 5
OPTIMUM = pytest.param("optimum", marks=pytest.mark.optimum)


@pytest.fixture
def alone() -> np.ndarray:
    return np.random.default_rng(1).integers(1, 256, (1, LENGTH))


@pytest.fixture
def padded(alone) -> tuple[np.ndarray, np.ndarray]:
    """Return ids and mask (2, 12): the sequence padded on the left, and padded on the right."""
    sides = (PADDING, 0), (0, PADDING)
    ids, mask = (np.concatenate([np.pad(x, ((0, 0), side)) for side in sides]) for x in (alone, np.ones_like(alone)))
    return ids, mask


def real(tensor: np.ndarray) -> list[np.ndarray]:
    """Return the values at real positions of both sequences, (heads, positions, ...) or (positions, ...)."""
    return [
        np.take(row, range(start, start + LENGTH), axis=1 if tensor.ndim == 4 else 0)
        for row, start in zip(tensor, (PADDING, 0), strict=True)
    ]


def test_positions_are_counted_over_what_is_real(padded) -> None:
    _, mask = padded
    expected = [[0] * PADDING + [*range(LENGTH)], [*range(LENGTH)] + [LENGTH - 1] * PADDING]
    assert positions_of(mask, mask.shape[1]).tolist() == expected
    assert positions_of(torch.from_numpy(mask), 3).tolist() == [row[-3:] for row in expected]


@pytest.mark.parametrize("attention", ["eager", "sdpa", graph_attention])
@pytest.mark.parametrize("model_type", USUAL)
def test_the_torch_model(tiny, alone, padded, model_type: str, attention) -> None:
    model = tiny(model_type)
    options = {"attention": attention, "probabilities": attention != "sdpa"}
    expected = run_tapped(model, torch.from_numpy(alone), torch.ones_like(torch.from_numpy(alone)), **options)
    found = run_tapped(model, *map(torch.from_numpy, padded), **options)
    for name, tensor in found.items():
        for start, rows in zip((PADDING, 0), real(tensor.numpy()), strict=True):
            if name.startswith("attention."):
                assert np.delete(rows, np.s_[start : start + LENGTH], axis=-1).max() == 0
                rows = rows[..., start : start + LENGTH]
            np.testing.assert_allclose(rows, expected[name][0].numpy(), atol=2e-5, rtol=0, err_msg=name)


def test_without_padding_the_positions_are_those_of_transformers(tiny, alone) -> None:
    for model_type in USUAL:
        model, ids = tiny(model_type), torch.from_numpy(alone)
        with torch.no_grad():
            untouched = model(input_ids=ids, attention_mask=torch.ones_like(ids), use_cache=False).logits
        assert torch.equal(run_tapped(model, ids, torch.ones_like(ids), "eager")["logits"], untouched)


@pytest.mark.parametrize("exporter", [pytest.param("dynamo", marks=pytest.mark.slow), OPTIMUM])
@pytest.mark.parametrize("model_type", USUAL)
def test_every_graph(tiny_export, alone, padded, model_type: str, exporter: str) -> None:
    """The graphs are inspect, deploy, deploy-last, and decode, token by token after three prefills."""
    folder = tiny_export(model_type, exporter).folder
    spec = spec_of("onnxruntime")
    for graph in ("inspect", "deploy"):
        runtime = loaded(spec, folder, graph)
        expected = runtime.run(alone, np.ones_like(alone))
        for name, tensor in runtime.run(*padded).items():
            for start, rows in zip((PADDING, 0), real(tensor), strict=True):
                rows = rows[..., start : start + LENGTH] if name.startswith("attention.") else rows
                np.testing.assert_allclose(rows, expected[name][0], atol=2e-5, rtol=0, err_msg=f"{graph} {name}")
    last = loaded(spec, folder, "deploy-last").run(*padded)["logits"]
    np.testing.assert_allclose(last[0, -1], expected["logits"][0, -1], atol=2e-5, rtol=0)
    decoder = loaded(spec, folder, "decode")
    for prefill in (1, PADDING + 1, PADDING + 3):
        for rows in real(decoded(decoder, *padded, prefill)):
            np.testing.assert_allclose(rows, expected["logits"][0], atol=2e-5, rtol=0)


@every_runtime("decode")
def test_every_decoder(spec, entry, alone, padded) -> None:
    expected = loaded(spec_of("torch-eager"), entry.folder, "deploy")
    logits = expected.run(alone, np.ones_like(alone))["logits"][0]
    decoder = loaded(spec, entry.folder, "decode")
    for prefill in (1, PADDING + 1, PADDING + 3):
        for rows in real(decoded(decoder, *padded, prefill)):
            atol = 2e-5 if spec.precision == "float32" else LARGEST[spec.precision]
            np.testing.assert_allclose(rows, logits, atol=atol, rtol=0)


@pytest.mark.optimum
def test_the_decoder_of_optimum_on_the_graph_of_optimum(tiny_export, alone, padded) -> None:
    folder = tiny_export("gpt2", "optimum").folder
    decoder = loaded(spec_of("optimum"), folder, "decode")
    expected = decoded(decoder, alone, np.ones_like(alone), 3)[0]
    for rows in real(decoded(decoder, *padded, PADDING + 3)):
        np.testing.assert_allclose(rows, expected, atol=2e-5, rtol=0)
