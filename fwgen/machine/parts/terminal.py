"""A terminal on a serial port: it sends frames to the port's RX pin."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fwgen.errors import BenchError, did_you_mean
from fwgen.trace import Stimulated
from fwgen.units import MHZ_PER_HZ, PS_PER_S

if TYPE_CHECKING:
    from fwgen.contract import Send
    from fwgen.machine.pads import Pad
    from fwgen.machine.soc import Soc

WHO = "the terminal"
DEFAULT_BAUD = 115_200
FRAME_BITS = 10  # start, eight data bits, stop


def port_of(subject: str, soc: Soc) -> str:
    """The UART that a port's name means. Raises BenchError."""
    board, console = soc.board, soc.board.console
    folded = " ".join(subject.casefold().split())
    if console is not None and (
        folded == "console" or board.words.get(folded) in ("console", console.uart)
    ):
        return console.uart
    uarts = [name for name in board.chip.peripherals if "ART" in name]
    for name in uarts:
        if name.casefold() == folded:
            return name
    raise BenchError(
        f"{board.name} has no port {subject!r}", hint=did_you_mean(subject, ["console", *uarts])
    )


def send(stimulus: Send, soc: Soc) -> None:
    """Send bytes back to back, eight bits, no parity, one stop bit.

    The rate is the stimulus's, else the console's, else 115200 baud. Raises BenchError when the
    board has no such port.
    """
    uart = port_of(stimulus.subject, soc)
    console = soc.board.console
    usual = console.baud if console is not None and console.uart == uart else DEFAULT_BAUD
    baud = stimulus.baud or usual
    model: Any = soc.peripherals.get(uart)
    receive = getattr(model, "receive_all", None)
    name = stimulus.subject

    def begin(t_ps: int) -> None:
        shown = stimulus.data.decode("utf-8", "backslashreplace")
        soc.recorder.add(Stimulated(t_ps, name, f"sent {shown!r} at {baud} baud"))
        if receive is None:  # no such model: the pin moves all the same
            _Line(soc, uart, baud).begin(t_ps, stimulus.data)
            return
        receive(t_ps, stimulus.data, baud * MHZ_PER_HZ)

    soc.scheduler.at(stimulus.at_ps, begin)


class _Line:
    """Plays bytes onto a pad as edges."""

    def __init__(self, soc: Soc, uart: str, baud: int) -> None:
        self._soc, self._uart, self._baud = soc, uart, baud
        self._bits: list[tuple[int, int]] = []
        self._pad: Pad | None = None

    def begin(self, t_ps: int, data: bytes) -> None:
        self._pad = self._find_pad()
        self._start = t_ps
        self._edges = self._changes(data)
        self._next()

    def _changes(self, data: bytes) -> list[tuple[int, int]]:
        """(bit number, level) wherever the line changes; last first."""
        changes, level, at = [], 1, 0
        for byte in data:
            frame = byte << 1 | 1 << (FRAME_BITS - 1)
            for bit in range(FRAME_BITS):
                new = frame >> bit & 1
                if new != level:
                    changes.append((at + bit, new))
                    level = new
            at += FRAME_BITS
        return changes[::-1]

    def _next(self) -> None:
        if not self._edges:
            return
        bit, level = self._edges.pop()

        def edge(t_ps: int) -> None:
            assert self._pad is not None
            self._pad.drive_outside(t_ps, WHO, level)
            self._next()

        self._soc.scheduler.at(self._start + bit * PS_PER_S // self._baud, edge)

    def _find_pad(self) -> Pad:
        """Where the port's RX is wired now, else where the board or the chip would have it."""
        soc, signal = self._soc, f"{self._uart}_RX"
        if soc.fabric.has_input(signal) and (pad := soc.fabric.input(signal).pad) is not None:
            return pad
        console = soc.board.console
        if console is not None and console.uart == self._uart:
            return soc.fabric.pads[console.rx]
        for pin in soc.chip.pins.values():
            if pin.af(signal) is not None:
                return soc.fabric.pads[pin.name]
        raise BenchError(f"no pin of {soc.chip.name} takes {signal}")
