"""The probabilities of torch's fused attention, for the runtime torch-sdpa."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from compare.attention.identity import probabilities_by_identity
from compare.attention.torch_operators import CalledOperators

_SDPA = "sdpa"


@contextmanager
def sdpa_with_probabilities() -> Iterator[None]:
    """A context in which transformers' attention "sdpa" also returns the probabilities.

    Its context is computed exactly as without this. The probabilities come from further calls of the same kernel.
    """
    own = ALL_ATTENTION_FUNCTIONS[_SDPA]
    ALL_ATTENTION_FUNCTIONS[_SDPA] = _with_probabilities(own)
    try:
        yield
    finally:
        ALL_ATTENTION_FUNCTIONS[_SDPA] = own


def _with_probabilities(sdpa: Callable[..., Any]) -> Callable[..., tuple[Tensor, Tensor]]:
    """Return transformers' function for sdpa with a second result, the probabilities (batch, heads, sequence, keys).

    The function raises `RuntimeError` if torch uses another kernel for the identity values than for the model's.
    """

    def forward(
        module: nn.Module, query: Tensor, key: Tensor, value: Tensor, *args: Any, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        def attend(values: Tensor) -> Tensor:
            with CalledOperators() as called:
                context: Tensor = sdpa(module, query, key, values, *args, **kwargs)[0]
            kernels.append(called.attention_kernels)
            return context.transpose(1, 2)

        kernels: list[frozenset[str]] = []
        context: Tensor = sdpa(module, query, key, value, *args, **kwargs)[0]
        attend(value)
        probabilities = probabilities_by_identity(attend, value)
        if other := set(kernels[1:]) - {kernels[0]}:
            raise RuntimeError(
                f"torch used {_written(kernels[0])} for the model's values, but {_written(*other)} for those that give "
                "the probabilities"
            )
        return context, probabilities

    return forward


def _written(*kernels: frozenset[str]) -> str:
    return ", ".join(sorted({name for names in kernels for name in names})) or "no fused kernel"
