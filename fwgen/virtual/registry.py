"""Which virtual boards run on this computer: a small file each, for programs outside.

The files are in the user's runtime directory; one whose process is gone is swept away.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

PLACE = "FWGEN_RUNTIME_DIR"  # in the environment: where the files are, instead


@dataclass(frozen=True, slots=True)
class Running:
    """A virtual board that runs: how to name it, and where its probe and its port are.

    ``board`` is the name or the file that ``load_board`` takes, ``port`` of the probe's server on
    this computer, ``serial`` what a terminal program opens ("" for nothing).
    """

    uid: str
    board: str
    title: str
    port: int
    pid: int
    serial: str = ""


def folder() -> Path:
    """Where the files are."""
    if place := os.environ.get(PLACE):
        return Path(place) / "boards"
    if place := os.environ.get("XDG_RUNTIME_DIR"):
        return Path(place) / "fwgen" / "boards"
    who = os.getuid() if hasattr(os, "getuid") else os.environ.get("USERNAME", "")
    return Path(tempfile.gettempdir()) / f"fwgen-{who}" / "boards"


@contextmanager
def announced(board: Running) -> Iterator[None]:
    """While entered, ``running`` lists the board."""
    path = folder() / f"{board.uid}.json"
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    new = path.with_suffix(f".{os.getpid()}")
    new.write_text(json.dumps(asdict(board)), encoding="utf-8")
    new.replace(path)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def running() -> list[Running]:
    """All boards that run, by uid."""
    found = []
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        for path in sorted(folder().glob("*.json")):
            with contextlib.suppress(OSError, ValueError, TypeError):
                board = Running(**json.loads(path.read_text(encoding="utf-8")))
                if _lives(board.pid):
                    found.append(board)
                else:
                    path.unlink(missing_ok=True)
    return found


def _lives(pid: int) -> bool:
    """Whether a process is there."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:  # it is somebody else's, or this system cannot tell
        return True
    return True
