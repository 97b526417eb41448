"""Debug support of the microcontroller. RM0368 §23.6, §23.16."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwgen.machine.peripheral import Peripheral, Reg

if TYPE_CHECKING:
    from fwgen.board.types import PeripheralSpec
    from fwgen.machine.soc import Soc


class Dbgmcu(Peripheral, registers="stm32.dbgmcu_v1"):
    """Device identity, and what goes on while a debugger holds the core. RM0368 §23.16.

    A system reset leaves it as it is; only a power reset clears it (§23.16.3).

    Not modelled: the freeze bits of the I2Cs, which are not either; synchronous trace.
    """

    idcode = Reg()
    cr = Reg(unmodelled=("TRACE_MODE",))
    apb1_fz, apb2_fz = Reg(), Reg()

    def __init__(self, spec: PeripheralSpec, soc: Soc) -> None:
        super().__init__(spec, soc)
        if soc.chip.idcode is not None:
            self.idcode.reset_value = self.idcode.value = soc.chip.idcode

    def reset(self, t_ps: int) -> None:
        """Only a power reset reaches it."""
        if self.soc.powered_up:
            super().reset(t_ps)

    def freezes(self, name: str) -> bool:
        """Whether a peripheral stands still while the core is halted."""
        field = f"DBG_{name}_STOP"
        registers = (self.apb1_fz, self.apb2_fz)
        return any(bool(getattr(r, field)) for r in registers if field in r.spec.fields)

    def keeps_clocks(self, mode: str) -> bool:
        """Whether the core's clock goes on in "sleep", "stop" or "standby" (§23.16.1)."""
        return bool(getattr(self.cr, f"DBG_{mode.upper()}"))


PERIPHERAL = Dbgmcu
