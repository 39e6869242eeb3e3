"""The runtime torch-compile: the model with torch's fused attention, compiled by `torch.compile` at its first call."""

from pathlib import Path

import torch
import torch._inductor.config

from compare.runtimes.spec import Graph
from compare.runtimes.torch_runtimes import TorchSdpa


class TorchCompile(TorchSdpa):
    """It exposes logits alone, because hooks would be compiled too and prevent fusions."""

    def __init__(self, folder: Path, *, threads: int, graph: Graph) -> None:
        super().__init__(folder, threads=threads, graph="deploy" if graph == "inspect" else graph)
        torch._inductor.config.compile_threads = 1  # more would start a pool of processes
        self.model = torch.compile(self.model)
