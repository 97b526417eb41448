"""A terminal on a serial port: it sends frames to the port's RX pin."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

from fwgen.board.frame import PARITIES, PLAIN, Frame
from fwgen.errors import BenchError, did_you_mean
from fwgen.trace import Stimulated
from fwgen.units import MHZ_PER_HZ, PS_PER_S

if TYPE_CHECKING:
    from fwgen.contract import Send
    from fwgen.machine.pads import Pad
    from fwgen.machine.soc import Soc

WHO = "the terminal"
DEFAULT_BAUD = 115_200


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
    """Send bytes back to back.

    The rate is the stimulus's, else the console's, else 115200 baud; the format is the console's,
    on any other port 8N1. Raises BenchError when the board has no such port.
    """
    uart = port_of(stimulus.subject, soc)
    console = soc.board.console
    usual, frame = DEFAULT_BAUD, PLAIN
    if console is not None and console.uart == uart:
        usual, frame = console.baud, console.frame
    baud = stimulus.baud or usual
    model: Any = soc.peripherals.get(uart)
    name = stimulus.subject
    how = "" if frame == PLAIN else f", {frame}"

    def begin(t_ps: int) -> None:
        shown = stimulus.data.decode("utf-8", "backslashreplace")
        soc.recorder.add(Stimulated(t_ps, name, f"sent {shown!r} at {baud} baud{how}"))
        if not hasattr(model, "receive_all"):  # no such model: the pin moves all the same
            _Line(soc, uart, baud, frame).begin(t_ps, stimulus.data)
        elif frame == PLAIN:
            model.receive_all(t_ps, stimulus.data, baud * MHZ_PER_HZ)
        else:
            for byte in stimulus.data:
                t_ps = model.receive(
                    t_ps,
                    byte & (1 << frame.bits) - 1,
                    baud * MHZ_PER_HZ,
                    bits=frame.bits,
                    parity=PARITIES[frame.parity],
                    stop_bits=Fraction(frame.stop_halves, 2),
                )

    soc.scheduler.at(stimulus.at_ps, begin)


class _Line:
    """Plays bytes onto a pad as edges."""

    def __init__(self, soc: Soc, uart: str, baud: int, frame: Frame) -> None:
        self._soc, self._uart, self._baud, self._frame = soc, uart, baud, frame
        self._bits: list[tuple[int, int]] = []
        self._pad: Pad | None = None

    def begin(self, t_ps: int, data: bytes) -> None:
        self._pad = self._find_pad()
        self._start = t_ps
        self._edges = self._changes(data)
        self._next()

    def _changes(self, data: bytes) -> list[tuple[int, int]]:
        """(half bits from the start, level) wherever the line changes; last first."""
        changes, level, at = [], 1, 0
        for byte in data:
            for bit, new in enumerate((0, *self._frame.levels(byte), 1)):
                if new != level:
                    changes.append((at + 2 * bit, new))
                    level = new
            at += self._frame.halves
        return changes[::-1]

    def _next(self) -> None:
        if not self._edges:
            return
        half, level = self._edges.pop()

        def edge(t_ps: int) -> None:
            assert self._pad is not None
            self._pad.drive_outside(t_ps, WHO, level)
            self._next()

        self._soc.scheduler.at(self._start + half * PS_PER_S // (2 * self._baud), edge)

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
