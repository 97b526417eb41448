"""Instrumentation trace macrocell: what firmware prints into the trace."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fwgen.machine.peripheral import Peek, Peripheral, Reg

if TYPE_CHECKING:
    from fwgen.board.types import PeripheralSpec
    from fwgen.machine.soc import Soc

PORTS = 32
STIMULUS_END = 4 * PORTS
UNLOCK = 0xC5AC_CE55
OVERFLOW = b"\x70"
STAMP, SHORT_STAMP, LONGEST_STAMP = 0xC0, 6, (1 << 28) - 1
_SIZE_CODES = {1: 1, 2: 2, 4: 3}


class Itm(Peripheral, registers="armv7m.itm"):
    """A write to a stimulus port becomes a packet on SWO, if the port and all on the way are on.

    The FIFO is free again when the packet before has left the pin; what is written while it is
    full is lost, and an overflow packet says so. Only a power reset clears it. TER, TPR and TCR
    take writes only after the key was written to LAR.

    With TSENA a local timestamp follows each packet: cycles of HCLK since the one before, divided
    by TSPrescale.

    Source: Arm ARM DDI0403 C1.7, D4.2.
    Not modelled: global timestamps, synchronisation packets, access by unprivileged code (TPR),
    a timestamp counter on the trace clock (SWOENA).
    """

    ter, lar, lsr = Reg(), Reg(), Reg()
    tpr = Reg(unmodelled=("PRIVMASK",))
    tcr = Reg(unmodelled=("SWOENA", "GTSFREQ"))

    def __init__(self, spec: PeripheralSpec, soc: Soc) -> None:
        super().__init__(spec, soc)
        self._hclk = soc.clock("HCLK")
        self._free_ps = self._stamped = 0
        self._locked, self._lost = True, False

    def reset(self, t_ps: int) -> None:
        """Only a power reset clears it."""
        if self.soc.powered_up:
            super().reset(t_ps)
            self._locked, self._lost = True, False

    # ------------------------------------------------------------------ stimulus ports

    def read(self, offset: int, size: int, t_ps: int) -> int:
        """A read by the bus. A stimulus port says whether the FIFO is free."""
        if offset >= STIMULUS_END:
            return super().read(offset, size, t_ps)
        return int(t_ps >= self._free_ps)

    def peek(self, offset: int, size: int, t_ps: int) -> Peek | None:
        """What a read would give."""
        return None if offset < STIMULUS_END else super().peek(offset, size, t_ps)

    def write(self, offset: int, size: int, value: int, t_ps: int) -> None:
        """A write by the bus."""
        if offset < STIMULUS_END:
            self._send(offset >> 2, size, value, t_ps)
        elif not self._locked or offset & ~3 == self.lar.spec.offset:
            super().write(offset, size, value, t_ps)

    def _send(self, port: int, size: int, value: int, t_ps: int) -> None:
        dcb = self.soc.peripherals.get("DCB")
        tracing = dcb is None or bool(dcb.states["DEMCR"].TRCENA)
        if not (tracing and self.tcr.ITMENA and self.ter.value >> port & 1):
            return
        if t_ps < self._free_ps:
            self._lost = True
            return
        packet = bytes([port << 3 | _SIZE_CODES[size]])
        packet += (value & (1 << 8 * size) - 1).to_bytes(size, "little")
        if self._lost:
            packet, self._lost = OVERFLOW + packet, False
        if self.tcr.TSENA:
            packet += self._timestamp(t_ps)
        tpiu: Any = self.soc.peripherals.get("TPIU")
        if tpiu is not None:
            self._free_ps = tpiu.send(packet, t_ps)

    def _timestamp(self, t_ps: int) -> bytes:
        """A local timestamp packet (D4.2.4)."""
        ticks = self._hclk.ticks_at(t_ps)
        passed, self._stamped = ticks - self._stamped, ticks
        passed >>= 2 * self.tcr.TSPrescale
        if 1 <= passed <= SHORT_STAMP:
            return bytes([passed << 4])
        passed = min(passed, LONGEST_STAMP)
        groups = [passed & 0x7F]
        while passed := passed >> 7:
            groups[-1] |= 0x80
            groups.append(passed & 0x7F)
        return bytes([STAMP, *groups])

    # ------------------------------------------------------------------ the lock

    @lar.on_write
    def _unlock(self, t_ps: int, written: int, before: int) -> None:
        self._locked = written != UNLOCK

    @lsr.on_peek
    def _lock_status(self, t_ps: int) -> Peek:
        return Peek(1 | self._locked << 1, t_ps)


PERIPHERAL = Itm
