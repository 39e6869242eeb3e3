"""Fixtures: tiny models with weights that hide nothing, exported once a session into a cache of the session's own."""

import os
from pathlib import Path

import hypothesis
import pytest

from export.telemetry import turn_off
from tests.helpers.tiny import tiny_model

turn_off()

hypothesis.settings.register_profile("here", deadline=None)  # no test asserts a time
hypothesis.settings.load_profile("here")

#: A project of somebody else's, for tests that run pytest and our commands in it.
collect_ignore = ["stranger"]

SKIPS = Path(__file__).with_name("expected_skips.txt")


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of the session's own, the same one in all of pytest's processes."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


@pytest.fixture(scope="session", autouse=True)
def cache_dir(shared_folder: Path) -> Path:
    """The session's own cache: no test sees, or touches, what is in the checkout's.

    As any cache it may be used by several processes at once, and what one of them exports is there for all.
    """
    folder = shared_folder / "cache"
    os.environ["ONNX_ATTENTION_COMPARE_CACHE"] = str(folder)
    return folder


@pytest.fixture(scope="session", autouse=True)
def warm() -> None:
    """What a test computes with torch in this process is no first call, which can be wrong (`first_calls`)."""
    from compare.numerics.first_calls import warm_up

    warm_up()


@pytest.fixture(scope="session")
def tiny():
    """A function that makes a tiny model: `tiny("gpt2")`, "llama" or "qwen3", random weights by seed."""
    return tiny_model


@pytest.fixture(scope="session")
def tiny_saved(tiny, shared_folder: Path):
    """A function that gives a tiny model of a type as a folder without a tokenizer, the same one in all processes."""
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
    """A tiny GPT-2 as a folder without a tokenizer."""
    return tiny_saved("gpt2")


@pytest.fixture(scope="session")
def tiny_export(tiny_saved, cache_dir: Path):
    """A function that gives the cache entry of a tiny model of a type, by an exporter; exported once a session."""
    from export.exporting import exported

    def export(model_type: str = "gpt2", exporter: str = "dynamo"):
        return exported(str(tiny_saved(model_type)), exporter=exporter)

    return export


@pytest.fixture(scope="session")
def entry(tiny_export):
    """The tiny GPT-2, exported."""
    return tiny_export()


@pytest.fixture
def ids_and_mask():
    """Ids and mask (2, 12) as int64 arrays; the second sequence ends in three positions of padding."""
    import numpy as np

    ids = np.random.default_rng(0).integers(0, 256, (2, 12))
    mask = np.ones_like(ids)
    mask[1, 9:] = 0
    return ids, mask


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes longest begins first, so that of two workers none is left with it at the end."""
    items.sort(key=lambda item: "slow" not in item.keywords)


_skipped: list[str] = []


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.skipped:
        _skipped.append(report.nodeid)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Under EXPECT_ALL=1 a skip that is not expected fails the run: what silently stops running proves nothing."""
    if os.environ.get("EXPECT_ALL") != "1":
        return
    expected = {line.split("#")[0].strip() for line in SKIPS.read_text().splitlines()}
    unexpected = [nodeid for nodeid in _skipped if nodeid not in expected]
    if unexpected:
        print(f"\nskipped, and not in {SKIPS.name}: {', '.join(unexpected)}")
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
