"""Hooks that read or replace a module's first input or output. They end with their `with` block."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn

#: Returns the tensor that replaces the given one, or None to keep it.
Change = Callable[[Tensor], Tensor | None]


@contextmanager
def on_input(module: nn.Module, change: Change) -> Iterator[None]:
    """Call `change` with the first input of every call of a module. Calls without a tensor as input are left alone."""

    def hook(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        tensor = first_input(args, kwargs)
        changed = change(tensor) if isinstance(tensor, Tensor) else None
        return (args, kwargs) if changed is None else with_input(args, kwargs, changed)

    with module.register_forward_pre_hook(hook, with_kwargs=True):
        yield


@contextmanager
def on_output(module: nn.Module, change: Change) -> Iterator[None]:
    """Call `change` with the output of every call of a module, or with the first of its outputs."""

    def hook(_: nn.Module, __: Any, output: Any) -> Any:
        changed = change(first_output(output))
        if changed is None:
            return output
        return (changed, *output[1:]) if isinstance(output, tuple) else changed

    with module.register_forward_hook(hook):
        yield


def on_call(module: nn.Module, tell: Callable[[], None]) -> Any:
    """Return a context in which `tell` is called before each call of a module."""
    return module.register_forward_pre_hook(lambda *_: tell())


def first_input(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Return the first argument of a call."""
    return args[0] if args else next(iter(kwargs.values()), None)


def with_input(args: tuple[Any, ...], kwargs: dict[str, Any], tensor: Tensor) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return the arguments of a call with another first argument."""
    if args:
        return (tensor, *args[1:]), kwargs
    return args, kwargs | {next(iter(kwargs)): tensor}


def first_output(output: Any) -> Any:
    """Return the output of a call, or the first of several."""
    return output[0] if isinstance(output, tuple) else output
