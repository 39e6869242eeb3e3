"""The base of the torch runtimes: a transformers model whose attention is chosen by name or given as a function."""

from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
import transformers
from numpy.typing import NDArray
from torch import Tensor

from compare.runtimes.spec import Device, Graph
from export.arguments import forward_arguments
from export.attention import AttentionFunction
from export.errors import CannotRun
from export.kinds import output_of
from export.models import read_weights
from export.probe import layout_of
from export.taps import replacing, run_tapped


class TorchModel:
    """The model of a cache entry in torch, as a `compare.runtimes.spec.Decoder`."""

    #: The attention: the name of one of transformers' implementations, or a function that replaces the model's own.
    attention: str | AttentionFunction
    #: The name of the type that the model computes in. Outputs are float32 in any case.
    dtype = "float32"

    def __init__(
        self,
        folder: Path,
        *,
        threads: int,
        graph: Graph,
        device: Device = "cpu",
        options: Mapping[str, str] | None = None,
    ) -> None:
        if why := why_not_on(device):
            raise CannotRun(why)
        torch.set_num_threads(threads)
        use(options or {})
        own = type(self).attention
        self.graph, self.device = graph, device
        self.past: Any = None
        model: Any = read_weights(folder, attention=own if isinstance(own, str) else "eager", dtype=self.dtype)
        if graph == "inspect":
            layout_of(model)  # on the CPU, so that a GPU has the same taps
        if not isinstance(own, str) and not layout_of(model).replaceable:
            raise CannotRun(f"the attention of models of type {model.config.model_type!r} cannot be replaced")
        self.model = model.to(device)

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
        ids, mask = self._here(input_ids), self._here(attention_mask)
        with torch.inference_mode():
            tensors = run_tapped(self.model, ids, mask, type(self).attention)
        return self._as_arrays(tensors)

    def _forward(
        self, input_ids: NDArray[Any], attention_mask: NDArray[Any], **options: Any
    ) -> dict[str, NDArray[Any]]:
        """Run a pass that returns only the output: that of the last position with `logits_to_keep=1`, else of all."""
        ids, mask = self._here(input_ids), self._here(attention_mask)
        attention = type(self).attention
        replaced = nullcontext() if isinstance(attention, str) else replacing(self.model, attention)
        with torch.inference_mode(), replaced:
            output = self.model(**forward_arguments(self.model, ids, mask, **options))
        self.past = getattr(output, "past_key_values", None)  # not its key, which transformers 5.24 renamed
        name = output_of(self.model.config)
        kept = output[name][:, -options.get("logits_to_keep", 0) :]  # a model may not know the option
        return self._as_arrays({name: kept})

    def _here(self, array: NDArray[Any]) -> Tensor:
        return torch.from_numpy(array).to(self.device)

    def _as_arrays(self, tensors: Mapping[str, Tensor]) -> dict[str, NDArray[Any]]:
        """Return tensors as float32 arrays, when they have been computed and, from a GPU, copied.

        A copy that does not block goes to pinned memory, so it takes a fraction of the time of another one.
        """
        copies = {name: tensor.float().to("cpu", non_blocking=True) for name, tensor in tensors.items()}
        if self.device == "cuda":
            torch.cuda.synchronize()
        return {name: tensor.numpy() for name, tensor in copies.items()}

    def facts(self) -> dict[str, str]:
        return {
            "torch": torch.__version__,
            "transformers": transformers.__version__,
            "threads": str(torch.get_num_threads()),
            "cpu capability": torch.backends.cpu.get_cpu_capability(),
            "type": self.dtype,
            "matmul precision": torch.get_float32_matmul_precision(),
            **(facts_of_gpu() if self.device == "cuda" else {}),
        }

    def operators(self, *_: NDArray[Any]) -> dict[str, int]:
        return {}

    def close(self) -> None:
        self.past = None
        del self.model
        if self.device == "cuda":
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()


def use(options: Mapping[str, str]) -> None:
    """Apply the options of torch's runtimes to this process: `matmul_precision` and `kernel`."""
    if "matmul_precision" in options:
        torch.set_float32_matmul_precision(options["matmul_precision"])
    if "kernel" in options:
        switches = {"math": "math", "flash": "flash", "efficient": "mem_efficient", "cudnn": "cudnn"}
        for kernel, name in switches.items():
            getattr(torch.backends.cuda, f"enable_{name}_sdp")(kernel == options["kernel"])  # also those of the CPU


def why_not_on(device: Device) -> str:
    """Return why torch cannot compute on a device here, in one line; empty if it can."""
    if device == "cpu" or torch.cuda.is_available():
        return ""
    if torch.version.cuda is None and torch.version.hip is None:
        return f"torch {torch.__version__} was built without CUDA"
    return f"torch {torch.__version__} finds no GPU that it can use (nvidia-smi shows the GPUs and the driver)"


def facts_of_gpu() -> dict[str, str]:
    """Return the GPU, the version of CUDA, whether float32 products use TF32, and the most memory so far, in bytes."""
    return {
        "device": torch.cuda.get_device_name(),
        "CUDA": str(torch.version.cuda or torch.version.hip),
        "TF32": "on" if torch.backends.cuda.matmul.allow_tf32 else "off",
        "device bytes": str(torch.cuda.max_memory_allocated()),
    }
