"""The console as a pseudo-terminal, which any terminal program can open.

The board must follow the wall clock. Rate and stop bits are what the program sets; before that
they are the console's, and input and output pass as they are.

A pseudo-terminal has no parity and no other than eight data bits (the system forces 8N): these are
the board's console's (``Console.frame``), which stops bits also are at least. Not modelled for the
same reason: control lines, break.
"""

from __future__ import annotations

import contextlib
import os
import select
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from fwgen.board.frame import PLAIN
from fwgen.errors import BenchError, OutputError
from fwgen.virtual.serial.wake import Bell
from fwgen.virtual.serial.wire import Framing

if TYPE_CHECKING:
    from fwgen.virtual.serial.port import VirtualPort

LOOK_MS = 10  # how often the settings are looked at: nothing tells that they changed
LINGER_S = 0.25  # how long the end waits for what was sent to be read
CHUNK = 4096
AHEAD = 1 << 16  # bytes that may wait to be sent; who writes more has to wait
_TCGETS2, _TERMIOS2_SIZE, _OSPEED = 0x802C542A, 44, 40  # Linux: asm-generic/ioctls.h, termbits.h


class Pty:
    """Serves a port as a pseudo-terminal while entered; ``path`` is what to open.

    With ``link``, that path is a symbolic link to it, for a name that stays. Raises BenchError
    where the system has no pseudo-terminals, OutputError when the link cannot be made.
    """

    def __init__(self, port: VirtualPort, *, link: Path | None = None) -> None:
        self.port, self.link = port, link
        self.path = ""
        self._bell = Bell()
        self._over = False
        self._thread: threading.Thread | None = None
        self._master = -1
        self._open = False
        console = port.board.board.console
        self._frame = console.frame if console is not None else PLAIN

    def __enter__(self) -> Pty:
        if os.name != "posix":
            self._bell.close()
            raise BenchError(
                "this system has no pseudo-terminals",
                hint="use rfc2217 for the virtual board's serial port",
            )
        self._master, slave = os.openpty()
        self.path = os.ttyname(slave)
        self._prepare()
        os.close(slave)
        os.set_blocking(self._master, False)
        try:
            self._make_link()
        except OutputError:
            os.close(self._master)
            self._bell.close()
            raise
        self._thread = threading.Thread(target=self._serve, name=f"pty of {self.port.board.uid}")
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over = True
        self._bell.ring()
        if self._thread is not None:
            self._thread.join()
        os.close(self._master)
        self._bell.close()
        if self.link is not None and self._is_ours(self.link):
            self.link.unlink()

    def _make_link(self) -> None:
        if self.link is None:
            return
        try:
            if self.link.is_symlink() and not self.link.exists():  # of one that is gone
                self.link.unlink()
            self.link.symlink_to(self.path)
        except OSError as error:
            raise OutputError(
                f"cannot make a link to the virtual port: {error.strerror}",
                where=str(self.link),
                hint="name another, or remove it if nothing uses it",
            ) from error

    def _is_ours(self, link: Path) -> bool:
        with contextlib.suppress(OSError):
            return str(link.readlink()) == self.path
        return False

    # ------------------------------------------------------------------ the thread

    def _serve(self) -> None:
        poll = select.poll()
        poll.register(self._bell, select.POLLIN)
        with self.port.notify(self._bell.ring):
            while not self._over:
                self._look()
                if self._open and self.port.present:
                    poll.register(self._master, self._wants())
                ready = dict(poll.poll(LOOK_MS))
                with contextlib.suppress(KeyError):
                    poll.unregister(self._master)
                if self._bell.fileno() in ready:
                    self._bell.quiet()
                self._pass_on(ready.get(self._master, 0))
        if self._open:
            self._finish()
            self.port.release()

    def _finish(self) -> None:
        """What came before the end reaches the program, if it reads."""
        self.port.finish()
        until = time.monotonic() + LINGER_S
        slave = os.open(self.path, os.O_RDWR | os.O_NOCTTY)
        try:
            while time.monotonic() < until and (self.port.waiting or _unread(slave)):
                self._pass_on(select.POLLOUT)
                time.sleep(LINGER_S / 50)
        finally:
            os.close(slave)

    def _wants(self) -> int:
        room = select.POLLIN if self.port.unsent < AHEAD else 0
        return room | (select.POLLOUT if self.port.waiting else 0)

    def _look(self) -> None:
        """Whether a program has it open now, and what it has set."""
        poll = select.poll()
        poll.register(self._master, select.POLLIN)
        events = dict(poll.poll(0)).get(self._master, 0)
        is_open = not events & select.POLLHUP
        if is_open and not self._open:
            try:
                self.port.acquire()
            except BlockingIOError:
                is_open = False  # held exclusively elsewhere: this end stays silent
        elif self._open and not is_open:
            self._pass_on(select.POLLIN)  # what was written last
            self.port.release()
        self._open = is_open
        if is_open:
            baud, stop_halves = _settings(self._master)
            # Data bits and parity that a pseudo-terminal cannot carry are the console's own.
            frame = self._frame
            frame = replace(frame, stop_halves=max(stop_halves, frame.stop_halves))
            wanted = Framing.of(baud or self.port.framing.baud, frame)
            if wanted != self.port.framing:
                self.port.set_framing(wanted)

    def _pass_on(self, events: int) -> None:
        if not self._open:
            return
        if events & select.POLLIN:
            with contextlib.suppress(OSError):  # nobody has it open any more
                self.port.write(os.read(self._master, CHUNK))
        if events & select.POLLOUT:
            data = self.port.peek(CHUNK)
            sent = 0
            with contextlib.suppress(OSError):
                sent = os.write(self._master, data) if data else 0
            self.port.take(sent)

    def _prepare(self) -> None:
        """Pass everything as it is, at the console's rate, until a program sets otherwise."""
        import termios
        import tty

        tty.setraw(self._master)
        rate = getattr(termios, f"B{self.port.framing.baud}", None)
        if rate is not None:
            attributes = termios.tcgetattr(self._master)
            attributes[4] = attributes[5] = rate
            termios.tcsetattr(self._master, termios.TCSANOW, attributes)


def _unread(slave: int) -> int:
    """Bytes that the program has not read yet."""
    import fcntl
    import termios

    return int.from_bytes(fcntl.ioctl(slave, termios.FIONREAD, bytes(4)), sys.byteorder)


def _settings(fd: int) -> tuple[int, int]:
    """The rate in baud, 0 when it is not known, and the half stop bits of a terminal."""
    import fcntl
    import termios

    attributes = termios.tcgetattr(fd)
    stop_halves = 4 if attributes[2] & termios.CSTOPB else 2
    if sys.platform == "linux":  # any rate, also one that has no name
        raw = fcntl.ioctl(fd, _TCGETS2, bytes(_TERMIOS2_SIZE))
        return int.from_bytes(raw[_OSPEED:], sys.byteorder), stop_halves
    names = {getattr(termios, name): name for name in dir(termios) if name[1:].isdecimal()}
    name = names.get(attributes[5], "B0")
    return int(name[1:]), stop_halves
