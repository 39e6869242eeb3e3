"""What a runtime is: its class, and its entry in the registry, which can be read without importing it."""

import sys
from dataclasses import dataclass
from fnmatch import fnmatchcase
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol, get_args, runtime_checkable

from compare.lazy import Listed
from compare.processes.virtual_environment import VirtualEnvironment
from compare.runtimes.npm_packages import NpmPackages
from export.errors import BadInput, near

if TYPE_CHECKING:  # listing the runtimes works without NumPy
    from numpy.typing import NDArray

#: What the processes of this project that run a runtime import, for an environment of its own.
CHILD_REQUIREMENTS = ("numpy==2.4.6", "psutil==7.2.2")

#: The graphs that a runtime can load, named as the files of a cache entry (`export.graphs`): with all taps, with the
#: output of all positions, with that of the last position, and for decoding with a cache of keys and values. An encoder
#: has only the first two.
Graph = Literal["inspect", "deploy", "deploy-last", "decode"]
ALL_GRAPHS: tuple[Graph, ...] = get_args(Graph)

#: What a runtime can compute on. "cuda" is an NVIDIA GPU.
Device = Literal["cpu", "cuda"]
DEVICES: tuple[Device, ...] = get_args(Device)


class Option(NamedTuple):
    """An option that a runtime takes, which `--option RUNTIME.KEY=VALUE` sets.

    key: its name, or a pattern with *, such as "provider.*".
    meaning: what it sets, in words.
    values: the values that it may have; empty if the runtime's library checks them.
    """

    key: str
    meaning: str
    values: tuple[str, ...] = ()


class Runtime(Protocol):
    """A loaded model that can be run.

    folder: the folder of a cache entry, with graphs, weights and configuration.
    threads: the number of threads that it may compute with.
    graph: what to load, one of the graphs in its `Spec`.

    With the graph "inspect", a run returns every tensor of `export.taps.tap_names` that the runtime exposes; with any
    other graph, only the model's output: `logits`, or `last_hidden_state` for an encoder. A runtime with the graph
    "decode" is a `Decoder` or a `LoopDecoder`. A runtime's file must import libraries at its top, so that importing and
    loading are separate steps.

    Two more arguments are given only where they are needed. device: what it computes on, if that is not the CPU and its
    `Spec` lists it. options: a mapping from keys to values, both strings, if its `Spec` has options and some are set.
    """

    def __init__(self, folder: Path, *, threads: int, graph: Graph) -> None: ...

    def run(self, input_ids: "NDArray[Any]", attention_mask: "NDArray[Any]") -> "dict[str, NDArray[Any]]":
        """Run one forward pass and return its outputs by name.

        input_ids, attention_mask: int64 (batch, sequence). Padding may be on either side.

        Logits are (batch, sequence, vocabulary), or (batch, 1, vocabulary) with the graph "deploy-last". Position ids
        are those of `export.positions.positions_of`. An encoder gives (batch, sequence, hidden) and numbers positions
        itself; its token types are 0.
        """

    def facts(self) -> dict[str, str]:
        """Return versions and settings to keep with the result."""

    def operators(self, input_ids: "NDArray[Any]", attention_mask: "NDArray[Any]") -> dict[str, int]:
        """Return how often each operator of the optimized graph runs in one pass; empty if there is no graph."""

    def close(self) -> None:
        """Free the model."""


class Decoder(Runtime, Protocol):
    """A runtime that can decode with a cache of keys and values, if loaded with the graph "decode".

    Its `run` then empties the cache and computes the prefill.
    """

    def step(self, input_ids: "NDArray[Any]", attention_mask: "NDArray[Any]") -> "dict[str, NDArray[Any]]":
        """Decode one or more further positions; return `logits`, (batch, new, vocabulary).

        input_ids: int64 (batch, new).
        attention_mask: int64 (batch, past + new).

        Position ids are those of `export.positions.positions_of`, as in `run`.
        """


@runtime_checkable
class SelfTimed(Runtime, Protocol):
    """A runtime that measures the time of its calls itself, because it runs in another process or on a device.

    Otherwise the latency worker measures from the call of `run` to its return.
    """

    def timed(self, input_ids: "NDArray[Any]", attention_mask: "NDArray[Any]", calls: int) -> list[int]:
        """Make one untimed call, which warms up caches and threads, then the timed calls; return their nanoseconds.

        input_ids, attention_mask: as in `run`.
        calls: the number of timed calls.
        """


