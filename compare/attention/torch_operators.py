"""Which operators of torch run, to learn which kernel an attention function chooses."""

from typing import Any

from torch.utils._python_dispatch import TorchDispatchMode


class CalledOperators(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Context manager that records the names of the operators that run inside it.

    names: such as "aten.bmm.default". An operator that torch composes of others counts as those.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.names: set[str] = set()

    @property
    def attention_kernels(self) -> frozenset[str]:
        """The fused attention kernels among the operators; empty if attention is computed step by step."""
        return frozenset(name for name in self.names if "attention" in name)

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        with self:  # in inference mode, composed operators arrive whole
            found = func.decompose(*args, **kwargs)
        if found is not NotImplemented:
            return found
        self.names.add(str(func))
        return func(*args, **kwargs)
