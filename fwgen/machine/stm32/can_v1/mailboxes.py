"""The three transmit mailboxes: which is sent next, and what became of each. RM0090 §32.7.2."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwgen.machine.stm32.can_v1.frame import Frame

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fwgen.machine.peripheral import Register

COUNT = 3
NAMES = ("TI", "TDT", "TDL", "TDH")


class Mailboxes:
    """What TSR says of the mailboxes, kept in it."""

    def __init__(self, states: Mapping[str, Register]) -> None:
        self._states = states
        self.tsr = states["TSR"]
        self.reset()

    def reset(self) -> None:
        """All empty."""
        self.waiting: list[int] = []  # in the order of the requests
        self.sending: int | None = None
        self._given_up: set[int] = set()  # aborted while being sent

    def holds(self, box: int) -> bool:
        """Whether a mailbox is to be sent, and so write-protected."""
        return box in self.waiting

    def request(self, box: int) -> None:
        """TXRQ was set."""
        self.waiting.append(box)
        self.tsr.set(**{f"{name}{box}": 0 for name in ("RQCP", "TXOK", "ALST", "TERR", "TME")})
        self.count()

    def abort(self, box: int) -> None:
        """ABRQ was set: one that is on the bus is seen to its end. §32.7.2."""
        if box == self.sending:
            self._given_up.add(box)
        elif box in self.waiting:
            self.empty(box, sent=False)
        if box not in self.waiting:
            self.tsr.set(**{f"ABRQ{box}": 0})

    def given_up(self, box: int) -> bool:
        """Whether it is not tried again."""
        return box in self._given_up

    def next(self, *, by_order: bool) -> int | None:
        """The mailbox that is sent next: by request (TXFP), or by identifier, then number."""
        if not self.waiting:
            return None
        if by_order:
            return self.waiting[0]
        return min(self.waiting, key=lambda box: (self.frame(box).priority, box))

    def frame(self, box: int) -> Frame:
        """What a mailbox holds."""
        ti, tdt = (self._states[f"{name}{box}R"] for name in ("TI", "TDT"))
        low, high = (self._states[f"{name}{box}R"].value for name in ("TDL", "TDH"))
        identifier = ti.STID << 18 | ti.EXID if ti.IDE else ti.STID
        data = low.to_bytes(4, "little") + high.to_bytes(4, "little")
        return Frame(identifier, bool(ti.IDE), bool(ti.RTR), tdt.DLC, data)

    def failed(self, box: int, *, lost: bool) -> None:
        """It was sent, and lost the arbitration or met an error."""
        self.tsr.set(**{f"{'ALST' if lost else 'TERR'}{box}": 1})

    def empty(self, box: int, *, sent: bool) -> None:
        """The request is done with."""
        self.waiting.remove(box)
        self._given_up.discard(box)
        self.tsr.set(**{f"RQCP{box}": 1, f"TXOK{box}": int(sent), f"TME{box}": 1, f"ABRQ{box}": 0})
        self._states[f"TI{box}R"].set(TXRQ=0)
        self.count()

    def count(self) -> None:
        """CODE: the next empty mailbox, else the one of lowest priority; LOW: that one. §32.9.2."""
        order = sorted(self.waiting, key=lambda box: (self.frame(box).priority, box))
        last = order[-1] if order else 0
        free = [box for box in range(COUNT) if box not in self.waiting]
        low = {f"LOW{box}": int(len(order) > 1 and box == last) for box in range(COUNT)}
        self.tsr.set(CODE=free[0] if free else last, **low)
