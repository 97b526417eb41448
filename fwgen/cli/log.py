"""A file that grows while a session lasts: what was shown is in it at once."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from fwgen.errors import OutputError

if TYPE_CHECKING:
    from pathlib import Path


class Log:
    """Adds to a file, each time in one piece and without waiting for more.

    Raises OutputError when the file cannot be opened or written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
        except OSError as error:
            raise self._error(error) from error

    def add(self, data: bytes) -> None:
        """Add bytes; what is taken only in part is gone on with until all is there."""
        while data:
            try:
                data = data[os.write(self._fd, data) :]
            except OSError as error:
                raise self._error(error) from error

    def close(self) -> None:
        """See that it is on the disk."""
        with contextlib.suppress(OSError):  # a pipe or a terminal has none
            os.fsync(self._fd)
        os.close(self._fd)

    def _error(self, error: OSError) -> OutputError:
        return OutputError(f"cannot write the log: {error.strerror}", where=str(self._path))
