"""What every direct program stands on: bringing the chip up, the SysTick, lines, sleep.

Interrupts stay masked (PRIMASK): what is pending ends WFI but is never taken. The SysTick's
pending bit is cleared in the ICSR; no other interrupt controller is needed.
Source: Arm ARM DDI0403 B1.5.19, B3.3; PM0214 §4.4.3, §4.5.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import gcd
from typing import TYPE_CHECKING

from fwgen.model.embedded.compose.rates import cycles, over_clock
from fwgen.model.embedded.compose.setup import Setup, Stage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from fwgen.image.emission import Unit
    from fwgen.model.embedded.behaviour import Line
    from fwgen.model.embedded.compose.blocks.wave import WaveBlock
    from fwgen.model.embedded.compose.direct.sharp import Sharp
    from fwgen.model.embedded.compose.silicon import Silicon

RELOADS = 1 << 24  # the SysTick counts 24 bits
_GOOD_PPM = 20
_RESTART = 3  # cycles at least from a tick to the write that begins the next
_UNLIKE = _RESTART * 10_000  # counts at least, where ticks differ: they drift by 100 ppm at most
_ENABLE, _TICKINT, _CORE_CLOCK = 1, 2, 4
_PENDSTCLR = 1 << 25
_LONGEST = 20_000  # ticks that one wait may count


@dataclass(frozen=True, slots=True)
class Beating:
    """How the SysTick makes each duration (ps): so many ticks of so many counts.

    ``divide`` is 8 where it counts HCLK / 8.
    """

    divide: int
    ticks: tuple[tuple[int, int, int], ...]  # duration, how many ticks, counts of each

    @property
    def varies(self) -> bool:
        """Whether not all ticks are equally long."""
        return len({counts for _, _, counts in self.ticks}) > 1

    def of(self, duration_ps: int) -> tuple[int, int]:
        """How many ticks, and the counts of each."""
        return next((n, counts) for ps, n, counts in self.ticks if ps == duration_ps)


def beatings(durations: Iterable[int], clock_hz: int) -> list[Beating]:
    """Every sensible way to make these durations; none when they are out of reach."""
    found: list[Beating] = []
    wanted = tuple(dict.fromkeys(durations))
    for divide in (1, 8):
        spans = [cycles(ps, clock_hz) / divide for ps in wanted]
        whole = [round(span) for span in spans]
        if any(abs(n - s) * 1_000_000 > _GOOD_PPM * s for n, s in zip(whole, spans, strict=True)):
            continue
        unit = 0
        for n in whole:
            unit = gcd(unit, n)
        parts = next((k for k in range(1, 4096) if unit % k == 0 and unit // k <= RELOADS), None)
        ways = []
        if parts is not None:
            ways.append([(n // (unit // parts), unit // parts) for n in whole])
        own = [(-(-n // RELOADS), n) for n in whole]
        ways.append([(k, round(Fraction(n, k))) for k, n in own])
        for way in ways:
            made = Beating(
                divide, tuple((ps, k, c) for ps, (k, c) in zip(wanted, way, strict=True))
            )
            least = _UNLIKE if made.varies and divide == 1 else 2
            fine = all(k <= _LONGEST and c >= least for k, c in way)
            if fine and made not in found:
                found.append(made)
    return found


class BringUp(Setup):
    """Setup with something useful to do while a clock that comes on settles."""

    def emit_with(self, code: Sharp, meanwhile: Sequence[Callable[[], None]]) -> None:
        """Write every register that must differ from reset; ``meanwhile`` needs no clock."""
        gated: dict[str, int] = {}
        done = False
        for stage in Stage:
            left = {
                name: register
                for name, register in self._registers.items()
                if register.stage is stage
                and (register.value != register.reset or name.startswith("NVIC"))
            }
            while left:
                name = min(
                    left,
                    key=lambda n: (
                        self._plan(code, n)[0] + 2 * self._too_soon(code, n, gated),
                        self._silicon.address(n),
                    ),
                )
                if stage is not Stage.CLOCK and not done:
                    done = True
                    for action in meanwhile:
                        action()
                for _ in range(self._too_soon(code, name, gated)):
                    code.op("nop", "a clock that comes on takes two cycles")
                self._write(code, name, left.pop(name))
                if stage is Stage.CLOCK:
                    gated[name] = code.count
        if not done:
            for action in meanwhile:
                action()


class Ground:
    """One build: the assembler, the registers to set, and the SysTick."""

    def __init__(self, silicon: Silicon, code: Sharp, beating: Beating | None) -> None:
        self.silicon = silicon
        self.code = code
        self.setup = BringUp(silicon)
        self.beating = beating
        self.tables: list[Unit] = []

    # ------------------------------------------------------------------ bringing up

    def begin(
        self,
        waves: Sequence[WaveBlock],
        levels: dict[Line, int],
        *meanwhile: Callable[[], None],
    ) -> None:
        """From reset to where the first step runs: outputs at their levels, waves running."""
        for wave in waves:
            wave.prepare(self.setup, self.silicon.clock_hz)
        for line, level in levels.items():
            self.setup.level(line.pin, line.active if level else 1 - line.active)
            self.setup.pin(line.pin, 1, note=f"{line.pin} ({line.name}) output")
        self.code.op("cpsid i", "interrupts wake, but are never taken")
        self.setup.emit_with(self.code, meanwhile)

    # ------------------------------------------------------------------ time

    def counts_text(self, counts: int) -> str:
        """LOAD for so many counts, in terms of the clock."""
        assert self.beating is not None
        return f"{over_clock(counts * self.beating.divide, self.silicon.clock_hz)}" + (
            f" / {self.beating.divide} - 1" if self.beating.divide > 1 else " - 1"
        )

    def reload(self, counts: int) -> None:
        """A tick is so many counts from now on.

        Where ticks change, "now" is always some cycles after the tick that woke the core, which
        the reload makes up for; where it counts HCLK / 8 they are within a count.
        """
        assert self.beating is not None
        code, divide = self.code, self.beating.divide
        if code.state.get("LOAD") == counts:
            return
        late = _RESTART if self.beating.varies and divide == 1 else 0
        text = self.counts_text(counts) + (f" - {late}" if late else "")
        load = self.silicon.address("SYST_RVR")
        base, offset = code.place(load)
        register = code.have(counts - 1 - late, text, avoid=base)
        code.put_at(register, base, offset, comment="SYST_RVR: so long is a tick")
        code.put_at(register, base, offset + 4, comment="SYST_CVR: from now on")
        code.state["LOAD"] = counts

    def run(self) -> None:
        """The SysTick counts."""
        assert self.beating is not None
        how = _ENABLE | _TICKINT | (_CORE_CLOCK if self.beating.divide == 1 else 0)
        what = "HCLK / 8" if self.beating.divide > 1 else "HCLK"
        self.code.store(how, self.silicon.address("SYST_CSR"), comment=f"SYST_CSR: count {what}")

    def halt(self) -> None:
        """The SysTick counts no more."""
        self.code.store(0, self.silicon.address("SYST_CSR"), comment="SYST_CSR: no more ticks")

    def wait(self, duration_ps: int) -> None:
        """Sleep until so much time has passed since the last tick."""
        assert self.beating is not None
        number, counts = self.beating.of(duration_ps)
        self.reload(counts)
        self.ticks(number)

    def ticks(self, number: int) -> None:
        """Sleep for so many ticks."""
        code = self.code
        if number <= 2:
            for _ in range(number):
                self.tick()
            return
        left = code.take()
        code.op_put(left, number, f"{number} ticks")
        with code.loop("tick", code.weight * number) as head:
            self.tick()
            code.op(f"subs {left}, #1")
            code.branch("bne", head)
        code.release(left)

    def tick(self) -> None:
        """Sleep until the next tick."""
        self.code.op("wfi", "sleep until the tick")
        self.seen()

    def seen(self) -> None:
        """The tick is no longer pending."""
        self.code.store(_PENDSTCLR, self.silicon.address("SCB_ICSR"), comment="PENDSTCLR: seen")

    def rest(self) -> None:
        """Sleep for ever."""
        code = self.code
        with code.loop("rest", 0.0) as head:
            code.op("wfi", "sleep for ever")
            code.branch("b", head)

    # ------------------------------------------------------------------ lines

    def drive(self, before: dict[Line, int], after: dict[Line, int]) -> None:
        """Take lines from levels to levels: a store for each port, what goes off first."""
        ports: dict[str, list[Line]] = {}
        for line, level in after.items():
            if before[line] != level:
                ports.setdefault(self.silicon.port(line.pin), []).append(line)
        order = sorted(ports, key=lambda p: (any(after[x] for x in ports[p]), p))
        for port in order:
            self._drive(port, before, after)

    def _drive(self, port: str, before: dict[Line, int], after: dict[Line, int]) -> None:
        code = self.code
        old, new = self.word(port, before), self.word(port, after)
        odr, bsrr = (self.silicon.address(f"{port}_{r}") for r in ("ODR", "BSRR"))
        up, down = new & ~old, old & ~new
        ways: list[tuple[int, int, int]] = [(new, odr, 4), (up | down << 16, bsrr, 4)]
        changed = up | down
        for at in (0, 1):
            if not changed & ~(0xFF << 8 * at):
                ways.append((new >> 8 * at & 0xFF, odr + at, 1))
        if not down:
            ways.append((up, bsrr, 2))
        if not up:
            ways.append((down, bsrr + 2, 2))
        value, address, width = min(ways, key=lambda way: code.store_cost(*way))
        said = [
            f"{line.name} {'on' if after[line] else 'off'}"
            for line in after
            if self.silicon.port(line.pin) == port and before[line] != after[line]
        ]
        code.store(value, address, width, comment=", ".join(said))

    def word(self, port: str, levels: dict[Line, int]) -> int:
        """A port's ODR when its lines have these levels."""
        word = 0
        for line, level in levels.items():
            if self.silicon.port(line.pin) == port and bool(level) == bool(line.active):
                word |= 1 << self.silicon.index(line.pin)
        return word
