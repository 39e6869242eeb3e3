"""The runtime optimum: the deploy and decode graphs, run by optimum's `ORTModelForCausalLM` in ONNX Runtime.

The runtime onnxruntime runs the same files, with the same provider and the same options, so the difference between
their times is that of the code around each call.
"""

from pathlib import Path
from typing import Any

import onnxruntime
import optimum.onnxruntime
import optimum.version
import torch
from numpy.typing import NDArray

from compare.runtimes.onnx_providers import session_options
from compare.runtimes.spec import Graph
from export.kinds import check_causal
from export.positions import positions_of


class OptimumOnnxRuntime:
    """It returns logits alone, whatever the graph outputs, so its gaps are those of the graph that is timed."""

    def __init__(self, folder: Path, *, threads: int, graph: Graph) -> None:
        check_causal(folder, "optimum's ORTModelForCausalLM")
        self.threads = threads
        self.past: Any = None
        self.model = optimum.onnxruntime.ORTModelForCausalLM.from_pretrained(
            folder,
            file_name=f"{'deploy' if graph == 'inspect' else graph}.onnx",
            use_cache=graph == "decode",
            provider="CPUExecutionProvider",
            session_options=session_options(threads),
            use_io_binding=False,  # its default on the CPU
            local_files_only=True,
        )

    def run(self, input_ids: NDArray[Any], attention_mask: NDArray[Any]) -> dict[str, NDArray[Any]]:
        self.past = None
        return self.step(input_ids, attention_mask)

    def step(self, input_ids: NDArray[Any], attention_mask: NDArray[Any]) -> dict[str, NDArray[Any]]:
        ids, mask = torch.from_numpy(input_ids), torch.from_numpy(attention_mask)
        positions = positions_of(mask, ids.shape[1])  # by default, optimum's forward counts padding too
        output = self.model(input_ids=ids, attention_mask=mask, position_ids=positions, past_key_values=self.past)
        self.past = output.past_key_values  # None without a cache
        return {"logits": output.logits.numpy()}

    def facts(self) -> dict[str, str]:
        return {
            "optimum": optimum.version.__version__,
            "onnxruntime": onnxruntime.__version__,
            "threads": str(self.threads),
        }

    def operators(self, *_: NDArray[Any]) -> dict[str, int]:
        return {}

    def close(self) -> None:
        self.past = None
        del self.model
