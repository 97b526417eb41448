"""Independent watchdog of the STM32F4. RM0368 §15."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwgen.machine.peripheral import Peek, Peripheral, Reg, Register
from fwgen.machine.time import NEVER
from fwgen.trace import Hazard
from fwgen.units import PS_PER_MS, show_duration

if TYPE_CHECKING:
    from fwgen.board.types import PeripheralSpec
    from fwgen.machine.soc import Soc
    from fwgen.machine.time import Timer

UNLOCK, RELOAD, START = 0x5555, 0xAAAA, 0xCCCC
SET_UP_PS = 10 * PS_PER_MS  # a reload this soon after the start belongs to setting it up
UPDATE_TICKS = 5  # "it takes up to 5 RC 40 kHz cycles" to carry PR and RLR over (§15.4.4)


class Iwdg(Peripheral, registers="stm32.iwdg_v1"):
    """A down-counter on the LSI that resets the chip unless it is fed. RM0368 §15.3.

    Once started it runs until a reset. PR and RLR take effect five LSI cycles after the write,
    RLR then with the next reload; both stand still while the LSI does, as PVU and RVU show.
    Feeding costs no event: the deadline is looked at when the first one comes.

    While a debugger halts the core it stands still if DBGMCU says so.

    Not modelled: start by the option bytes (hardware watchdog). A reload is taken to restart the
    prescaler too.
    """

    kr, pr, rlr, sr = Reg(), Reg(), Reg(), Reg()

    def __init__(self, spec: PeripheralSpec, soc: Soc) -> None:
        super().__init__(spec, soc)
        self._lsi = soc.clock("LSI")
        self._lsi.on_change(self._on_lsi)
        self._alarm: Timer | None = None
        self._carried: dict[str, Timer] = {}
        self._start()

    def _start(self) -> None:
        self._running = self._unlocked = False
        self._count = 0xFFF  # of the down-counter at tick _since
        self._since = 0
        self._prescaler = 4
        self._reload = 0xFFF
        self._started_ps = self._fed_ps = 0
        self._frozen = False
        self._due: dict[str, int] = {}  # PVU, RVU -> LSI tick at which the value is carried over

    def on_reset(self, t_ps: int) -> None:
        """Stopped, locked, longest period."""
        for timer in (self._alarm, *self._carried.values()):
            if timer is not None:
                timer.cancel()
        self._alarm = None
        self._carried.clear()
        self._start()

    def standby(self, t_ps: int) -> None:
        """It goes on, and resets the chip out of Standby (§15.3)."""

    def freeze(self, t_ps: int, *, frozen: bool) -> None:
        """Stand still, where DBG_IWDG_STOP asks for it (§23.16.4)."""
        dbgmcu = self.soc.peripherals.get("DBGMCU")
        if frozen and not (dbgmcu is not None and dbgmcu.freezes(self.name)):  # type: ignore[attr-defined]
            return
        if frozen != self._frozen:
            self._count, self._since = self._now(t_ps), self._lsi.ticks_at(t_ps)
            self._frozen = frozen
            self._arm()

    def unfinished(self, t_ps: int) -> tuple[Hazard, ...]:
        """A run that ends before the first deadline shows no feeding, so the reset is to come."""
        if not self._running or self._fed_ps > self._started_ps + SET_UP_PS:
            return ()
        left = show_duration(max(0, self._deadline - t_ps), 3)
        said = f"{self.name} was started and never fed: it resets the chip {left} after this run"
        return (Hazard.of("watchdog-unfed", said, max(0, t_ps - 1)),)

    @property
    def watches(self) -> bool:
        """Once started it resets whoever does not feed it (§15.3)."""
        return self._running

    # ------------------------------------------------------------------ registers

    @kr.on_write
    def _key(self, t_ps: int, written: int, _before: int) -> None:
        key = written & 0xFFFF
        self._unlocked = key == UNLOCK
        if key == RELOAD:
            self._fed_ps = t_ps
            self._load(t_ps, self._reload)
        elif key == START and not self._running:
            self._running = True
            self._started_ps = self._fed_ps = t_ps
            force = getattr(self.soc.peripherals.get("RCC"), "force_lsi", None)
            if force is not None:
                force(t_ps)
            self._load(t_ps, 0xFFF)  # "counts down from the reset value of 0xFFF" (§15.3)

    @pr.on_write
    def _prescaler_written(self, t_ps: int, _written: int, before: int) -> None:
        self._carry(t_ps, self.pr, before, "PVU")

    @rlr.on_write
    def _reload_written(self, t_ps: int, _written: int, before: int) -> None:
        self._carry(t_ps, self.rlr, before, "RVU")

    @sr.on_peek
    def _status(self, t_ps: int) -> Peek:
        return Peek(self.sr.value, NEVER)  # changes come with an event

    def _carry(self, t_ps: int, register: Register, before: int, flag: str) -> None:
        """A write to PR or RLR: kept out while locked, else under way for some LSI cycles."""
        if not self._unlocked:
            register.value = before
            self._warn(
                f"{register.name} written while write-protected: the write is lost",
                f"write {UNLOCK:#x} to KR first",
            )
            return
        if flag in self._due:
            register.value = before
            self._warn(
                f"{register.name} written while {flag} is set: the write is lost",
                f"wait until {flag} in SR is 0",
            )
            return
        self.sr.set(**{flag: 1})
        self._due[flag] = self._lsi.ticks_at(t_ps) + UPDATE_TICKS
        self._await(flag)

    def _warn(self, what: str, cure: str) -> None:
        self.soc.hazard(
            "watchdog-write",
            f"{self.name}.{what}",
            cure=cure,
        )

    # ------------------------------------------------------------------ time

    def _await(self, flag: str) -> None:
        at = min(NEVER, self._lsi.time_of(self._due[flag]))
        self._carried[flag] = self.soc.scheduler.at(at, lambda t: self._carry_over(t, flag))

    def _carry_over(self, t_ps: int, flag: str) -> None:
        del self._due[flag], self._carried[flag]
        self.sr.set(**{flag: 0})
        if flag == "RVU":
            self._reload = self.rlr.RL
            return
        self._count, self._since = self._now(t_ps), self._lsi.ticks_at(t_ps)
        self._prescaler = 4 << min(self.pr.PR, 6)
        self._arm()

    def _now(self, t_ps: int) -> int:
        if self._frozen:
            return self._count
        return self._count - (self._lsi.ticks_at(t_ps) - self._since) // self._prescaler

    def _load(self, t_ps: int, value: int) -> None:
        self._count, self._since = value, self._lsi.ticks_at(t_ps)
        if self._alarm is None or not self._alarm.pending or self._deadline < self._alarm.t_ps:
            self._arm()

    @property
    def _deadline(self) -> int:
        tick = self._since + (self._count + 1) * self._prescaler
        return min(NEVER, self._lsi.time_of(tick))

    def _arm(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        if self._running and not self._frozen and self._deadline < NEVER:
            self._alarm = self.soc.scheduler.at(self._deadline, self._look)

    def _look(self, t_ps: int) -> None:
        self._alarm = None
        if self._deadline > t_ps:  # fed meanwhile
            self._arm()
            return
        self._running = False
        period = (self._count + 1) * self._prescaler
        waited = self._lsi.time_of(self._since + period) - self._lsi.time_of(self._since)
        self.soc.hazard(
            "watchdog-expired",
            f"{self.name} was not fed for {show_duration(waited, 4)}: it resets the chip",
            cure=f"write {RELOAD:#x} to KR more often than that",
        )
        self.soc.request_reset(t_ps, "IWDGRSTF")

    def _on_lsi(self, _t_ps: int) -> None:
        """The LSI started, stopped or was trimmed: deadlines move."""
        for flag in tuple(self._due):
            self._carried[flag].cancel()
            self._await(flag)
        self._arm()


PERIPHERAL = Iwdg
