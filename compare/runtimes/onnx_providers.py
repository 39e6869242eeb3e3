"""Sessions of ONNX Runtime: the execution provider that they run in, plug-ins with providers, and options."""

import mmap
import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping
from functools import cache, cached_property
from importlib import import_module
from pathlib import Path
from typing import Any

import onnxruntime
from numpy.typing import NDArray

from compare.runtimes.onnx_profile import CPU, nodes_of
from compare.runtimes.spec import Device
from export.errors import CannotRun

CUDA = "CUDAExecutionProvider"

#: The provider on each device, and the options that it has unless they are given. CUDA computes float32 products in
#: TF32 by default, which has 10 bits; torch does not.
ON_DEVICE: dict[Device, tuple[str, dict[str, str]]] = {
    "cpu": (CPU, {}),
    "cuda": (CUDA, {"use_tf32": "0"}),
}

#: Prefix of options that are the execution provider's.
_PROVIDERS_OWN = "provider."


class Sessions:
    """Starts sessions with the same settings: threads, level of graph optimizations, execution provider, options.

    threads: the number of threads of each session.
    level: the level of graph optimizations.
    device: what to compute on.
    options: those of `compare.runtimes.registry`: `provider`, `plugin`, `provider.KEY` and entries of the
        configuration.
    Raises `CannotRun` if ONNX Runtime has no such provider or entry, or if a plug-in cannot be loaded.
    """

    def __init__(self, threads: int, level: Any, device: Device, options: Mapping[str, str]) -> None:
        self.threads, self.level, self.device = threads, level, device
        self.plugin = options.get("plugin", "")
        name, usual = ON_DEVICE[device]
        chosen = options.get("provider", name)
        given = {key.removeprefix(_PROVIDERS_OWN): v for key, v in options.items() if key.startswith(_PROVIDERS_OWN)}
        usual_provider = chosen == name and not self.plugin
        self.provider_options = usual | given if usual_provider else given
        #: Where keys and values stay between the steps of decoding.
        self.memory = device if usual_provider else "cpu"
        taken = ("plugin", "provider")
        self.entries = {
            entry_of(key): value
            for key, value in options.items()
            if key not in taken and not key.startswith(_PROVIDERS_OWN)
        }
        if not self.plugin and chosen not in (available := onnxruntime.get_available_providers()):
            raise CannotRun(
                f"this build of ONNX Runtime {onnxruntime.__version__} has no {chosen}; it has {', '.join(available)}"
            )
        if not self.plugin and chosen == CPU and given:
            raise CannotRun(f"{CPU} takes no options, and ONNX Runtime would ignore {', '.join(given)}")
        self._chosen = chosen

    @cached_property
    def provider(self) -> str:
        """The name of the execution provider."""
        return self._devices[0].ep_name if self.plugin else self._chosen

    def start(self, graph: Path, *, profile: str = "") -> Any:
        """Start a session of a graph.

        profile: the prefix of the file that a profile is written to; empty for none. Raises `CannotRun` if the provider
        is not in the session, which ONNX Runtime does not count as an error.
        """
        options = session_options(self.threads, self.level)
        for key, value in self.entries.items():
            options.add_session_config_entry(key, value)
        if profile:
            options.enable_profiling = True
            options.profile_file_prefix = profile
        if self.plugin:
            options.add_provider_for_devices(self._devices[:1], self.provider_options)
            session = onnxruntime.InferenceSession(graph, options, enable_fallback=0)
        else:
            if self.provider == CUDA:
                # CUDA's libraries in Python packages, such as those of torch, are not in the loader's search path.
                onnxruntime.preload_dlls()
            others = [] if self.provider == CPU else [CPU]
            providers = [(self.provider, self.provider_options), *others]
            session = onnxruntime.InferenceSession(graph, options, providers=providers, enable_fallback=0)
        if self.provider not in session.get_providers():
            raise CannotRun(f"ONNX Runtime {onnxruntime.__version__} could not start {self.provider}; its log says why")
        return session

    def nodes(self, graph: Path, names: list[str], inputs: Mapping[str, NDArray[Any]]) -> list[tuple[str, str]]:
        """Run a graph once, in a session with a profile; return operator and provider of each node that ran.

        names: the outputs. inputs: the arrays by name.
        """
        with tempfile.TemporaryDirectory() as folder:
            session = self.start(graph, profile=str(Path(folder) / "profile"))
            session.run(names, inputs)
            return nodes_of(Path(session.end_profiling()))

    @cached_property
    def _devices(self) -> list[Any]:
        """The devices of the plug-in: those of the kind that was asked for first."""
        kind = {"cpu": "CPU", "cuda": "GPU"}[self.device]
        return sorted(devices_of(self.plugin), key=lambda device: str(device.device.type).rpartition(".")[2] != kind)


