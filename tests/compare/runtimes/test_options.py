"""Test that options reach the libraries of runtimes, and devices of torch."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch

from compare.runtimes.registry import BUILT_IN, spec_of
from compare.runtimes.torch_model import use, why_not_on
from export.cache import Entry
from export.errors import BadInput, CannotRun
from tests.helpers.runtimes import loaded


@pytest.fixture(autouse=True)
def default_options() -> Iterator[None]:
    """Restore the options of torch, which are those of the whole process."""
    yield
    torch.set_float32_matmul_precision("highest")
    for kernel in ("math", "flash", "mem_efficient", "cudnn"):
        getattr(torch.backends.cuda, f"enable_{kernel}_sdp")(True)


@pytest.mark.parametrize("spec", BUILT_IN, ids=lambda spec: spec.name)
def test_options_are_documented(spec) -> None:
    for option in spec.options:
        assert option.meaning
        key = option.key.replace("*", "some.key")
        for value in option.values or ("anything",):
            spec.check_option(key, value)
    assert spec.devices[0] == "cpu"


def test_an_option_that_is_not_taken_is_refused() -> None:
    with pytest.raises(BadInput, match="runtime jax takes no options"):
        spec_of("jax").check_option("x", "1")
    with pytest.raises(BadInput, match=r"runtime torch-sdpa has no option 'kernels'; did you mean kernel\?"):
        spec_of("torch-sdpa").check_option("kernels", "math")
    with pytest.raises(BadInput, match="option kernel of runtime torch-sdpa is 'x'; known: math, flash, efficient"):
        spec_of("torch-sdpa").check_option("kernel", "x")


def test_torch_takes_the_precision_of_products(entry: Entry) -> None:
    usual = loaded(spec_of("torch-eager"), entry.folder, "deploy")
    assert usual.facts()["matmul precision"] == "highest"
    kind = spec_of("torch-eager").load_class()
    other = kind(entry.folder, threads=1, graph="deploy", options={"matmul_precision": "high"})
    assert other.facts()["matmul precision"] == "high"


def test_torch_takes_a_kernel() -> None:
    use({"kernel": "math"})
    assert torch.backends.cuda.math_sdp_enabled()
    assert not torch.backends.cuda.flash_sdp_enabled()
    assert not torch.backends.cuda.mem_efficient_sdp_enabled()
    query = torch.randn(1, 2, 4, 8)
    assert torch._fused_sdp_choice(query, query, query) == torch.nn.attention.SDPBackend.MATH.value


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_torch_without_a_gpu_says_so(entry: Entry) -> None:
    why = why_not_on("cuda")
    assert why.startswith(f"torch {torch.__version__} ")
    assert why_not_on("cpu") == ""
    with pytest.raises(CannotRun) as refused:
        spec_of("torch-sdpa").load_class()(entry.folder, threads=1, graph="deploy", device="cuda")
    assert str(refused.value) == why


@pytest.mark.parametrize(
    ("name", "options", "fact"),
    [
        ("openvino", {"INFERENCE_NUM_THREADS": "2"}, ("threads", "2")),
        ("ctranslate2", {"compute_type": "int8_float32"}, ("type", "int8_float32")),
    ],
)
def test_options_reach_other_libraries(name: str, options: dict[str, str], fact, entry: Entry, ids_and_mask) -> None:
    usual, changed = (loaded(spec_of(name), entry.folder, "deploy", **more) for more in ({}, {"options": options}))
    assert usual.facts()[fact[0]] != fact[1]
    assert changed.facts()[fact[0]] == fact[1]
    logits = [each.run(*ids_and_mask)["logits"] for each in (usual, changed)]
    np.testing.assert_allclose(*logits, atol=1.0)


def test_a_wrong_option_is_an_error_of_the_library(entry: Entry) -> None:
    with pytest.raises(RuntimeError, match="MADE_UP"):
        loaded(spec_of("openvino"), entry.folder, "deploy", options={"MADE_UP": "1"})
