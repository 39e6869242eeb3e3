"""Count the work of a model: the FLOPs of a forward pass, and the bytes that a decode step must read and write.

The model runs on torch's fake tensors, which have shapes but no memory, so counting takes about a second for any model.
"""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils.flop_counter import FlopCounterMode
from transformers import AutoConfig, PreTrainedModel

from compare.results.machine_limits import Work
from export.arguments import forward_arguments
from export.kinds import is_encoder, loader_of

_FLOAT32 = 4


def work_of(folder: Path, batch: int, sequence: int) -> Work:
    """Count the work of a model on (batch, sequence) tokens, and on one more token of each sequence.

    folder: the model's folder. FLOPs are those of matrix products in transformers' eager attention, as torch's
    `FlopCounterMode` counts them: one multiplication and one addition for each term. Eager attention multiplies every
    query with every key. Hidden keys, which are half of two products, count too, although a kernel may skip them. All
    tensors are float32.

    If the model has no position for one more token, the decode step is that of its last position. An encoder has no
    decode step. Raises what transformers raises if the folder has no configuration, and what torch raises if shapes
    depend on values.
    """
    config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    encoder = is_encoder(config)
    past = min(sequence, getattr(config, "max_position_embeddings", sequence + 1) - 1)

    # Not torch's "meta" device: rotary angles ask autocast about their device, and autocast does not support "meta".
    with FakeTensorMode(), torch.no_grad():
        loader, options = loader_of(config)
        model = loader.from_config(config, attn_implementation="eager", dtype=torch.float32, **options).eval()

        def forward(length: int, **more: Any) -> Any:
            ids = torch.zeros(batch, length, dtype=torch.int64)
            if encoder:  # with a mask, because without one it looks for padding in the ids, which have no values
                return model(**forward_arguments(model, ids, torch.ones_like(ids)))
            return model(input_ids=ids, **more)

        with FlopCounterMode(display=False) as counter:
            forward(sequence, use_cache=False)
        if encoder:
            return Work(prefill_flops=counter.get_total_flops(), decode_bytes=0, past=0)
        cache = forward(past, use_cache=True).past_key_values if past else None
        step = forward(1, use_cache=True, past_key_values=cache)
        moved = weights_read(model, rows=batch) + sum(map(_bytes, _kept(step.past_key_values)))
    return Work(prefill_flops=counter.get_total_flops(), decode_bytes=moved, past=past)


def weights_read(model: PreTrainedModel, rows: int) -> int:
    """Return the bytes of a model's weights that one pass over `rows` tokens reads, each weight once.

    Of an embedding table, only the rows of the tokens are read; if it is also the output head, all rows are.
    """
    head = model.get_output_embeddings().weight
    tables = [module.weight for module in model.modules() if isinstance(module, nn.Embedding)]
    gathered = {id(table): rows * table.shape[1] * _FLOAT32 for table in tables if table is not head}
    return sum(gathered.get(id(parameter), _bytes(parameter)) for parameter in model.parameters())


def _kept(cache: Any) -> list[Tensor]:
    """Return the keys and values of every layer after a step: those of the past and of the new position."""
    return [tensor for layer in cache.layers for tensor in (layer.keys, layer.values)]


def _bytes(tensor: Tensor) -> int:
    return tensor.numel() * _FLOAT32
