"""The kernels of the battery: right on what is not hard, and each says what it does not offer."""

import numpy as np
import pytest

from compare.battery.cases import make_inputs
from compare.battery.kernels.registry import BUILT_IN, KernelSpec, kernels_named
from compare.battery.unsupported import Unsupported


@pytest.mark.parametrize("spec", BUILT_IN, ids=lambda spec: spec.name)
def test_every_kernel_is_rounding_on_easy_cases(spec: KernelSpec, weighers) -> None:
    assert spec.summary
    assert spec.install
    if missing := spec.missing():
        pytest.skip(f"{', '.join(missing)} not installed")
    kernel = spec.load()(threads=1)
    for name in ("plain", "causal", "chunk", "own-scale", "one-token", "primes"):
        context = kernel.attend(make_inputs(name))
        assert context.dtype == np.float32
        assert weighers(name).weigh(context).kind == "rounding", name


def test_a_kernel_says_what_it_does_not_offer() -> None:
    offered = {"onnxruntime-mha": ("soft-cap", "grouped"), "torch-math": ("soft-cap",), "torch-flash": ("wide-values",)}
    words = {"soft-cap": "no soft cap", "grouped": "no grouped heads", "wide-values": "no wider values"}
    for spec in kernels_named(offered):
        for case in offered[spec.name]:
            with pytest.raises(Unsupported, match=f"^{words[case]}$"):
                spec.load()(threads=1).attend(make_inputs(case))


def test_torch_flash_fails_if_torch_uses_another_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    from compare.battery.kernels import torch_attention

    monkeypatch.setattr(torch_attention.Flash, "backend", torch_attention.Math.backend)
    with pytest.raises(RuntimeError, match=r"^torch did not use its flash kernel but .*aten\.bmm"):
        torch_attention.Flash(threads=1).attend(make_inputs("plain"))
