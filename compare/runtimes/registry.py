"""The registry of runtimes, which lists them by name without importing them.

A runtime is a class (see `Runtime`) in its own file, with a line in `BUILT_IN` or an entry point in the group
`onnx_attention_compare.runtimes` whose value is a `Spec`. A runtime whose packages are missing is listed with the
command that installs them, and an entry point that cannot be read with its error. Other runtimes are not affected.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module, metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, get_args

from compare.lazy import TORCH_LIBRARIES, Listed
from export.errors import BadInput, CannotRun, near

if TYPE_CHECKING:  # listing the runtimes works without NumPy
    from numpy.typing import NDArray

ENTRY_POINTS = "onnx_attention_compare.runtimes"
BASELINE = "torch-eager"

#: The graphs that a runtime can load, named as the files of a cache entry (`export.graphs`): with all taps, with the
#: logits of all positions, with those of the last position, and for decoding with a cache of keys and values.
Graph = Literal["inspect", "deploy", "deploy-last", "decode"]

#: The runtime that runs the graphs of both exporters if two are compared.
GRAPH_RUNTIME = "onnxruntime"


class Runtime(Protocol):
    """A loaded model that can be run.

    folder: the folder of a cache entry, with graphs, weights and configuration.
    threads: the number of threads that it may compute with.
    graph: what to load, one of the graphs in its `Spec`.

    With the graph "inspect", a run returns every tensor of `export.taps.tap_names` that the runtime exposes; with any
    other graph, only `logits`. A runtime with the graph "decode" is a `Decoder`. A runtime's file must import libraries
    at its top, so that importing and loading are separate steps.
    """

    def __init__(self, folder: Path, *, threads: int, graph: Graph) -> None: ...

    def run(self, input_ids: "NDArray[Any]", attention_mask: "NDArray[Any]") -> "dict[str, NDArray[Any]]":
        """Run one forward pass and return its outputs by name.

        input_ids, attention_mask: int64 (batch, sequence). Padding may be on either side.

        Logits are (batch, sequence, vocabulary), or (batch, 1, vocabulary) with the graph "deploy-last". Position ids
        are those of `export.positions.positions_of`.
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


@dataclass(frozen=True)
class Spec(Listed):
    """A runtime's entry in the registry.

    precision: the precision that it computes in.
    hybrid: whether only its attention runs in another library; such a runtime is never timed.
    graphs: the graphs that it can load.
    libraries: modules that are imported before the class. Processes of runtimes with the same libraries are forked from
        one process that has imported them; without libraries, a process of the runtime is started on its own. Their
        import must start no threads.
    """

    noun = "runtime"
    precision: str = "float32"
    hybrid: bool = False
    graphs: tuple[Graph, ...] = ("inspect", "deploy")
    libraries: tuple[str, ...] = ()

    def load_class(self) -> type[Runtime]:
        """Import the runtime's libraries and its class. Raises `CannotRun` if a required package is not installed."""
        self.check_installed()
        for library in self.libraries:
            import_module(library)
        loaded: type[Runtime] = self.load()
        return loaded


ALL_GRAPHS: tuple[Graph, ...] = get_args(Graph)

_TORCH = ("torch", "transformers"), "pip install torch transformers"

BUILT_IN = (
    Spec(
        BASELINE,
        "compare.runtimes.torch_runtimes:TorchEager",
        "transformers' own attention in torch; the baseline",
        *_TORCH,
        libraries=TORCH_LIBRARIES,
        graphs=ALL_GRAPHS,
    ),
    Spec(
        "torch-sdpa",
        "compare.runtimes.torch_runtimes:TorchSdpa",
        "torch's fused attention",
        *_TORCH,
        libraries=TORCH_LIBRARIES,
        graphs=ALL_GRAPHS,
    ),
    Spec(
        "torch-reference",
        "compare.runtimes.torch_runtimes:TorchReference",
        "the reference attention in torch",
        *_TORCH,
        libraries=TORCH_LIBRARIES,
        graphs=("inspect", "deploy"),
    ),
    Spec(
        "numpy-reference",
        "compare.runtimes.torch_runtimes:NumpyReference",
        "the reference attention in NumPy, the rest in torch",
        *_TORCH,
        libraries=TORCH_LIBRARIES,
        hybrid=True,
    ),
    Spec(
        GRAPH_RUNTIME,
        "compare.runtimes.onnx_runtime:OnnxRuntime",
        "the exported graph in ONNX Runtime, on the CPU",
        ("onnxruntime",),
        "pip install onnxruntime",
        graphs=ALL_GRAPHS,
        libraries=("onnxruntime",),
    ),
    Spec(
        "optimum",
        "compare.runtimes.optimum_onnxruntime:OptimumOnnxRuntime",
        "the exported graph in optimum's ORTModelForCausalLM; decodes, and nothing else",
        ("onnxruntime", "optimum.onnxruntime"),
        "pip install optimum-onnx",
        graphs=("decode",),
        libraries=TORCH_LIBRARIES,
    ),
)


@dataclass(frozen=True)
class Listing:
    """All listed runtimes.

    specs: name -> runtime.
    broken: name of an entry point that could not be read -> its error.
    """

    specs: Mapping[str, Spec]
    broken: Mapping[str, str]


@cache
def listing() -> Listing:
    """Return the built-in runtimes and those of other packages. A built-in runtime hides others of the same name."""
    specs: dict[str, Spec] = {}
    broken: dict[str, str] = {}
    for point in metadata.entry_points(group=ENTRY_POINTS):
        try:
            spec = point.load()
            if not isinstance(spec, Spec):
                raise TypeError(f"{point.value} is a {type(spec).__name__}, not a compare.runtimes.registry.Spec")
            specs[spec.name] = spec
        except Exception as error:  # code of another package may raise anything
            broken[point.name] = f"{type(error).__name__}: {error}"
    return Listing({spec.name: spec for spec in BUILT_IN} | {n: s for n, s in specs.items() if n not in _NAMES}, broken)


_NAMES = {spec.name for spec in BUILT_IN}


def spec_of(name: str) -> Spec:
    """Return the runtime of that name.

    Raises `BadInput` with near matches if the name is unknown, `CannotRun` if its entry point cannot be read.
    """
    found = listing()
    if name in found.broken:
        raise CannotRun(f"runtime {name} is broken: {found.broken[name]}; report this to the authors of its package")
    if name not in found.specs:
        raise BadInput(f"unknown runtime {name!r}; {near(name, found.specs)}; python -m compare runtimes lists them")
    return found.specs[name]