def session_options(threads: int, level: Any = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL) -> Any:
    """Return the options of a session: the number of threads, the level of graph optimizations, no warnings."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.graph_optimization_level = level
    options.log_severity_level = 3  # errors
    return options


@cache
def devices_of(plugin: str) -> list[Any]:
    """Load a plug-in into this process, and return its devices.

    plugin: see `library_of`. Raises `CannotRun` if it cannot be loaded, or has no device here.
    """
    library, name = library_of(plugin)
    before = {device.ep_name for device in onnxruntime.get_ep_devices()}
    try:
        onnxruntime.register_execution_provider_library(name, str(library))
    except Exception as error:  # it may raise anything
        raise CannotRun(f"the plug-in {library} could not be loaded: {error}") from error
    devices = onnxruntime.get_ep_devices()
    found = [device for device in devices if device.ep_name not in before]
    if not found:
        names = ", ".join(dict.fromkeys(device.ep_name for device in devices)) or "none"
        raise CannotRun(f"the plug-in {library} has no device here; ONNX Runtime has {names}")
    return found


def library_of(plugin: str) -> tuple[Path, str]:
    """Return the library of a plug-in, and a name for its provider.

    plugin: a path, or a Python package with a function `get_library_path`, as ONNX Runtime's documentation recommends
    for plug-ins, or `library_path`. Raises `CannotRun` if there is no such file, or if the package has no such
    function.
    """
    if Path(plugin).is_file():
        return Path(plugin), Path(plugin).stem
    try:
        package = import_module(plugin.replace("-", "_"))
        path = package.library_path() if hasattr(package, "library_path") else package.get_library_path()
    except (ImportError, AttributeError) as error:
        raise CannotRun(f"{plugin} is no file and no installed package of a plug-in: {error}") from error
    name = package.get_ep_name() if hasattr(package, "get_ep_name") else getattr(package, "EP_NAME", plugin)
    return Path(path), name


def entry_of(key: str) -> str:
    """Return the entry of a session's configuration that a key means; its "session." may be left out.

    ONNX Runtime ignores entries that it does not know, so a typing error would show nowhere. An entry that it reads is
    in its library as a string with a dot, so another one is refused, except that of a provider, "ep.". Raises
    `CannotRun`.
    """
    if key.startswith("ep."):
        return key
    library = Path(onnxruntime.capi.onnxruntime_pybind11_state.__file__)
    with library.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        for name, string in ((f"session.{key}", f"session.{key}\0"), (key, f"\0{key}\0")):
            if "." in name and content.find(string.encode()) != -1:
                return name
    raise CannotRun(f"ONNX Runtime {onnxruntime.__version__} has no entry {key!r} of a session's configuration")


def fell_back(nodes: Iterable[tuple[str, str]]) -> str:
    """Return how many nodes ran in each execution provider, in words.

    nodes: operator and provider of each.

    >>> fell_back([("Add", CPU), ("MatMul", "DnnlExecutionProvider"), ("Mul", CPU)])
    '1 DnnlExecutionProvider, 2 CPUExecutionProvider'
    """
    counts = Counter(provider for _, provider in nodes)
    return ", ".join(f"{count} {name}" for name, count in sorted(counts.items(), key=lambda each: each[0] == CPU))
