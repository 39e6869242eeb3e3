"""How much work a forward pass is: FLOPs as torch counts them, and the bytes that one decode step cannot do without.

The model is run on torch's fake tensors: they have shapes and no memory, so that any model takes a second and no room.
torch and transformers are imported when work is counted, not before.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from compare.results.machine_limits import Work

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel

_FLOAT32 = 4


def work_of(folder: Path, batch: int, sequence: int) -> Work:
    """Count the work of the model in a folder on (batch, sequence) tokens, and on one more token each after those.

    FLOPs are those of the matrix products (torch's `FlopCounterMode`: a product and a sum for each term), of the model
    as transformers runs it under eager attention, where every query meets every key: a kernel that leaves out what the
    mask hides, half of two products, is credited with them. All numbers are float32.

    Where the model has no room for one more, the decode step is its last. Raises what transformers raises for a folder
    without a configuration, and what torch raises for a model whose shapes depend on its numbers.
    """
    import torch
    from torch._subclasses.fake_tensor import FakeTensorMode
    from torch.utils.flop_counter import FlopCounterMode
    from transformers import AutoConfig, AutoModelForCausalLM

    config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    past = min(sequence, getattr(config, "max_position_embeddings", sequence + 1) - 1)

    # Fake and not "meta": rotary angles ask autocast about their device, and it knows no "meta".
    with FakeTensorMode(), torch.no_grad():
        model = AutoModelForCausalLM.from_config(config, attn_implementation="eager", dtype=torch.float32).eval()

        def forward(length: int, **more: Any) -> Any:
            return model(input_ids=torch.zeros(batch, length, dtype=torch.int64), **more)

        with FlopCounterMode(display=False) as counter:
            forward(sequence, use_cache=False)
        cache = forward(past, use_cache=True).past_key_values if past else None
        step = forward(1, use_cache=True, past_key_values=cache)
        moved = weights_read(model, rows=batch) + sum(map(_bytes, _kept(step.past_key_values)))
    return Work(prefill_flops=counter.get_total_flops(), decode_bytes=moved, past=past)


def weights_read(model: "PreTrainedModel", rows: int) -> int:
    """The bytes of a model's weights that one pass over `rows` tokens reads, each weight once.

    Of an embedding table these are the rows of the tokens; of one that is the output head too, all of it.
    """
    from torch import nn

    head = model.get_output_embeddings().weight
    tables = [module.weight for module in model.modules() if isinstance(module, nn.Embedding)]
    gathered = {id(table): rows * table.shape[1] * _FLOAT32 for table in tables if table is not head}
    return sum(gathered.get(id(parameter), _bytes(parameter)) for parameter in model.parameters())


def _kept(cache: Any) -> "list[Tensor]":
    """The keys and values of every layer after a step: those of the past were read, the last of them was written."""
    return [tensor for layer in cache.layers for tensor in (layer.keys, layer.values)]


def _bytes(tensor: "Tensor") -> int:
    return tensor.numel() * _FLOAT32
