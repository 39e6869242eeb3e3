"""What the torch runtimes share: a transformers model whose attention is chosen by name or brought along."""

from pathlib import Path
from typing import Any

import torch
import transformers
from numpy.typing import NDArray

from compare.runtimes.registry import Graph
from export.models import read_weights
from export.taps import AttentionFunction, run_tapped


class TorchModel:
    """The model of a cache entry in torch. `attention` as for `export.taps.tapped`; sdpa gives no `probabilities`."""

    attention: str | AttentionFunction
    probabilities = True

    def __init__(self, folder: Path, *, threads: int, graph: Graph) -> None:
        torch.set_num_threads(threads)
        own = type(self).attention
        self.taps = graph == "inspect"
        self.model = read_weights(folder, attention=own if isinstance(own, str) else "eager")

    def run(self, input_ids: NDArray[Any], attention_mask: NDArray[Any]) -> dict[str, NDArray[Any]]:
        ids, mask = torch.from_numpy(input_ids), torch.from_numpy(attention_mask)
        attention = type(self).attention
        with torch.inference_mode():
            if self.taps or not isinstance(attention, str):
                tensors = run_tapped(self.model, ids, mask, attention, probabilities=self.probabilities)
            else:
                tensors = {"logits": self.model(input_ids=ids, attention_mask=mask, use_cache=False).logits}
        kept = tensors if self.taps else {"logits": tensors["logits"]}
        return {name: tensor.numpy() for name, tensor in kept.items()}

    def facts(self) -> dict[str, str]:
        return {
            "torch": torch.__version__,
            "transformers": transformers.__version__,
            "threads": str(torch.get_num_threads()),
            "cpu capability": torch.backends.cpu.get_cpu_capability(),
        }

    def operators(self, *_: NDArray[Any]) -> dict[str, int]:
        return {}

    def close(self) -> None:
        del self.model
