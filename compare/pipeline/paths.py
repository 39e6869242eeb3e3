"""Paths that settings give: what can be one, and whether a folder can be written to."""

import os
import stat
import tempfile
from pathlib import Path

from export.cache import ENVIRONMENT_VARIABLE, cache_root
from export.errors import BadInput, BadSetting, quoted
from export.outside import reason

#: The most characters of a path (PATH_MAX of Linux).
LONGEST_PATH = 4096


def path_of(setting: str, value: object) -> Path:
    """Return the path that a setting gives, with ~ expanded. Raises `BadInput` if no file can have it.

    >>> str(path_of("out", "reports/./first"))
    'reports/first'
    """
    text = os.fspath(value) if isinstance(value, str | os.PathLike) else value
    if not isinstance(text, str):
        raise BadSetting(f"{{{setting}}} is {{value}}; it must be a path", value=quoted(value))
    if not text:
        raise BadSetting(f"{{{setting}}} is empty; name a path, or leave it out")
    if why := why_no_name(text, LONGEST_PATH):
        raise BadSetting(f"{{{setting}}} is {{value}}, which is no path: {{why}}", value=quoted(text), why=why)
    try:
        return Path(text).expanduser()
    except RuntimeError as error:  # there is no such user, or no home
        words = f"{{{setting}}} is {{value}}, and that home folder is not known; write the path without ~"
        raise BadSetting(words, value=quoted(text)) from error


def why_no_name(text: str, most: int) -> str:
    """Return why a text cannot be a name or a path of at most that many characters; empty if it can.

    >>> why_no_name("model", 100), why_no_name("\\udcff", 100), why_no_name("a" * 101, 100)
    ('', 'it is not UTF-8', 'it has 101 characters, and at most 100 are allowed')
    """
    if len(text) > most:
        return f"it has {len(text):,} characters, and at most {most:,} are allowed"
    if any(ord(character) < 32 or 127 <= ord(character) < 160 for character in text):
        return "it has a control character"
    try:
        text.encode()
    except UnicodeEncodeError:
        return "it is not UTF-8"
    return ""


def check_folder(folder: Path) -> None:
    """Raise `BadInput` if the folder of a report could not be written to. Does not make the folder."""
    try:
        with tempfile.TemporaryFile(dir=nearest(folder)):
            pass
    except (OSError, ValueError) as error:
        raise unwritable(folder, error) from error


def make_folder(folder: Path) -> None:
    """Make the folder of a report, or of all reports. Raises `BadInput` if it cannot be made or written to."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:
        raise unwritable(folder, error) from error
    check_folder(folder)


def check_cache(cache_dir: Path | None) -> None:
    """Raise `BadInput` if there can be no cache in its folder, which need not exist or be writable.

    cache_dir: the folder that was given; None means the default one.
    """
    named = ENVIRONMENT_VARIABLE if cache_dir is None else "{cache_dir}"
    try:
        nearest(cache_root(cache_dir))
    except (OSError, ValueError, RuntimeError) as error:
        why = reason(error) if isinstance(error, OSError | ValueError) else "the home folder is not known"
        words = f"the cache cannot be in {{folder}}: {{why}}; set {named} to another folder"
        raise BadSetting(
            words, folder=cache_dir or os.environ.get(ENVIRONMENT_VARIABLE, "its default folder"), why=why
        ) from error


def nearest(folder: Path) -> Path:
    """Return a folder, or the nearest of its parents that exists. Raises `OSError` if that is not a folder."""
    for there in (folder, *folder.parents):
        try:
            kind = there.lstat().st_mode
        except FileNotFoundError:
            continue
        if not stat.S_ISDIR(there.stat().st_mode if stat.S_ISLNK(kind) else kind):
            raise NotADirectoryError(0, "it is not a folder" if there == folder else f"{there} is not a folder")
        return there
    return Path()


def unwritable(folder: Path, error: OSError | ValueError) -> BadInput:
    """Return the error of a folder that cannot be written to."""
    why = reason(error)
    words = "the folder {folder} cannot be written to: {why}; set {out} to another folder"
    return BadSetting(words, folder=folder, why=why)
