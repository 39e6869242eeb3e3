"""The runtime torch-compile: the model with torch's fused attention, compiled by `torch.compile` at its first call."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
import torch._inductor.config
from numpy.typing import NDArray

from compare.runtimes.spec import Device, Graph
from compare.runtimes.torch_runtimes import TorchSdpa


class TorchCompile(TorchSdpa):
    """It exposes logits alone, because hooks would be compiled too and prevent fusions."""

    def __init__(
        self,
        folder: Path,
        *,
        threads: int,
        graph: Graph,
        device: Device = "cpu",
        options: Mapping[str, str] | None = None,
    ) -> None:
        loaded: Graph = "deploy" if graph == "inspect" else graph
        super().__init__(folder, threads=threads, graph=loaded, device=device, options=options)
        torch._inductor.config.compile_threads = 1  # more would start a pool of processes
        self.model = torch.compile(self.model, mode=(options or {}).get("mode"))
        #: The seconds of the first call, which compiles the model.
        self.first_call_s: float | None = None

    def run(self, input_ids: NDArray[Any], attention_mask: NDArray[Any]) -> dict[str, NDArray[Any]]:
        started = time.perf_counter()
        found = super().run(input_ids, attention_mask)
        if self.first_call_s is None:
            self.first_call_s = time.perf_counter() - started
        return found

    def facts(self) -> dict[str, str]:
        compiled = {} if self.first_call_s is None else {"compilation and first call": f"{self.first_call_s:.1f} s"}
        return {**super().facts(), **compiled}
