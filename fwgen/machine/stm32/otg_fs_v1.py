"""USB OTG full-speed core of the STM32F4, without a cable. RM0368 §22."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwgen.machine.peripheral import Peek, Peripheral, Reg
from fwgen.machine.time import NEVER
from fwgen.units import PS_PER_MS

if TYPE_CHECKING:
    from collections.abc import Callable

    from fwgen.board.types import PeripheralSpec
    from fwgen.machine.soc import Soc
    from fwgen.machine.time import Timer

PHY_HZ = 48_000_000  # OTG_FS_CLK (§22.2)
TOLERANCE = 400  # a 400th, 0.25 %: full speed, USB 2.0 §7.1.11
MODE_PS = 25 * PS_PER_MS  # after which FDMOD and FHMOD hold (§22.16.2, OTG_FS_GUSBCFG)
IDLE_PS = 3 * PS_PER_MS  # to ESUSP, and again to USBSUSP (§22.5.3, suspended state)
CLEARED_TICKS = 8  # of HCLK: "This takes 8 clocks"; of the resets, taken to be the same
SELF_CLEARING = ("CSRST", "HSRST", "FCRST", "RXFFLSH", "TXFFLSH")
KEPT = ("GRSTCTL", "GAHBCFG", "GUSBCFG", "GCCFG", "CID", "HCFG", "DCFG", "PCGCCTL")
ENDPOINTS = 4
# Reserved here (§22.16.2, memory map): DIEPTXF4 to 15 and the endpoints 4 to 15 of larger cores.
LARGER = (range(0x110, 0x140, 4), range(0x980, 0xB00, 4), range(0xB80, 0xD00, 4))
PER_ENDPOINT = ("DIEPCTL", "DIEPINT", "DIEPTSIZ", "DTXFSTS", "DOEPCTL", "DOEPINT", "DOEPTSIZ")


def _endpoint(call: Callable[[OtgFs, int, int], None], n: int) -> Callable[..., None]:
    def write(self: OtgFs, t_ps: int, written: int, before: int) -> None:
        call(self, n, written)

    return write


class OtgFs(Peripheral, registers="stm32.otg_fs_v1"):
    """What firmware that sets up USB meets where no cable is plugged in. RM0368 §22.16.

    Resets and flushes of GRSTCTL clear themselves; that of the core only while the PLL's 48 MHz
    are there. AHBIDL is set: there is no traffic. A forced mode holds 25 ms later, else ID, which
    nothing pulls low, makes it a device. VBUS of an empty connector is low: BSVLD is 0, no session
    begins, and nothing ever happens. With NOVBUSSENS a session is taken to be on; connected
    (SDIS 0, PWRDWN 1) DP is high and the lines idle: ESUSP 3 ms later, USBSUSP 3 ms after that.

    STOPCLK suspends the PHY, as PHYSUSP shows.

    Endpoints can be set up, enabled and disabled; nobody asks for their data. Touching the FIFOs
    or any register of host mode is a Gap. Endpoints and transmit FIFOs 4 to 15 are a larger core's:
    writing their registers, as ST's driver does, changes nothing and is told.

    Not modelled: a cable, a host, a device; VBUS driven by the firmware; SRP and HNP, and GOTGCTL's
    CIDSTS where the ID pin is held low; how long CSRST takes (8 HCLK here); the waking by EXTI;
    what the core's registers do while STOPCLK is set.
    """

    gotgctl = Reg(unmodelled=("SRQ", "HNPRQ"))
    gotgint, gahbcfg, gusbcfg, grstctl = Reg(), Reg(), Reg(), Reg()
    gintsts, gintmsk, grxstsr, grxstsp = Reg(), Reg(), Reg(), Reg()
    grxfsiz, hnptxfsiz, gccfg, cid = Reg(), Reg(), Reg(), Reg()
    gsnpsid, ghwcfg1, ghwcfg2, ghwcfg3, ghwcfg4 = Reg(), Reg(), Reg(), Reg(), Reg()
    dieptxf1, dieptxf2, dieptxf3 = Reg(), Reg(), Reg()
    dcfg, dctl, dsts = Reg(), Reg(unmodelled=("RWUSIG", "TCTL")), Reg()
    diepmsk, doepmsk, daint, daintmsk, diepempmsk = Reg(), Reg(), Reg(), Reg(), Reg()
    dvbusdis, dvbuspulse, pcgcctl = Reg(), Reg(), Reg(unmodelled=("GATECLK",))

    for _n in range(ENDPOINTS):
        for _name in (
            "DIEPCTL",
            "DIEPINT",
            "DIEPTSIZ",
            "DTXFSTS",
            "DOEPCTL",
            "DOEPINT",
            "DOEPTSIZ",
        ):
            _reg = Reg(name=f"{_name}{_n}")
            if _name in ("DIEPCTL", "DOEPCTL"):
                _side = _name[1]
                _reg.on_write(
                    _endpoint(lambda self, n, w, s=_side: self._control(s, n, w), _n)  # type: ignore[misc]
                )
            elif _name in ("DIEPINT", "DOEPINT"):
                _reg.on_write(lambda self, t_ps, written, before: self._request(t_ps))
            elif _name == "DTXFSTS":
                _reg.on_peek(lambda self, t_ps, n=_n: self._room(n))  # type: ignore[misc]
            locals()[_reg.name.lower()] = _reg
    del _n, _name, _reg, _side

    def __init__(self, spec: PeripheralSpec, soc: Soc) -> None:
        super().__init__(spec, soc)
        self._phy = soc.clock("PLL48")
        self._phy.on_change(self._on_phy)
        self._dp, self._dm = soc.fabric.output("OTG_FS_DP"), soc.fabric.output("OTG_FS_DM")
        numbers = range(ENDPOINTS)
        self._in = [self.states[f"DIEPINT{n}"] for n in numbers]
        self._out = [self.states[f"DOEPINT{n}"] for n in numbers]
        self._clearing: dict[str, int] = {}  # bit of GRSTCTL -> when it clears itself
        self._mode: Timer | None = None
        self._idle: list[Timer] = []

    def on_reset(self, t_ps: int) -> None:
        """A device that is not connected."""
        self._clearing.clear()
        if self._mode is not None:
            self._mode.cancel()
            self._mode = None
        self._connect(t_ps)
        self._request(t_ps)

    # ------------------------------------------------------------------ resets and flushes

    @grstctl.on_peek
    def _resetting(self, t_ps: int) -> Peek:
        value, until = self.grstctl.value | self.grstctl.mask("AHBIDL"), NEVER
        for name, due in self._clearing.items():
            if due <= t_ps:
                value &= ~self.grstctl.mask(name)
            else:
                until = min(until, due)
        return Peek(value, until)

    @grstctl.on_write
    def _reset_part(self, t_ps: int, written: int, before: int) -> None:
        for name in SELF_CLEARING:
            if not self.grstctl.field(name, written):
                continue
            due = self.clock.time_of(self.clock.ticks_at(t_ps) + CLEARED_TICKS)
            if name == "CSRST":
                self._core_reset(t_ps)
                due = due if self._phy.hz else NEVER
            self._clearing[name] = due
            if due < NEVER:
                self.soc.scheduler.at(due, self._cleared)

    def _cleared(self, t_ps: int) -> None:
        for name in [n for n, due in self._clearing.items() if due <= t_ps]:
            del self._clearing[name]
            self.grstctl.set(**{name: 0})

    def _on_phy(self, t_ps: int) -> None:
        if self._phy.hz and self._clearing.get("CSRST") == NEVER:
            due = self.clock.time_of(self.clock.ticks_at(t_ps) + CLEARED_TICKS)
            self._clearing["CSRST"] = due
            self.soc.scheduler.at(due, self._cleared)

    def _core_reset(self, t_ps: int) -> None:
        """Interrupts and registers, but for those that the manual leaves out, and the set-up."""
        mode = self.gintsts.CMOD
        for name, state in self.states.items():
            if name not in KEPT:
                state.value = state.reset_value
        self.gintsts.set(CMOD=mode)
        self._check_clock()
        self._connect(t_ps)
        self._request(t_ps)

    def _check_clock(self) -> None:
        hz = self._phy.hz
        if abs(hz - PHY_HZ) * TOLERANCE <= PHY_HZ:
            return
        runs = f"runs at {float(hz) / 1e6:.6g} MHz" if hz else "stands still"
        self.soc.hazard(
            "usb-clock",
            f"{self.name} is set up while its clock {runs}: USB needs 48 MHz within 0.25 %",
        )

    @pcgcctl.on_peek
    def _gates(self, t_ps: int) -> Peek:
        suspended = self.pcgcctl.mask("PHYSUSP") if self.pcgcctl.STOPCLK else 0
        return Peek(self.pcgcctl.value | suspended, NEVER)

    # ------------------------------------------------------------------ mode and session

    @gusbcfg.on_write
    def _configure(self, t_ps: int, written: int, before: int) -> None:
        mask = self.gusbcfg.mask("FHMOD", "FDMOD")
        if self.gusbcfg.value & mask == before & mask:
            return
        if self._mode is not None:
            self._mode.cancel()
        self._mode = self.soc.scheduler.at(t_ps + MODE_PS, self._change_mode)

    def _change_mode(self, t_ps: int) -> None:
        self._mode = None
        self.gintsts.set(CMOD=self.gusbcfg.FHMOD & ~self.gusbcfg.FDMOD)
        self._connect(t_ps)
        self._request(t_ps)

    @property
    def _session(self) -> bool:
        return bool(self.gccfg.NOVBUSSENS and self.gccfg.PWRDWN)

    @gotgctl.on_peek
    def _session_status(self, t_ps: int) -> Peek:
        bits = self.gotgctl.value | self.gotgctl.mask("CIDSTS")
        if self._session:
            bits |= self.gotgctl.mask("ASVLD" if self.gintsts.CMOD else "BSVLD")
        return Peek(bits, NEVER)

    @gccfg.on_write
    def _power(self, t_ps: int, written: int, before: int) -> None:
        if self.gccfg.PWRDWN and not self.gccfg.field("PWRDWN", before):
            self._check_clock()
        self._connect(t_ps)

    @dctl.on_write
    def _device(self, t_ps: int, written: int, before: int) -> None:
        for say, mute, stands, flag in (
            ("SGINAK", "CGINAK", "GINSTS", "GINAKEFF"),
            ("SGONAK", "CGONAK", "GONSTS", "GONAKEFF"),
        ):
            if self.dctl.field(say, written):
                self.dctl.set(**{stands: 1})
                self.gintsts.set(**{flag: 1})
            if self.dctl.field(mute, written):
                self.dctl.set(**{stands: 0})
                self.gintsts.set(**{flag: 0})
        self.dctl.set(SGINAK=0, CGINAK=0, SGONAK=0, CGONAK=0)
        if self.dctl.field("SDIS", before) != self.dctl.SDIS:
            self._connect(t_ps)
        self._request(t_ps)

    def _connect(self, t_ps: int) -> None:
        """Pull DP up, or let it go; idle lines suspend the bus."""
        on = self._session and not self.gintsts.CMOD and not self.dctl.SDIS
        if not on:
            for timer in self._idle:
                timer.cancel()
            self._idle.clear()
            self._dp.drive(t_ps, None)
            self.dsts.set(SUSPSTS=0)
        elif not self._idle:
            self._dp.drive(t_ps, 1)
            at = self.soc.scheduler.at
            self._idle = [
                at(t_ps + IDLE_PS, self._suspect),
                at(t_ps + 2 * IDLE_PS, self._suspend),
            ]

    def _suspect(self, t_ps: int) -> None:
        self.gintsts.set(ESUSP=1)
        self._request(t_ps)

    def _suspend(self, t_ps: int) -> None:
        self.gintsts.set(USBSUSP=1)
        self.dsts.set(SUSPSTS=1)
        self._request(t_ps)

    # ------------------------------------------------------------------ endpoints

    def _control(self, side: str, n: int, written: int) -> None:
        """One endpoint's control register: commands act and read as 0, nothing is transferred."""
        control = self.states[f"D{side}EPCTL{n}"]
        if control.field("SNAK", written):
            control.set(NAKSTS=1)
        elif control.field("CNAK", written):
            control.set(NAKSTS=0)
        for command in ("SNAK", "CNAK", "SD0PID_SEVNFRM", "SODDFRM"):
            if command in control.spec.fields:
                control.set(**{command: 0})
        if control.field("EPDIS", written) and control.field("EPENA", control.value | written):
            if control.field("EPENA", control.value):
                control.set(EPENA=0)
                self.states[f"D{side}EPINT{n}"].set(EPDISD=1)
            control.set(EPDIS=0)
        self._request(self.soc.now_ps)

    def _room(self, n: int) -> Peek:
        """DTXFSTS: an empty FIFO has all its words free."""
        words = self.hnptxfsiz.NPTXFD if n == 0 else self.states[f"DIEPTXF{n}"].INEPTXFD
        return Peek(words, NEVER)

    # ------------------------------------------------------------------ interrupts

    @daint.on_peek
    def _which(self, t_ps: int) -> Peek:
        return Peek(self._endpoints(), NEVER)

    def _endpoints(self) -> int:
        found = 0
        coming, going = self.doepmsk.value, self.diepmsk.value
        empty = self.diepempmsk.value << 7  # INEPTXFEM, a bit for each endpoint, over TXFE
        for n, state in enumerate(self._in):
            if state.value & (going | empty >> n & 0x80):
                found |= 1 << n
        for n, state in enumerate(self._out):
            if state.value & coming:
                found |= 0x10000 << n
        return found

    @gintsts.on_peek
    def _status(self, t_ps: int) -> Peek:
        mask, value = self.daintmsk.value, self.gintsts.value
        asked = self._endpoints() & mask if mask else 0
        if asked & 0xFFFF:
            value |= self.gintsts.mask("IEPINT")
        if asked >> 16:
            value |= self.gintsts.mask("OEPINT")
        return Peek(value, NEVER)

    @gintsts.on_write
    def _acknowledge(self, t_ps: int, written: int, before: int) -> None:
        self._request(t_ps)

    @gintmsk.on_write
    def _mask(self, t_ps: int, written: int, before: int) -> None:
        self._request(t_ps)

    @gahbcfg.on_write
    def _bus(self, t_ps: int, written: int, before: int) -> None:
        self._request(t_ps)

    @diepmsk.on_write
    def _in_mask(self, t_ps: int, written: int, before: int) -> None:
        self._request(t_ps)

    @doepmsk.on_write
    def _out_mask(self, t_ps: int, written: int, before: int) -> None:
        self._request(t_ps)

    @daintmsk.on_write
    def _both_mask(self, t_ps: int, written: int, before: int) -> None:
        self._request(t_ps)

    @diepempmsk.on_write
    def _empty_mask(self, t_ps: int, written: int, before: int) -> None:
        self._request(t_ps)

    def _request(self, t_ps: int) -> None:
        pending = self._status(t_ps).value & self.gintmsk.value
        self.irq(t_ps, "global", bool(self.gahbcfg.GINT and pending))

    def _gap(self, offset: int, access: str, size: int = 4) -> int:
        if access != "write" or not any(offset in block for block in LARGER):
            return super()._gap(offset, access, size)
        self.soc.hazard(
            "reserved-bits",
            f"{self.name} ends at endpoint {ENDPOINTS - 1}: write of a reserved register",
            section=self.spec.section,
            cure="keep to the endpoints that this core has",
        )
        return 0


PERIPHERAL = OtgFs
