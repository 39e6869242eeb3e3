"""Test that an exporter that cannot be used is refused before any work."""

import subprocess
import sys
from pathlib import Path

import pytest

from export import exporters
from export.errors import BadInput, CannotRun
from export.exporting import exported


@pytest.fixture
def without_optimum(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide the package optimum-onnx."""
    real = exporters.metadata.distributions
    monkeypatch.setattr(
        exporters.metadata, "distributions", lambda name: [] if name == "optimum-onnx" else real(name=name)
    )


def test_without_its_package_an_exporter_is_refused_with_what_installs_it(
    without_optimum: None, tiny_folder: Path, tmp_path: Path
) -> None:
    with pytest.raises(CannotRun) as error:
        exported(str(tiny_folder), exporter="optimum", cache_dir=tmp_path / "cache")
    assert str(error.value) == (
        "the exporter optimum needs optimum-onnx (not installed); "
        "install with: pip install 'onnx-attention-compare[optimum]'"
    )
    assert not (tmp_path / "cache").exists()
    exporters.check_exporter("dynamo")


def test_an_unknown_exporter_has_near_matches() -> None:
    with pytest.raises(BadInput, match=r"^unknown exporter 'optimun'; did you mean optimum\?$"):
        exporters.check_exporter("optimun")


def test_the_check_imports_no_exporter() -> None:
    code = (
        "import sys\nfrom export.exporters import check_exporter\ntry: check_exporter('optimum')\n"
        "except Exception as error: assert 'not installed' in str(error)\nprint(*sys.modules)"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "export.exporters" in loaded
    assert not {"torch", "transformers", "optimum"} & set(loaded)
