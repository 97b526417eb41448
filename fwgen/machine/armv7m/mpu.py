"""Memory protection unit: eight regions, and who may read, write and execute in them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwgen.machine.armv7m.protection import Rules, region
from fwgen.machine.peripheral import Peek, Peripheral, Reg
from fwgen.machine.time import NEVER

if TYPE_CHECKING:
    from fwgen.board.types import PeripheralSpec
    from fwgen.machine.soc import Soc

REGIONS = 8
_ADDR = 0xFFFF_FFE0


class Mpu(Peripheral, registers="armv7m.mpu"):
    """RBAR and RASR show the region that RNR selects; RBAR.VALID selects another in passing.

    The highest-numbered region that holds an address decides; PRIVDEFENA backs privileged code
    with the default map; without HFNMIENA handlers at priority -1 and -2 are not watched. The
    core's ``Guard`` sees to it.

    Source: Arm ARM DDI0403 B3.5; PM0214 §4.2.
    Not modelled: what TEX, S, C and B change (there is no cache, and no other order of accesses).
    """

    type, ctrl, rnr, rbar, rasr = Reg(), Reg(), Reg(), Reg(), Reg()
    rbar_a1, rasr_a1 = Reg(name="RBAR_A1"), Reg(name="RASR_A1")
    rbar_a2, rasr_a2 = Reg(name="RBAR_A2"), Reg(name="RASR_A2")
    rbar_a3, rasr_a3 = Reg(name="RBAR_A3"), Reg(name="RASR_A3")

    def __init__(self, spec: PeripheralSpec, soc: Soc) -> None:
        super().__init__(spec, soc)
        self._regions = [(0, 0)] * REGIONS  # RBAR.ADDR, RASR

    def on_reset(self, t_ps: int) -> None:
        """Off. Silicon's regions are unknown; here they are off, too."""
        self._regions = [(0, 0)] * REGIONS
        self._tell()

    @property
    def rules(self) -> Rules | None:
        """What holds now; None while it is off."""
        if not self.ctrl.ENABLE:
            return None
        return Rules(tuple(region(*pair) for pair in self._regions), bool(self.ctrl.PRIVDEFENA))

    @rnr.on_write
    def _select(self, t_ps: int, written: int, before: int) -> None:
        if self.rnr.REGION >= REGIONS:
            self._impossible(
                f"MPU_RNR = {self.rnr.REGION}, but there are regions 0 to {REGIONS - 1}"
            )
            self.rnr.value &= REGIONS - 1

    @rbar.on_peek
    @rbar_a1.on_peek
    @rbar_a2.on_peek
    @rbar_a3.on_peek
    def _base(self, t_ps: int) -> Peek:
        return Peek(self._regions[self.rnr.REGION][0] | self.rnr.REGION, NEVER)

    @rasr.on_peek
    @rasr_a1.on_peek
    @rasr_a2.on_peek
    @rasr_a3.on_peek
    def _attributes(self, t_ps: int) -> Peek:
        return Peek(self._regions[self.rnr.REGION][1], NEVER)

    @rbar.on_write
    @rbar_a1.on_write
    @rbar_a2.on_write
    @rbar_a3.on_write
    def _set_base(self, t_ps: int, written: int, before: int) -> None:
        if self.rbar.field("VALID", written):
            self.rnr.value = self.rbar.field("REGION", written)
            self._select(t_ps, written, before)
        number = self.rnr.REGION
        self._regions[number] = written & _ADDR, self._regions[number][1]
        self._tell()

    @rasr.on_write
    @rasr_a1.on_write
    @rasr_a2.on_write
    @rasr_a3.on_write
    def _set_attributes(self, t_ps: int, written: int, before: int) -> None:
        number, defined = self.rnr.REGION, self.rasr.spec.defined
        self._regions[number] = self._regions[number][0], written & defined
        self._check(number)
        self._tell()

    @ctrl.on_write
    def _enable(self, t_ps: int, written: int, before: int) -> None:
        if self.ctrl.HFNMIENA and not self.ctrl.ENABLE:
            self._impossible("MPU_CTRL.HFNMIENA is set while ENABLE is clear")
        self._tell()

    def _check(self, number: int) -> None:
        rasr = self._regions[number][1]
        if not rasr & 1:
            return
        size = rasr >> 1 & 31
        if size < 4:
            self._impossible(f"region {number} of the MPU is smaller than 32 bytes")
        elif rasr >> 24 & 7 == 4:
            self._impossible(f"region {number} of the MPU has the reserved AP 4")
        elif size < 7 and rasr & 0xFF00:
            self._impossible(f"region {number} of the MPU is too small for subregions")

    def _impossible(self, what: str) -> None:
        self.soc.hazard("mpu-setting", what)

    def write(self, offset: int, size: int, value: int, t_ps: int) -> None:
        """A write by the bus. A narrow write of a bank keeps the selected region's other lanes."""
        for name in ("RBAR", "RASR"):
            for state in (s for n, s in self.states.items() if n.startswith(name)):
                state.value = self._regions[self.rnr.REGION][name == "RASR"]
        super().write(offset, size, value, t_ps)

    def _tell(self) -> None:
        if self.soc.core is not None:
            self.soc.core.mpu_written()


PERIPHERAL = Mpu
