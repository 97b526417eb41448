"""pyserial's ``fwgen://<uid>``: the console of a virtual board that is plugged in this process.

Time is the board's. On a board that only moves when it is told to, a read with a timeout lets
the board run for as long as it waits; on one that follows the wall clock, it waits.

Not modelled: flow control (``rtscts``, ``dsrdtr`` and ``xonxoff`` are accepted and do nothing,
as on a probe whose handshake lines are not wired); ``inter_byte_timeout`` and ``write_timeout``.
"""

from __future__ import annotations

import errno
import time
from fractions import Fraction
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from serial.serialutil import PortNotOpenError, SerialBase, SerialException

from fwgen.units import PS_PER_S
from fwgen.virtual.serial import find_port
from fwgen.virtual.serial.port import Lines
from fwgen.virtual.serial.wire import Framing

if TYPE_CHECKING:
    from collections.abc import Callable

    from fwgen.virtual.serial.port import SerialBoard, VirtualPort


class Serial(SerialBase):  # type: ignore[misc]
    """A pyserial port on a virtual board's console. Raises what pyserial's own ports raise."""

    is_open: bool

    def __init__(self, *args: Any, attached: VirtualPort | None = None, **options: Any) -> None:
        self._held: VirtualPort | None = None
        self._attached = attached  # opened whatever the URL says
        self._cancelled = False
        super().__init__(*args, **options)

    # ------------------------------------------------------------------ open and close

    def open(self) -> None:
        """Open the port. Raises SerialException when there is none, or it is held elsewhere."""
        if self._port is None:
            raise SerialException("Port must be configured before it can be used.")
        if self.is_open:
            raise SerialException("Port is already open.")
        port = self._attached or self._find(self._port)
        framing = self._framing()
        try:
            port.acquire(exclusive=bool(self._exclusive))
        except BlockingIOError as error:
            raise SerialException(
                errno.EBUSY, f"Could not exclusively lock port {self._port}: {error}"
            ) from None
        self._held = port
        self.is_open = True
        port.set_framing(framing)
        self._update_rts_state()
        port.discard_input()

    def close(self) -> None:
        """Close the port; closing a closed one does nothing."""
        if self._held is not None:
            held, self._held = self._held, None
            self.is_open = False
            held.release()
            held.wake()

    @staticmethod
    def _find(url: str) -> VirtualPort:
        parts = urlsplit(url)
        uid = parts.netloc
        if parts.scheme != "fwgen" or not uid or parts.path.strip("/") or parts.query:
            raise SerialException(f'expected a string in the form "fwgen://<uid>", not {url!r}')
        port = find_port(uid)
        if port is None:
            raise SerialException(
                errno.ENOENT, f"could not open port {url}: no such virtual board is plugged here"
            )
        return port

    # ------------------------------------------------------------------ data

    @property
    def in_waiting(self) -> int:
        """Bytes that can be read without waiting."""
        return self._there().waiting

    @property
    def out_waiting(self) -> int:
        """Bytes written that have not begun to leave."""
        return self._there().unsent

    def read(self, size: int = 1) -> bytes:
        """Read ``size`` bytes, or what came before the timeout."""
        port = self._there()
        data = bytearray(port.take(size))
        patience = _Patience(port.board, self._timeout)
        self._cancelled = False
        while len(data) < size and not self._cancelled and not patience.ended:
            patience.wait(port, lambda: self._cancelled or self._held is None)
            if self._held is None:  # closed meanwhile
                break
            data += self._there().take(size - len(data))
        return bytes(data)

    def cancel_read(self) -> None:
        """Let a read in another thread return with what it has."""
        self._cancelled = True
        if self._held is not None:
            self._held.wake()

    def cancel_write(self) -> None:
        """Does nothing: a write never waits."""

    def write(self, data: Any) -> int:
        """Queue bytes for the board; they leave at the port's rate as time passes."""
        raw = bytes(data)
        self._there().write(raw)
        return len(raw)

    def flush(self) -> None:
        """Wait until everything has left."""
        port = self._there()
        patience = _Patience(port.board, None)
        while port.unsent and self._held is not None and port.present:
            patience.nap(port.framing.frame_ps * port.unsent)
        patience.nap(port.framing.frame_ps)  # the last byte

    def reset_input_buffer(self) -> None:
        """Forget what came."""
        self._there().discard_input()

    def reset_output_buffer(self) -> None:
        """Forget what has not begun to leave."""
        self._there().discard_output()

    def _there(self) -> VirtualPort:
        if self._held is None:
            raise PortNotOpenError
        if not self._held.present:
            raise SerialException(errno.EIO, f"read failed: {self._port} was unplugged")
        return self._held

    # ------------------------------------------------------------------ settings

    def _framing(self) -> Framing:
        if not 0 < self._baudrate < 1 << 32:
            raise ValueError(f"invalid baudrate: {self._baudrate!r}")
        return Framing(self._baudrate, self._bytesize, self._parity, int(self._stopbits * 2))

    def _reconfigure_port(self, force_update: bool = False) -> None:
        """Take over the settings that SerialBase holds."""
        framing = self._framing()
        if force_update or framing != self._there().framing:
            self._there().set_framing(framing)

    def _update_break_state(self) -> None:
        self._there().set_break(bool(self._break_state))

    def _update_rts_state(self) -> None:
        self._there().set_lines(Lines(rts=bool(self._rts_state), dtr=bool(self._dtr_state)))

    _update_dtr_state = _update_rts_state

    def send_break(self, duration: float = 0.25) -> None:
        """Hold the board's RX low for ``duration`` seconds of its time."""
        self.break_condition = True
        _Patience(self._there().board, None).nap(int(Fraction(duration) * PS_PER_S))
        self.break_condition = False

    @property
    def cts(self) -> bool:
        """True: a CDC-ACM device has no CTS line, and its driver says always on."""
        self._there()
        return True

    @property
    def dsr(self) -> bool:
        """False: not wired."""
        self._there()
        return False

    @property
    def ri(self) -> bool:
        """False: not wired."""
        self._there()
        return False

    @property
    def cd(self) -> bool:
        """False: not wired."""
        self._there()
        return False


class _Patience:
    """How long a call may wait: by the wall on a board that follows it, else by the board."""

    def __init__(self, board: SerialBoard, timeout_s: float | None) -> None:
        self._board = board
        self._until_ps: int | None = None
        self._until_s: float | None = None
        if timeout_s is not None:
            self._until_ps = board.now_ps + int(Fraction(timeout_s) * PS_PER_S)
            self._until_s = time.monotonic() + timeout_s

    @property
    def ended(self) -> bool:
        """Whether the time is over."""
        if self._board.free_running:
            return self._until_s is not None and time.monotonic() >= self._until_s
        return self._until_ps is not None and self._board.now_ps >= self._until_ps

    def wait(self, port: VirtualPort, ended: Callable[[], bool]) -> None:
        """Wait until something came, or ``ended()``.

        A board that must be told to move does so by one USB frame: nothing can come within.
        """
        board = self._board
        if board.free_running:
            left_s = None if self._until_s is None else self._until_s - time.monotonic()
            port.wait(left_s, ended)
            return
        step = port.next_frame_in()
        if self._until_ps is not None:
            step = min(step, self._until_ps - board.now_ps)
        board.sleep(step)

    def nap(self, ps: int) -> None:
        """Let some time pass, whatever comes."""
        if self._board.free_running:
            time.sleep(ps / PS_PER_S)
        else:
            self._board.sleep(ps)
