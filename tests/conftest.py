"""Fixtures: tiny models with weights that hide nothing, exported once a session into a cache of the session's own."""

import os
from pathlib import Path

import hypothesis
import pytest

from tests.tiny import tiny_model

hypothesis.settings.register_profile("here", deadline=None)  # no test asserts a time
hypothesis.settings.load_profile("here")

SKIPS = Path(__file__).with_name("expected_skips.txt")


@pytest.fixture(scope="session", autouse=True)
def cache_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The session's own cache: no test sees, or touches, what is in the checkout's."""
    folder = tmp_path_factory.mktemp("cache")
    os.environ["ONNX_ATTENTION_COMPARE_CACHE"] = str(folder)
    return folder


@pytest.fixture(scope="session")
def tiny():
    """A function that makes a tiny model: `tiny("gpt2")`, "llama" or "qwen3", random weights by seed."""
    return tiny_model


@pytest.fixture(scope="session")
def tiny_folder(tiny, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny GPT-2 as a folder without a tokenizer."""
    folder = tmp_path_factory.mktemp("models") / "tiny"
    tiny().save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def entry(tiny_folder: Path, cache_dir: Path):
    """The tiny GPT-2, exported."""
    from export.exporting import exported

    return exported(str(tiny_folder))


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
