"""SDIO host of the STM32F2 and F4, to an empty slot. RM0368 §21."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwgen.machine.peripheral import Peripheral, Reg
from fwgen.machine.time import NEVER
from fwgen.machine.waves import SquareWave

if TYPE_CHECKING:
    from fractions import Fraction

    from fwgen.board.types import PeripheralSpec
    from fwgen.machine.soc import Soc
    from fwgen.machine.time import Timer

KERNEL = "PLL48"  # SDIOCLK (§6.2, Figure 12)
ON = 3  # POWER.PWRCTRL: the card is clocked (§21.9.1)
NO_RESPONSE = (0, 2)  # CMD.WAITRESP (§21.9.4)
COMMAND_BITS = 48  # §21.4.1
BETWEEN = 8  # periods of SDIO_CK from one command to the next, NCC and NRC (§21.3.1)
TIMEOUT = 64  # periods of SDIO_CK for which the path waits for a response (§21.3.1)
CRC7 = 0x09  # x^7 + x^3 + 1 (§21.3.1)


def frame(index: int, argument: int) -> int:
    """The 48 bits of a command: start, direction, index, argument, CRC7, end. §21.4.1."""
    head = 1 << 38 | index << 32 | argument
    crc = 0
    for bit in range(39, -1, -1):
        high = crc >> 6 ^ (head >> bit & 1)
        crc = crc << 1 & 0x7F ^ (CRC7 if high else 0)
    return head << 8 | crc << 1 | 1


class Sdio(Peripheral, registers="stm32.sdio_v1"):
    """The command path and the clock, with no card in the slot. RM0368 §21.3.

    A command goes out on CMD, 48 periods of SDIO_CK long, once eight have passed since the one
    before. Without a response asked for, CMDSENT rises then; else CTIMEOUT 64 periods later, with
    WAITINT never. Power and clock are as POWER and CLKCR say; both take effect at once.

    A Gap is what nobody can foretell: a CMD line that no pull-up holds high, a command while the
    card has no power or no clock, a clock that changes within one.

    Not modelled: cards. The data path (DTEN), CE-ATA and SDIO's own interrupt, WAITPEND, hardware
    flow control and NEGEDGE are Gaps. Nor is the wait of seven HCLK between two writes of
    a register that §21.9 asks for. An odd divider is taken to be high for the shorter half.
    """

    power, arg = Reg(), Reg()
    clkcr = Reg(unmodelled=("HWFC_EN", "NEGEDGE"))
    cmd = Reg(unmodelled=("WAITPEND", "SDIOSUSPEND", "ENCMDCOMPL", "CEATACMD"))
    respcmd, resp1, resp2, resp3, resp4 = Reg(), Reg(), Reg(), Reg(), Reg()
    dtimer, dlen, dcount, fifocnt = Reg(), Reg(), Reg(), Reg()
    dctrl = Reg(unmodelled=("DTEN", "RWSTART", "RWSTOP", "SDIOEN"))
    sta, icr, mask = Reg(), Reg(), Reg()

    def __init__(self, spec: PeripheralSpec, soc: Soc) -> None:
        super().__init__(spec, soc)
        self._kernel = soc.clock(KERNEL)
        self._kernel.on_change(self._on_kernel)
        self._ck, self._line = soc.fabric.output("SDIO_CK"), soc.fabric.output("SDIO_CMD")
        self._answer = soc.fabric.input("SDIO_CMD")
        self._timers: list[Timer] = []
        self._free = 0  # the tick of SDIOCLK from which a command may go out

    # ------------------------------------------------------------------ clock and power

    @property
    def _divider(self) -> int:
        return 1 if self.clkcr.BYPASS else self.clkcr.CLKDIV + 2

    @property
    def _clocked(self) -> bool:
        return bool(self.power.PWRCTRL == ON and self.clkcr.CLKEN and self._kernel.hz)

    def on_reset(self, t_ps: int) -> None:
        """No power, no clock, no command."""
        self._stop()
        self._free = 0
        self._ck.drive(t_ps, None)
        self._line.drive(t_ps, None)
        self.irq(t_ps, "global", False)

    @power.on_write
    def _switch(self, t_ps: int, written: int, before: int) -> None:
        if self.power.value != before:
            self._reclock(t_ps, "POWER")

    @clkcr.on_write
    def _set_clock(self, t_ps: int, written: int, before: int) -> None:
        if self.clkcr.value != before:
            self._reclock(t_ps, "CLKCR")

    def _on_kernel(self, t_ps: int) -> None:
        if self.power.PWRCTRL:
            self._reclock(t_ps, "CLKCR")

    def _reclock(self, t_ps: int, register: str) -> None:
        if self._timers:
            self._unforeseen(register, "the clock changed while a command was on the line")
            self._stop()
        self._drive_clock(t_ps)
        if self.power.PWRCTRL != ON:
            self._line.drive(t_ps, None)

    def _drive_clock(self, t_ps: int) -> None:
        if self.power.PWRCTRL != ON:
            self._ck.drive(t_ps, None)
        elif not self._clocked or (self.clkcr.PWRSAV and not self.sta.CMDACT):
            self._ck.drive(t_ps, 0)
        else:
            period: Fraction = self._divider * 10**12 / self._kernel.hz
            high = period * max(1, self._divider // 2) / self._divider
            if self._divider == 1:
                high = period / 2
            self._ck.drive_wave(SquareWave(t_ps, 1, high, period - high))

    # ------------------------------------------------------------------ commands

    @cmd.on_write
    def _command(self, t_ps: int, written: int, before: int) -> None:
        if not self.cmd.CPSMEN:
            if self._timers:
                self._unforeseen("CMD", "CPSMEN cleared while a command was on the line")
                self._stop()
            return
        if self._timers:
            self._unforeseen("CMD", "written while a command was on the line")
            return
        if not self._clocked:
            self._unforeseen("CMD", "a command while the card has no power or no clock")
            return
        self.sta.set(CMDACT=1)
        self._request(t_ps)
        self._drive_clock(t_ps)
        first = max(self._kernel.ticks_at(t_ps) + 1, self._free)
        bits = frame(self.cmd.CMDINDEX, self.arg.CMDARG)
        level = None
        for n in range(COMMAND_BITS):
            bit = bits >> (COMMAND_BITS - 1 - n) & 1
            if bit != level:
                self._at(first + n * self._divider, self._send(bit))
            level = bit
        end = first + COMMAND_BITS * self._divider
        self._at(end, self._sent)
        if self.cmd.WAITRESP not in NO_RESPONSE and not self.cmd.WAITINT:
            self._at(end + TIMEOUT * self._divider, self._unanswered)

    def _at(self, tick: int, call: object) -> None:
        t_ps = self._kernel.time_of(tick)
        if t_ps < NEVER:
            self._timers.append(self.soc.scheduler.at(t_ps, call))  # type: ignore[arg-type]

    def _send(self, bit: int) -> object:
        return lambda t_ps: self._line.drive(t_ps, bit)

    def _sent(self, t_ps: int) -> None:
        self._line.drive(t_ps, None)
        if self.cmd.WAITRESP in NO_RESPONSE:
            self._finish(t_ps, "CMDSENT")
        elif self._answer.level(t_ps) != 1:
            self._unforeseen("CMD", "nothing holds CMD high while a response is waited for")

    def _unanswered(self, t_ps: int) -> None:
        self._finish(t_ps, "CTIMEOUT")

    def _finish(self, t_ps: int, flag: str) -> None:
        self._timers.clear()
        self._free = self._kernel.ticks_at(t_ps) + BETWEEN * self._divider
        self.sta.set(CMDACT=0, **{flag: 1})
        if self.clkcr.PWRSAV:
            self._drive_clock(t_ps)
        self._request(t_ps)

    def _stop(self) -> None:
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()
        self.sta.set(CMDACT=0)

    def _unforeseen(self, register: str, why: str) -> None:
        address = self.spec.base + self.MAP.registers[register].offset
        self.soc.gap(self.name, register, "write", address, why)

    # ------------------------------------------------------------------ flags

    @icr.on_write
    def _clear(self, t_ps: int, written: int, before: int) -> None:
        # ICR's bits lie where STA's do, and read as 0 once they have done their work (§21.9.12).
        self.sta.value &= ~(written & self.icr.spec.defined)
        self.icr.value = 0
        self._request(t_ps)

    @mask.on_write
    def _enable(self, t_ps: int, written: int, before: int) -> None:
        self._request(t_ps)

    def _request(self, t_ps: int) -> None:
        self.irq(t_ps, "global", bool(self.sta.value & self.mask.value))


PERIPHERAL = Sdio
