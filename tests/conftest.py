"""Fixtures for all tests: tiny models with seeded weights, exported once per session into the session's own cache."""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import hypothesis
import pytest

from compare.lazy import TORCH_LIBRARIES
from compare.processes.virtual_environment import ENVIRONMENTS
from export.cache import cache_root
from export.telemetry import turn_off
from tests.helpers.processes import kept_template
from tests.helpers.tiny import tiny_model

turn_off()

# One thread for each of pytest's workers, which take all cores. A process of a comparison has the threads that the
# comparison says; those that wait for work sleep, and do not take the cores from the other workers.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

# No test fails because it is slow. The examples are the same in each run, so that a change fails for what it changed;
# --hypothesis-profile=new draws others.
hypothesis.settings.register_profile("same", deadline=None, derandomize=True)
hypothesis.settings.register_profile("new", deadline=None)
hypothesis.settings.load_profile("same")

#: The folder of a sample project, in which tests run pytest and this project's commands.
collect_ignore = ["stranger"]

SKIPS = Path(__file__).with_name("expected_skips.txt")


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The session's folder, shared by all pytest-xdist workers."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


@pytest.fixture(scope="session", autouse=True)
def cache_dir(shared_folder: Path) -> Path:
    """The session's own cache, so that no test reads or changes the checkout's, except for its environments.

    All pytest-xdist workers share it, so each model is exported once.
    """
    folder = shared_folder / "cache"
    folder.mkdir(exist_ok=True)
    with suppress(FileExistsError):  # another worker has made it
        (folder / ENVIRONMENTS).symlink_to(cache_root() / ENVIRONMENTS)
    os.environ["ONNX_ATTENTION_COMPARE_CACHE"] = str(folder)
    return folder


@pytest.fixture(scope="session", autouse=True)
def site_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The session's own folder for packages, on the search path of this process and its children; empty at first.

    It is on the path before the template imports torch, so that processes which use a test's package can be forked.
    """
    folder = tmp_path_factory.mktemp("site")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        patch.setenv("PYTHONPATH", str(folder), prepend=os.pathsep)
        yield folder


@pytest.fixture(scope="session", autouse=True)
def torch_template(cache_dir: Path, site_folder: Path) -> Iterator[None]:
    """Keep a template of torch in the session, from which comparisons with one thread fork their processes."""
    with kept_template(TORCH_LIBRARIES, threads=1):
        yield


@pytest.fixture(scope="session", autouse=True)
def warm() -> None:
    """Warm torch up in this process, because a first call can give wrong results (`first_calls`)."""
    from compare.numerics.first_calls import warm_up

    warm_up()


@pytest.fixture(scope="session")
def tiny():
    """A function that makes a tiny model of a type, such as "gpt2", "llama" or "qwen3", with seeded weights."""
    return tiny_model


@pytest.fixture(scope="session")
def tiny_saved(tiny, shared_folder: Path):
    """A function that returns the folder of a saved tiny model, without a tokenizer; all workers share the folder."""
    from filelock import FileLock

    def save(model_type: str) -> Path:
        folder = shared_folder / "models" / ("tiny" if model_type == "gpt2" else f"tiny-{model_type}")
        with FileLock(shared_folder / "models.lock"):
            if not folder.is_dir():
                tiny(model_type).save_pretrained(folder)
        return folder

    return save


@pytest.fixture(scope="session")
def tiny_folder(tiny_saved) -> Path:
    """The folder of a saved tiny GPT-2, without a tokenizer."""
    return tiny_saved("gpt2")


@pytest.fixture(scope="session")
def tiny_export(tiny_saved, cache_dir: Path):
    """A function that returns the cache entry of a tiny model for a type and an exporter."""
    from export.exporting import exported

    def export(model_type: str = "gpt2", exporter: str = "dynamo"):
        return exported(str(tiny_saved(model_type)), exporter=exporter)

    return export


@pytest.fixture(scope="session")
def entry(tiny_export):
    """The cache entry of the tiny GPT-2."""
    return tiny_export()


@pytest.fixture
def ids_and_mask():
    """Ids and mask, int64 arrays (2, 12); the second sequence ends with three positions of padding."""
    import numpy as np

    ids = np.random.default_rng(0).integers(0, 256, (2, 12))
    mask = np.ones_like(ids)
    mask[1, 9:] = 0
    return ids, mask


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run slow tests first, so that no worker is left with one at the end."""
    items.sort(key=lambda item: "slow" not in item.keywords)


_skipped: list[str] = []


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.skipped:
        _skipped.append(report.nodeid)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail the run if EXPECT_ALL=1 and a test that is not listed in expected_skips.txt was skipped."""
    if os.environ.get("EXPECT_ALL") != "1":
        return
    expected = {line.split("#")[0].strip() for line in SKIPS.read_text().splitlines()}
    unexpected = [nodeid for nodeid in _skipped if nodeid not in expected]
    if unexpected:
        print(f"\nskipped, and not in {SKIPS.name}: {', '.join(unexpected)}")
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
