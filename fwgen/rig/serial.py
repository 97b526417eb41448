"""What a board says on its serial port, heard with honest times."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fwgen.rig.clock import WallClock
from fwgen.rig.ports import USB_PS, PortError, explain, port_errors, port_failures
from fwgen.trace import SerialByte
from fwgen.units import MHZ_PER_HZ, PS_PER_MS, PS_PER_S

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fwgen.rig.clock import Clock

SLICE_PS = 2 * PS_PER_MS  # how long one read waits: what comes within is not told apart in time
FASTER = (96, 100)  # a sender may be this much faster than the port and still be understood


@dataclass(frozen=True, slots=True)
class Heard:
    """A byte, and when its stop bit can have ended: between ``early_ps`` and ``late_ps``."""

    byte: int
    early_ps: int
    late_ps: int

    @property
    def t_ps(self) -> int:
        """The middle."""
        return (self.early_ps + self.late_ps) // 2

    @property
    def uncertainty_ps(self) -> int:
        """How far from the middle the truth may be."""
        return (self.late_ps - self.early_ps + 1) // 2


def stamped(said: bytes, line: Sequence[SerialByte]) -> Sequence[SerialByte] | None:
    """What came to a port since time 0, with the times that somebody has who saw the line.

    What was sent before 0 may have come late, and comes first. None when the two do not agree, or
    nobody saw the line: what came to the port counts.
    """
    if not line:
        return None
    before = bytes(one.byte for one in line if one.start_ps < 0)
    since = tuple(one for one in line if one.start_ps >= 0)
    sent = bytes(one.byte for one in since)
    for late in range(len(said) - len(sent) + 1):
        rest = said[late:]
        if before.endswith(said[:late]) and (rest.startswith(sent) if sent else not rest):
            return since
    return None


class Capture:
    """Listens to an open port from now until left, and knows when each byte came.

    By the wall clock a thread of its own listens. By a virtual board's clock nothing happens
    by itself: time passes in ``wait``, and ``poll`` takes what came while it passed elsewhere.

    A byte reaches us later than it was on the wire, by what the adapter and the system take
    (``latency_ps`` at most), and within one look we cannot tell earlier from later: ``Heard``
    has both ends. Bytes that come at once were on the wire one after another, at the port's rate.
    """

    def __init__(self, port: Any, clock: Clock, *, latency_ps: int = USB_PS) -> None:
        self.port, self.clock, self.latency_ps = port, clock, latency_ps
        halves = 2 * (1 + port.bytesize + (port.parity != "N")) + round(2 * port.stopbits)
        self.frame_ps = halves * PS_PER_S // (2 * port.baudrate)
        self._least_ps = self.frame_ps * FASTER[0] // FASTER[1]
        self._baud_mhz = port.baudrate * MHZ_PER_HZ
        self._heard: list[Heard] = []
        self._empty_ps = clock.now_ps  # when nothing was waiting, as far as we know
        self._trouble: PortError | None = None
        self._over = False
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Capture:
        if isinstance(self.clock, WallClock):
            self._thread = threading.Thread(target=self._listen, name=f"hears {self.port.name}")
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over = True
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    @property
    def heard(self) -> tuple[Heard, ...]:
        """All bytes so far; they stay when the port is lost."""
        return tuple(self._heard)

    def wait(self, ps: int) -> None:
        """Let time pass, listening. Raises PortLostError when the port goes away."""
        until = self.clock.now_ps + ps
        while (left := until - self.clock.now_ps) > 0:
            self._check()
            if self._thread is not None:
                self.clock.sleep(min(left, 10 * SLICE_PS))
            else:
                self._look(min(left, SLICE_PS))
        self._check()

    def poll(self) -> None:
        """Take what came. Raises PortLostError when the port went away."""
        if self._thread is None:
            self._look(0)
        self._check()

    def settle(self, quiet_ps: int, *, most_ps: int) -> bool:
        """Wait until nothing came for ``quiet_ps``; False when that takes more than ``most_ps``.

        With the board held in reset, what comes after is said by what runs then.
        """
        until = self.clock.now_ps + most_ps
        count, since = len(self._heard), self.clock.now_ps
        while (now := self.clock.now_ps) - since < quiet_ps:
            if now >= until:
                return False
            self.wait(min(SLICE_PS, quiet_ps))
            if len(self._heard) != count:
                count, since = len(self._heard), self.clock.now_ps
        return True

    def send(self, data: bytes) -> None:
        """Send bytes to the board. Raises PortLostError when the port went away."""
        with port_errors(self.port.name):
            self.port.write(data)

    def said(self) -> bytes:
        """All bytes so far."""
        return bytes(one.byte for one in tuple(self._heard))

    def since(self, zero_ps: int) -> tuple[Heard, ...]:
        """What came since a moment at which the line was quiet: that of reset.

        The first byte cannot have ended before a frame has passed, and so on: what would have to
        was sent before.
        """
        found: list[Heard] = []
        early = zero_ps
        for one in tuple(self._heard):
            early = max(one.early_ps, early + self._least_ps)
            if one.late_ps < early:
                early = zero_ps  # said before the reset, and so was all until here
                found.clear()
            else:
                found.append(Heard(one.byte, early, one.late_ps))
        return tuple(found)

    def events(self, uart: str, zero_ps: int) -> tuple[SerialByte, ...]:
        """What came since ``zero_ps``, the moment of reset, as a trace tells it.

        A time is the middle of when it can have been; ``uncertainty_ps`` bounds how far off it
        may be. The rate is the port's: what the board really had can be a few percent off, or it
        would not have been understood.
        """
        return tuple(
            SerialByte(
                one.t_ps - zero_ps,
                uart,
                "tx",
                one.byte,
                self._baud_mhz,
                max(one.t_ps - zero_ps - self.frame_ps, 0),
            )
            for one in self.since(zero_ps)
        )

    @property
    def uncertainty_ps(self) -> int:
        """How far off the time of any byte may be."""
        return max((one.uncertainty_ps for one in tuple(self._heard)), default=0)

    def uncertainty_since(self, zero_ps: int) -> int:
        """How far off the time of any byte may be that came since a quiet moment."""
        return max((one.uncertainty_ps for one in self.since(zero_ps)), default=0)

    # ------------------------------------------------------------------ inside

    def _check(self) -> None:
        if self._trouble is not None:
            raise self._trouble

    def _listen(self) -> None:
        while not self._over and self._trouble is None:
            self._look(SLICE_PS)

    def _look(self, ps: int) -> None:
        """Take what comes within a time, or what waits already."""
        port, clock, before = self.port, self.clock, self._empty_ps
        asked = clock.now_ps
        try:
            port.timeout = ps / PS_PER_S
            data = port.read(1)
            if data:
                asked = clock.now_ps
                data += port.read(port.in_waiting)
        except port_failures() as error:
            self._trouble = explain(error, port.name, opened=True)
            return
        # A read that waited in vain for so long found nothing at its end, not only at its start.
        self._empty_ps = asked if data else asked + ps
        if data:
            self._note(data, before, clock.now_ps)

    def _note(self, data: bytes, empty_ps: int, now_ps: int) -> None:
        least = self._least_ps
        early = empty_ps - self.latency_ps
        if self._heard:
            early = max(early, self._heard[-1].early_ps + least)
        for n, byte in enumerate(data):
            late = now_ps - (len(data) - 1 - n) * least
            self._heard.append(Heard(byte, early, max(early, late)))
            early += least
