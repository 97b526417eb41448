"""The two ends of a live run: a terminal with a person at it, or pipes of a script.

At a terminal, keys go to the board one by one and the last row shows its state; through pipes,
bytes pass as they are. Not modelled: raw keys where there is no termios (Windows): input then
comes line by line.
"""

from __future__ import annotations

import contextlib
import os
import queue
import shutil
import sys
import textwrap
import threading
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

CHUNK = 4096
_DIM, _YELLOW, _RED, _PLAIN = "\x1b[2m", "\x1b[33m", "\x1b[31m", "\x1b[0m"
_COLOURS = {"note": _DIM, "warning": _YELLOW, "error": _RED}


class Typed:
    """What comes in on stdin, read by a thread: reading never holds the board up."""

    def __init__(self) -> None:
        self._closed = False
        self._came: queue.Queue[bytes] = queue.Queue(maxsize=16)
        threading.Thread(target=self._read, daemon=True).start()

    def take(self, wait_s: float = 0.0) -> bytes:
        """All that has come; waits for the first of it at most ``wait_s``."""
        taken = b""
        with contextlib.suppress(queue.Empty):
            taken = self._came.get(timeout=wait_s) if wait_s > 0 else self._came.get_nowait()
            while taken and len(taken) < CHUNK:
                taken += self._came.get_nowait()
        return taken

    @property
    def ended(self) -> bool:
        """Whether nothing more will come."""
        return self._closed and self._came.empty()

    def _read(self) -> None:
        while True:
            try:
                data = os.read(sys.stdin.fileno(), CHUNK)
            except (OSError, ValueError, AttributeError):  # closed, or never there
                data = b""
            if not data:
                self._closed = True
                return
            self._came.put(data)


class Terminal(Protocol):
    """Where a live run shows what the board does."""

    def serial(self, data: bytes) -> None:
        """Bytes that the board sent."""

    def note(self, text: str, severity: str = "note") -> None:
        """Something that a person should know, apart from what the board sends."""

    def status(self, text: str) -> None:
        """The state of the board, in one line."""


class Pipes:
    """Serial bytes on stdout, notes on stderr; no status."""

    def serial(self, data: bytes) -> None:
        """Pass the bytes on, unchanged."""
        _write(data)

    def note(self, text: str, severity: str = "note") -> None:
        """One line on stderr."""
        prefix = "" if severity == "note" else f"{severity}: "
        print(f"fwgen: {prefix}{text}", file=sys.stderr, flush=True)  # noqa: T201

    def status(self, text: str) -> None:
        """Nobody looks."""


class Tty:
    """A screen: serial bytes scroll above, the last row shows the board's state."""

    def __init__(self) -> None:
        self._rows = 0
        self._shown = ""
        self._at_start = True  # of a line
        self._colours = not os.environ.get("NO_COLOR")

    def serial(self, data: bytes) -> None:
        """Show the bytes; escape sequences work as in any terminal."""
        _write(data)
        self._at_start = data.endswith((b"\n", b"\r"))

    def note(self, text: str, severity: str = "note") -> None:
        """Lines of their own, dim or coloured by severity."""
        start = "" if self._at_start else "\n"
        room = max(20, shutil.get_terminal_size().columns - 1)
        lines = "\n".join(
            # What has columns of its own is left alone.
            f" {line}"
            if "   " in line
            else textwrap.fill(f" {line}", room, subsequent_indent="   ")
            for line in text.splitlines()
        )
        colour = _COLOURS.get(severity, "") if self._colours else ""
        _write(f"{start}{colour}{lines}{_PLAIN if colour else ''}\n".encode(_encoding(), "replace"))
        self._at_start = True

    def status(self, text: str) -> None:
        """Show the state in the last row; what was there is drawn over only when it differs."""
        size = shutil.get_terminal_size()
        if size.lines != self._rows:
            self._reserve(size.lines)
            self._shown = ""
        text = f" {text}"[: size.columns - 1]
        if text == self._shown:
            return
        self._shown = text
        shown = f"\x1b7\x1b[{self._rows};1H\x1b[7m{text:<{size.columns - 1}}\x1b[0m\x1b[K\x1b8"
        _write(shown.encode(_encoding(), "replace"))

    def close(self) -> None:
        """Give the last row back."""
        if self._rows:
            end = "" if self._at_start else "\n"
            _write(f"{end}\x1b7\x1b[r\x1b[{self._rows};1H\x1b[2K\x1b8".encode())
            self._rows = 0

    def _reserve(self, rows: int) -> None:
        """Scroll all rows but the last; the cursor stays where its text is."""
        _write(f"\n\x1b[A\x1b7\x1b[1;{rows - 1}r\x1b8".encode())
        self._rows = rows


class Keys:
    """Raw keys from a terminal while entered; the terminal is as before when left."""

    def __init__(self) -> None:
        self._before: list[object] | None = None

    def __enter__(self) -> bool:
        """Whether keys come one by one."""
        try:
            import termios
        except ImportError:
            return False
        fd = sys.stdin.fileno()
        before = termios.tcgetattr(fd)
        raw = termios.tcgetattr(fd)
        raw[0] &= ~(termios.ICRNL | termios.IXON)
        # Output is processed as before: a bare newline of the firmware starts a new line.
        raw[3] &= ~(termios.ICANON | termios.ECHO | termios.ISIG | termios.IEXTEN)
        self._before = list(before)
        termios.tcsetattr(fd, termios.TCSADRAIN, raw)
        return True

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._before is not None:
            import termios

            termios.tcsetattr(sys.stdin.fileno(), termios.TCSADRAIN, self._before)  # type: ignore[arg-type]
            self._before = None


@contextlib.contextmanager
def opened() -> Iterator[Terminal]:
    """The terminal of a live run, by what stdout is."""
    if not sys.stdout.isatty():
        yield Pipes()
        return
    tty = Tty()
    try:
        yield tty
    finally:
        tty.close()


def _write(data: bytes) -> None:
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def _encoding() -> str:
    return sys.stdout.encoding or "utf-8"
