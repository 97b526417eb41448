"""The console's other end: what it makes of what a board sends, in its own format."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

from fwgen.board.frame import PLAIN, Frame
from fwgen.units import MHZ_PER_HZ, PS_PER_S
from fwgen.virtual.serial.wire import Framing, Receiver, Word

if TYPE_CHECKING:
    from fwgen.board.types import Console
    from fwgen.trace import SerialByte

NEAR = 25  # 1/NEAR: a terminal at a rate off by more would read something else


class Hearing:
    """A terminal in the console's format.

    Bytes in that format pass. Others are read as its receiver samples them: with parity and
    framing errors, as other bytes. A rate that is not the console's is told (``off_rate``), and
    not read by.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._receiver: Receiver | None = None  # while formats differ
        self.sent_as = PLAIN  # what was heard last

    def off_rate(self, event: SerialByte) -> bool:
        """Whether a byte came at a rate that the console's is not near to."""
        usual = self._console.baud * MHZ_PER_HZ
        return abs(event.baud_mhz - usual) * NEAR > usual

    def hear(self, event: SerialByte, uart: Any) -> list[Word]:
        """What is read by the end of a frame that the board's ``uart`` sent."""
        mine = self._console.frame
        sent = self.sent_as = Frame(*getattr(uart, "sent_as", (8, "N", 2)))
        if (sent.bits, sent.parity) == (mine.bits, mine.parity) or event.error:
            self._receiver = None
            return [Word(event.start_ps, event.t_ps, event.byte, event.error)]
        framing = Framing.of(round(event.baud_mhz / MHZ_PER_HZ), mine)
        if self._receiver is None or self._receiver.framing != framing:
            self._receiver = Receiver(framing)
        bit = Fraction(PS_PER_S * MHZ_PER_HZ, event.baud_mhz)
        levels = sent.levels(event.byte)
        self._receiver.line.put_frame(event.start_ps, bit, event.t_ps, levels)
        return self._receiver.words(event.t_ps)

    def rest(self, t_ps: int, uart: Any) -> list[Word]:
        """What is read by now, since the line went idle."""
        if self._receiver is None:
            return []
        since = getattr(uart, "sending_since", None)
        return self._receiver.words(t_ps if since is None else min(t_ps, since))
