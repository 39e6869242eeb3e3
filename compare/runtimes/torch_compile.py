"""The runtime torch-compile: the model with torch's fused attention, compiled by `torch.compile` at its first call."""

from collections.abc import Mapping
from pathlib import Path

import torch
import torch._inductor.config

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
