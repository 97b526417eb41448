"""One probe, one user at a time: a lock that ends with the process that holds it."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import IO, TYPE_CHECKING

from fwgen.errors import OutputError, RigError
from fwgen.rig.places import as_name, data_folder

if TYPE_CHECKING:
    from collections.abc import Iterator


class ProbeInUseError(RigError):
    """Another process, or another part of this one, has the probe."""


@contextlib.contextmanager
def locked(uid: str) -> Iterator[None]:
    """Hold the probe for ourselves.

    Raises ProbeInUseError that names the process which holds it, OutputError when the lock's file
    cannot be written.
    """
    path = data_folder() / "locks" / f"{as_name(uid)}.lock"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("a+b")
    except OSError as error:
        raise OutputError(
            f"the lock of the probe cannot be written: {error.strerror}", where=str(path)
        ) from None
    with file:
        if not _take(file):
            raise ProbeInUseError(
                f"the probe {uid} is in use by another fwgen{holder(uid)}",
                hint="wait until it is done, or name another probe with --probe",
            )
        try:
            file.truncate(0)
            file.write(str(os.getpid()).encode())
            file.flush()
            yield
        finally:
            with contextlib.suppress(OSError):
                file.truncate(0)
            _release(file)


def holder(uid: str) -> str:
    """Who holds the probe, as " (process 123)"; "" when it is not known."""
    path = data_folder() / "locks" / f"{as_name(uid)}.lock"
    with contextlib.suppress(OSError):
        said = path.read_text(encoding="ascii", errors="replace").strip()
        if said.isdigit():
            return " (this one)" if int(said) == os.getpid() else f" (process {said})"
    return ""


def is_held(uid: str) -> str:
    """Who holds the probe now, as " (process 123)" or " by another fwgen"; "" when it is free."""
    path = data_folder() / "locks" / f"{as_name(uid)}.lock"
    try:
        with path.open("r+b") as file:
            if _take(file):
                _release(file)
                return ""
    except OSError:
        return ""
    return holder(uid) or " by another fwgen"


if sys.platform == "win32":
    import msvcrt

    _FAR = 1 << 30  # what is locked is out of the way of what is written

    def _take(file: IO[bytes]) -> bool:
        file.seek(_FAR)
        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

    def _release(file: IO[bytes]) -> None:
        file.seek(_FAR)
        msvcrt.locking(file.fileno(), msvcrt.LK_UNLCK, 1)
else:
    import fcntl

    def _take(file: IO[bytes]) -> bool:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True

    def _release(file: IO[bytes]) -> None:
        fcntl.flock(file, fcntl.LOCK_UN)
