"""Archives of arrays (.npz) that may be damaged: all their checksums are compared before an array is read."""

import zipfile
import zlib
from pathlib import Path

#: What the standard library raises for archives that are damaged in their directory, headers or content.
_DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError, OverflowError)


def check_archive(path: Path) -> None:
    """Raise `ValueError`, which says why, if an archive is damaged; and `OSError` if it cannot be read."""
    try:
        with zipfile.ZipFile(path) as archive:
            wrong = archive.testzip()
    except _DAMAGE as error:
        raise ValueError(str(error) or type(error).__name__) from error
    if wrong is not None:
        raise ValueError(f"{wrong} does not have its checksum")
