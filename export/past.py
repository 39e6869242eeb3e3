"""The keys and values that a model keeps while it decodes."""

from typing import TYPE_CHECKING, Any

from export.arguments import declared, forward_arguments
from export.errors import CannotRun, first_line

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def past_sizes(model: "PreTrainedModel") -> list[tuple[int, int]]:
    """Return (key/value heads, head_dim) of each key and value that a model keeps: key 0, value 0, key 1, ...

    They are measured on a short pass. Raises `CannotRun` if the model does not decode with a cache of keys and values
    alone, as state-space models do not.
    """
    import torch
    from transformers import DynamicCache

    what = f"models of type {model.config.model_type!r}"
    if "past_key_values" not in declared(type(model)):
        raise CannotRun(f"{what} have no cache of keys and values")
    ids, cache = torch.ones((1, 4), dtype=torch.int64, device=model.device), DynamicCache()
    arguments = forward_arguments(model, ids, torch.ones_like(ids), past_key_values=cache, use_cache=True)
    try:
        with torch.no_grad():
            kept = model(**arguments).past_key_values
    except Exception as error:  # code of any architecture may raise anything
        raise CannotRun(f"{what} take no plain cache of keys and values: {first_line(error)}") from error
    tensors: list[Any] = [
        getattr(layer, kind, None) for layer in getattr(kept, "layers", []) for kind in ("keys", "values")
    ]
    if kept is not cache or not tensors or any(x is None or x.ndim != 4 or x.shape[2] != 4 for x in tensors):
        kinds = {type(layer).__name__ for layer in getattr(kept, "layers", [])} or {type(kept).__name__}
        raise CannotRun(f"{what} keep more than keys and values of all positions ({', '.join(sorted(kinds))})")
    return [(tensor.shape[1], tensor.shape[3]) for tensor in tensors]
