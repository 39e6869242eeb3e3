"""The base of the torch runtimes: a transformers model whose attention is chosen by name or given as a function."""

from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
import transformers
from numpy.typing import NDArray

from compare.runtimes.spec import Graph
from export.attention import AttentionFunction
from export.models import read_weights
from export.positions import positions_of
from export.taps import run_tapped, tapped


class TorchModel:
    """The model of a cache entry in torch, as a `compare.runtimes.spec.Decoder`."""

    #: The attention: the name of one of transformers' implementations, or a function for `export.taps.tapped`.
    attention: str | AttentionFunction
    #: The name of the type that the model computes in. Outputs are float32 in any case.
    dtype = "float32"

    def __init__(self, folder: Path, *, threads: int, graph: Graph) -> None:
        torch.set_num_threads(threads)
        own = type(self).attention
        self.graph = graph
        self.past: Any = None
        self.model = read_weights(folder, attention=own if isinstance(own, str) else "eager", dtype=self.dtype)

    def run(self, input_ids: NDArray[Any], attention_mask: NDArray[Any]) -> dict[str, NDArray[Any]]:
        match self.graph:
            case "inspect":
                return self._taps(input_ids, attention_mask)
            case "deploy":
                return self._forward(input_ids, attention_mask, use_cache=False)
            case "deploy-last":
                return self._forward(input_ids, attention_mask, use_cache=False, logits_to_keep=1)
            case "decode":
                self.past = None  # transformers then creates the kind of cache that suits the model
                return self.step(input_ids, attention_mask)

    def step(self, input_ids: NDArray[Any], attention_mask: NDArray[Any]) -> dict[str, NDArray[Any]]:
        return self._forward(input_ids, attention_mask, use_cache=True, past_key_values=self.past)

    def _taps(self, input_ids: NDArray[Any], attention_mask: NDArray[Any]) -> dict[str, NDArray[Any]]:
        ids, mask = torch.from_numpy(input_ids), torch.from_numpy(attention_mask)
        with torch.inference_mode():
            tensors = run_tapped(self.model, ids, mask, type(self).attention)
        return {name: tensor.float().numpy() for name, tensor in tensors.items()}

    def _forward(
        self, input_ids: NDArray[Any], attention_mask: NDArray[Any], **options: Any
    ) -> dict[str, NDArray[Any]]:
        """Run a pass that returns only logits. An attention function is installed through the tap hook."""
        ids, mask = torch.from_numpy(input_ids), torch.from_numpy(attention_mask)
        positions = {"position_ids": positions_of(mask, ids.shape[1])}
        attention = type(self).attention
        door = nullcontext() if isinstance(attention, str) else tapped(self.model, attention)
        with torch.inference_mode(), door:
            output = self.model(input_ids=ids, attention_mask=mask, **(positions | options))
        self.past = output.past_key_values
        return {"logits": output.logits.float().numpy()}

    def facts(self) -> dict[str, str]:
        return {
            "torch": torch.__version__,
            "transformers": transformers.__version__,
            "threads": str(torch.get_num_threads()),
            "cpu capability": torch.backends.cpu.get_cpu_capability(),
            "type": self.dtype,
        }

    def operators(self, *_: NDArray[Any]) -> dict[str, int]:
        return {}

    def close(self) -> None:
        self.past = None
        del self.model
