"""Where the rig keeps what must outlive a run: backups, records, locks."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from threading import get_ident

HERE = "FWGEN_DATA"


def data_folder() -> Path:
    """Our folder in the user's data; FWGEN_DATA names another. It need not exist yet.

    Source: XDG Base Directory Specification; the like of it on macOS and Windows.
    """
    named = os.environ.get(HERE)
    if named:
        return Path(named)
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "fwgen"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "fwgen"
    xdg = os.environ.get("XDG_DATA_HOME", "")
    return (Path(xdg) if Path(xdg).is_absolute() else Path.home() / ".local" / "share") / "fwgen"


def as_name(text: str) -> str:
    """A text as the name of a file."""
    return re.sub(r"[^A-Za-z0-9_.-]", "_", text).strip(".") or "_"


def write_whole(path: Path, data: bytes) -> None:
    """Write a file so that it is there in full or not at all, also after the power fails.

    Raises OSError.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}.{get_ident()}.tmp")
    try:
        with beside.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
    if sys.platform != "win32":  # the name, too, must have reached the disk
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