@runtime_checkable
class SelfTimedDecoder(Decoder, Protocol):
    """A decoder that measures the time of its calls itself."""

    #: The time of the last call of `run` or `step`, in nanoseconds.
    last_ns: int


@runtime_checkable
class LoopDecoder(Runtime, Protocol):
    """A runtime that decodes with a cache of keys and values in its library's own loop, which has no single step.

    If loaded with the graph "decode", it has these methods in place of those of a `Decoder`.
    """

    def generate(self, prompt: "NDArray[Any]", count: int) -> "tuple[list[int], NDArray[Any]]":
        """Continue a prompt with the most likely token at each step.

        prompt: token ids without padding, int64 (batch, positions).
        count: the number of tokens.

        Returns the nanoseconds until the first token and between any two tokens, and the tokens, int64 (batch, count).
        """

    def follow(
        self, input_ids: "NDArray[Any]", attention_mask: "NDArray[Any]", prefill: int
    ) -> "dict[str, NDArray[Any]]":
        """Decode a given text, and return `logits`, (batch, sequence, vocabulary).

        input_ids, attention_mask: int64 (batch, sequence).
        prefill: the number of positions in the first pass. Each step then takes one position.
        """


@dataclass(frozen=True)
class Spec(Listed):
    """A runtime's entry in the registry.

    engine: the library whose kernels it runs, as its authors write it.
    precision: the precision that it computes in; "any" if it chooses one.
    hybrid: whether only its attention runs in another library; such a runtime is never timed.
    graphs: the graphs that it can load. A runtime with "inspect" has a row of gaps.
    exposes: the taps that it exposes with the graph "inspect", in words.
    default: whether it runs if no runtimes are named.
    devices: what it can compute on.
    options: the options that it takes.
    converter: the function that makes the folder which it loads, "module:function" (`compare.runtimes.converter`);
        empty if it loads the folder of a cache entry.
    libraries: modules that are imported before the class. Processes of runtimes with the same libraries are forked from
        one process that has imported them; without libraries, a process of the runtime is started on its own. Their
        import must start no threads.
    npm: the npm packages that it runs, if it runs JavaScript.
    environment: the environment whose interpreter runs it, for libraries that cannot be installed together with this
        project; None if this environment does. It needs `CHILD_REQUIREMENTS`, and the runtime has no `libraries`,
        because a process of another interpreter cannot be forked.
    """

    noun = "runtime"
    engine: str = ""
    precision: str = "float32"
    hybrid: bool = False
    graphs: tuple[Graph, ...] = ("inspect", "deploy")
    exposes: Literal["every tap", "no attention", "logits"] = "every tap"
    default: bool = True
    devices: tuple[Device, ...] = ("cpu",)
    options: tuple[Option, ...] = ()
    converter: str = ""
    libraries: tuple[str, ...] = ()
    npm: NpmPackages | None = None
    environment: VirtualEnvironment | None = None

    @property
    def python(self) -> str:
        """The interpreter that runs it."""
        if self.environment is None or self.environment.runs_this:
            return sys.executable
        return str(self.environment.python)

    def missing(self) -> list[str]:
        """Return the required packages and programs that are not installed where it runs.

        If its own environment is not there, or has other versions than are required now, all of its packages are
        missing.
        """
        absent = [] if self.npm is None else self.npm.missing()
        if self.environment is None or self.environment.runs_this:
            return [*super().missing(), *absent]
        return [*([] if self.environment.is_made else self.requires), *absent]

    def load_class(self) -> type[Runtime]:
        """Import the runtime's libraries and its class. Raises `CannotRun` if a required package is not installed."""
        self.check_installed()
        for library in self.libraries:
            import_module(library)
        loaded: type[Runtime] = self.load()
        return loaded

    def check_option(self, key: str, value: str) -> None:
        """Raise `BadInput` unless the runtime takes an option of that name with that value, as far as is known here."""
        if not self.options:
            raise BadInput(f"runtime {self.name} takes no options")
        option = next((option for option in self.options if fnmatchcase(key, option.key)), None)
        if option is None:
            keys = [option.key for option in self.options]
            raise BadInput(f"runtime {self.name} has no option {key!r}; {near(key, keys)}")
        if option.values and value not in option.values:
            values = near(value, option.values)
            raise BadInput(f"option {key} of runtime {self.name} is {value!r}; {values}")
