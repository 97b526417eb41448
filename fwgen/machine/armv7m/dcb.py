"""Debug control block: the part that firmware uses, which switches the DWT on."""

from __future__ import annotations

from fwgen.machine.peripheral import Peripheral, Reg


class Dcb(Peripheral, registers="armv7m.dcb"):
    """DEMCR.TRCENA enables the DWT (and ITM, which is not modelled).

    Source: Arm ARM DDI0403 C1.6.5. TRCENA outlives a system reset.
    Not modelled: halting debug (DHCSR, DCRSR, DCRDR), vector catch, the debug monitor.
    """

    demcr = Reg(
        unmodelled=(
            "VC_CORERESET", "VC_MMERR", "VC_NOCPERR", "VC_CHKERR", "VC_STATERR", "VC_BUSERR",
            "VC_INTERR", "VC_HARDERR", "MON_EN", "MON_PEND", "MON_STEP", "MON_REQ",
        )
    )  # fmt: skip

    def reset(self, t_ps: int) -> None:
        """Only a power reset clears DEMCR (C1.6.5)."""
        kept = self.demcr.value
        super().reset(t_ps)
        if getattr(self.soc, "reset_cause", "PORRSTF") != "PORRSTF":
            self.demcr.value = kept

    @demcr.on_write
    def _enable(self, t_ps: int, written: int, before: int) -> None:
        dwt = self.soc.peripherals.get("DWT")
        if dwt is not None and (written ^ before) & self.demcr.mask("TRCENA"):
            dwt.on_clock(t_ps)


PERIPHERAL = Dcb
