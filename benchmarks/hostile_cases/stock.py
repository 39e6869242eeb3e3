"""What cases need in their cache and what takes long to make: the entry of the shipped model, and a golden run."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from benchmarks.hostile_cases.common import COMPARED

#: Name in `Case.needs` -> the folder of the cache that it stands for.
_PARTS = {"byte-gpt2": "models", "golden": "golden"}


@dataclass(frozen=True)
class Stock:
    """A folder in which these things are made once."""

    folder: Path

    @property
    def _cache(self) -> Path:
        return self.folder / "stock"

    def make(self) -> None:
        """Make them, unless they are there."""
        if not self._cache.is_dir():
            environment = {**os.environ, "ONNX_ATTENTION_COMPARE_CACHE": str(self._cache)}
            command = [sys.executable, "-m", *COMPARED]  # what it leaves in its cache is what cases need
            subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)

    def give(self, name: str, cache: Path) -> None:
        """Copy what a name of `Case.needs` stands for into the cache of a case."""
        shutil.copytree(self._cache / _PARTS[name], cache / _PARTS[name], dirs_exist_ok=True)
