"""A core that has one thing to do: straight code between one sleep and the next.

When all that is left for the core is lines that change at foreseen moments, nothing has to be
looked at after waking: there is only one thing that can have come. The SysTick, which needs no
clock gate, no NVIC and no flag but its own pending bit, times what is short enough; a 32-bit
timer whose round is as long as each step times the rest.
Source: Arm ARM DDI0403 B3.3 (SysTick), B3.2.4 (ICSR); RM0368 §13.3 (update events).
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fwgen.image.emission import Unit, WordLine
from fwgen.model.embedded.behaviour import AtBoot, Put
from fwgen.model.embedded.compose.jobs import Do, Walk
from fwgen.model.embedded.compose.rates import cycles
from fwgen.model.embedded.compose.setup import Stage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fwgen.model.embedded.behaviour import Line
    from fwgen.model.embedded.compose.jobs import Job
    from fwgen.model.embedded.compose.runtime import Runtime

_MOST = 400  # moments before the part that repeats
_TICKINT, _CLKSOURCE, _ENABLE = 2, 4, 1
_PENDSTCLR = 1 << 25
_GOOD, _PPM = 20, 1_000_000  # a tick more in a wait is nothing below 20 ppm
_UNROLLED = 10  # changes; longer timelines go through a table


@dataclass(frozen=True, slots=True)
class Timeline:
    """How lines begin, and what changes after which wait: once, then over and over.

    Waits are in picoseconds. Nothing to repeat: all is still after the last change.
    """

    begin: dict[Line, int]
    once: tuple[tuple[int, dict[Line, int]], ...]
    again: tuple[tuple[int, dict[Line, int]], ...]


def timeline(jobs: tuple[Job, ...]) -> Timeline | None:
    """All jobs as one course of events, or None when it cannot be foreseen or grows too long."""
    endless = [job for job in jobs if isinstance(job, Walk) and job.times is None]
    if not jobs or len(endless) > 1:
        return None
    for job in jobs:
        start = job.when.start
        if job.when.gate is not None or not isinstance(start, AtBoot):
            return None
        if isinstance(job, Do):
            if job.every_ps is not None or not all(isinstance(a, Put) for a in job.actions):
                return None
        elif not isinstance(job, Walk):
            return None
    moments: dict[int, dict[Line, int]] = {}
    levels: dict[Line, int] = {line: 0 for job in jobs for line in job.lines}
    begins = max((job.when.start.after_ps for job in endless), default=None)
    events = heapq.merge(*(_events(job, n) for n, job in enumerate(jobs) if job not in endless))
    for t, _, wanted in events:
        if len(moments) > _MOST:
            return None
        for line, what in wanted:
            level = 1 - _at(moments, levels, line, t) if what == 2 else what
            moments.setdefault(t, {})[line] = level
    if begins is not None and any(t > begins for t in moments):
        return None
    again: list[tuple[int, dict[Line, int]]] = []
    if endless:
        steps = endless[0].steps
        moments.setdefault(begins or 0, {}).update(dict(steps[0].levels))
        following = (*steps[1:], steps[0])
        again = [
            (now.duration_ps, dict(to.levels)) for now, to in zip(steps, following, strict=True)
        ]
    levels |= moments.pop(0, {})
    once, last, held = [], 0, dict(levels)
    for t in sorted(moments):
        changes = {line: level for line, level in moments[t].items() if held[line] != level}
        held |= changes
        if changes or t == begins:
            once.append((t - last, changes))
            last = t
    return Timeline(levels, tuple(once), tuple(again))


def _at(moments: dict[int, dict[Line, int]], levels: dict[Line, int], line: Line, t: int) -> int:
    found = levels[line]
    for moment in sorted(moments):
        if moment <= t:
            found = moments[moment].get(line, found)
    return found


def _events(job: Job, order: int) -> Iterator[tuple[int, int, list[tuple[Line, int]]]]:
    t = job.when.start.after_ps
    if isinstance(job, Do):
        how = {"on": 1, "off": 0, "toggle": 2}
        yield t, order, [(a.line, how[a.level]) for a in job.actions if isinstance(a, Put)]
        return
    assert isinstance(job, Walk)
    for step in (*job.steps * (job.times or 0), *job.tail):
        yield t, order, list(step.levels)
        t += step.duration_ps
    yield t, order - 1000, [(line, 0) for line in job.lines]


def _pruned(course: Timeline) -> Timeline:
    """The same without changes to what is so already, in every round."""
    items = [*course.once, *course.again]
    loop = len(course.once)
    before: list[list[dict[Line, int]]] = [[] for _ in items]
    held = dict(course.begin)
    for i in [*range(len(items)), *range(loop, len(items)), *range(loop, len(items))]:
        before[i].append(dict(held))
        held |= items[i][1]
    kept = [
        (wait, {x: v for x, v in changes.items() if any(old[x] != v for old in before[i])})
        for i, (wait, changes) in enumerate(items)
    ]
    return Timeline(course.begin, tuple(kept[:loop]), tuple(kept[loop:]))


class Solo:
    """The whole of what the core does, when it is one timeline."""

    def __init__(self, course: Timeline, rt: Runtime, timers: list[str]) -> None:
        self.rt = rt
        self.course = course = _pruned(course)
        self.waits = [wait for wait, _ in (*course.once, *course.again)]
        self.systick = self._divider() is not None
        self.timer = "" if self.systick or not self.waits else timers[0]

    @classmethod
    def fits(cls, course: Timeline, clock_hz: int, timers: list[str]) -> bool:
        """Whether something can time every wait to the cycle (or 20 ppm of the shortest)."""
        waits = [cycles(wait, clock_hz) for wait, _ in (*course.once, *course.again)]
        if len(waits) > _MOST or any(wait < 800 for wait in waits):
            return False
        drift = sum((abs(wait - round(wait)) for wait in waits), start=0 * cycles(0, 1))
        if waits and drift > sum(waits) / 50_000:
            return False
        return all(wait < 1 << 24 for wait in waits) or (
            bool(timers) and all(wait < 1 << 32 for wait in waits)
        )

    def _divider(self) -> int | None:
        spans = [cycles(wait, self.rt.silicon.clock_hz) for wait in self.waits]
        for divider in (1, 8):
            # The register must be rewritten within a tick: with HCLK / 8 that is too close.
            whole = divider == 1 or (
                len(set(spans)) == 1 and all(span % divider == 0 for span in spans)
            )
            if whole and all(2 <= span / divider <= 1 << 24 for span in spans):
                return divider
        return None

    def _ticks(self, wait: int) -> int:
        return round(cycles(wait, self.rt.silicon.clock_hz) / (self._divider() or 1))

    # ------------------------------------------------------------------ setting up

    def prepare(self) -> None:
        """Ask for the lines and for what times them."""
        rt, setup = self.rt, self.rt.setup
        for line, level in self.course.begin.items():
            rt.levels[line] = level
            setup.pin(line.pin, 1, note=f"{line.pin} ({line.name}) output")
            rt.use(rt.silicon.port(line.pin), 2)
        if not self.waits:
            return
        first = self._ticks(self.waits[0]) - 1
        if self.systick:
            source = _CLKSOURCE if self._divider() == 1 else 0
            setup.ask("SYSTICK_LOAD", first, Stage.VALUE, mask=0xFFFFFF, note="the first wait")
            # Whatever is written clears it (B3.3.5): what a register holds anyway does.
            setup.ask("SYSTICK_VAL", first, Stage.MODE, mask=0xFFFFFF, note="begin anew")
            setup.ask(
                "SYSTICK_CTRL", source | _TICKINT | _ENABLE, Stage.START, mask=7,
                note="counts, and pends the SysTick exception",
            )  # fmt: skip
            sites = 1 if self.needs_pointer else len(self.waits)
            rt.use("SCB", sites)
            if not self._uniform:
                rt.use("SYSTICK", 2 * sites)
            return
        setup.clock(self.timer)
        setup.ask(f"{self.timer}_ARR", first, Stage.VALUE, mask=0xFFFFFFFF, note="the first wait")
        setup.ask(f"{self.timer}_DIER", 1, Stage.MODE, note="an update interrupts")
        setup.ask(f"{self.timer}_CR1", 1, Stage.START, note=f"{self.timer} counts")
        irq = next(t.irq for t in rt.silicon.timers if t.name == self.timer)
        assert irq is not None
        rt.wake_by(irq)
        rt.use(self.timer, 5)
        rt.use("NVIC", 5)

    # ------------------------------------------------------------------ code

    def emit(self) -> None:
        """Code from the first sleep on."""
        _rt, code, course = self.rt, self.rt.code, self.course
        if not self.waits:
            code.label("idle")
            code.op("wfi", "nothing will ever happen")
            code.branch("b", "idle")
            return
        items = [*course.once, *course.again]
        self._odr = self._settled_levels(items, len(course.once))
        if len(items) > _UNROLLED and not course.once and self._beats():
            self._emit_beats()
        elif len(items) > _UNROLLED and not self._runs(course.once):
            self._emit_table(items)
        else:
            self._emit_straight()

    def pin_constants(self, often: tuple[int, ...]) -> None:
        """The constants that the loop asks for most often stay in registers for good."""
        code = self.rt.code
        if not self.loops:
            return
        keep = 1 + 2 * self._runs(self.course.once)
        keep += self.needs_pointer and not self._beats()
        keep += not self._bases() <= code.pinned
        spare = code.spare()[:-keep]
        for register, value in zip(spare, often, strict=False):
            code.pin(register, value)

    def _bases(self) -> frozenset[int]:
        """What the loop addresses."""
        rt = self.rt
        items = (*self.course.once, *self.course.again)
        names = {rt.silicon.port(line.pin) for _, changes in items for line in changes}
        if not self.systick:
            names |= {"NVIC", self.timer}
        elif not self._uniform:  # which reaches the SCB, too
            names.add("SYSTICK")
        else:
            names.add("SCB")
        return frozenset(rt.base(name) for name in names)

    @property
    def loops(self) -> bool:
        """Whether any of its code runs more than once."""
        return bool(self.course.again) or self._runs(self.course.once)

    def occupy(self) -> None:
        """Take the registers that tables are walked with."""
        if not self.needs_pointer:
            return
        self.rt.code.occupy("r4")
        if not self.course.once and self._beats():
            self.rt.code.occupy("r5")

    def _settled_levels(
        self, items: list[tuple[int, dict[Line, int]]], loop: int
    ) -> list[dict[Line, int] | None]:
        """Every line's level after each item, or None where it is not the same in each round."""
        held = dict(self.course.begin)
        first: list[dict[Line, int] | None] = []
        for _, changes in items:
            held |= changes
            first.append(dict(held))
        for i in range(loop, len(items)):
            held |= items[i][1]
            if held != first[i]:
                first[i] = None
        return first

    def _now(self, i: int) -> int:
        """What the reload register must hold before the sleep of item ``i``."""
        items = [*self.course.once, *self.course.again]
        if not self.systick:
            return self._ticks(items[i][0]) - 1
        following = i + 1 if i + 1 < len(items) else len(self.course.once)
        # The counter takes its next round from the register when this one ends.
        return self._ticks(items[following % len(items)][0]) - 1

    @property
    def _reload(self) -> int:
        name = "SYSTICK_LOAD" if self.systick else f"{self.timer}_ARR"
        return self.rt.silicon.address(name)

    @property
    def _uniform(self) -> bool:
        return len(set(self.waits)) == 1

    def _sleep(self, changes: dict[Line, int], after: dict[Line, int] | None) -> None:
        rt = self.rt
        rt.code.op("wfi", "sleep until it is time")
        if not self.systick:
            rt.code.store(0, rt.reg(self.timer, "SR"), comment="seen")
        self._change(changes, after)
        self._acknowledge()

    def _acknowledge(self) -> None:
        rt, code = self.rt, self.rt.code
        if self.systick:
            code.store(_PENDSTCLR, rt.silicon.address("SCB_ICSR"), comment="seen")
            return
        (irq,) = rt.irqs
        code.store(1 << irq % 32, rt.silicon.address(f"NVIC_ICPR{irq // 32}"), comment="seen")

    def _change(self, changes: dict[Line, int], after: dict[Line, int] | None) -> None:
        """Code: lines take levels; the port's whole latch where that takes fewer bytes."""
        rt, code, silicon = self.rt, self.rt.code, self.rt.silicon
        said = ", ".join(
            f"{line.name} {'on' if level else 'off'}" for line, level in changes.items()
        )
        for port, word in rt.bsrr(changes).items():
            bsrr, odr = silicon.address(f"{port}_BSRR"), silicon.address(f"{port}_ODR")
            if after is not None:
                latch = rt.bsrr({x: v for x, v in after.items() if silicon.port(x.pin) == port})
                whole = latch[port] & 0xFFFF
                if code.store_cost(whole, odr, 4) <= code.store_cost(word, bsrr, 4):
                    code.store(whole, odr, comment=said)
                    continue
            code.store(word, bsrr, comment=said)

    # ------------------------------------------------------------------ straight code

    @property
    def needs_pointer(self) -> bool:
        """Whether it walks over a table."""
        return len(self.waits) > _UNROLLED and not self._runs(self.course.once)

    def _emit_straight(self) -> None:
        _rt, code, course = self.rt, self.rt.code, self.course
        items = [*course.once, *course.again]
        loop = len(course.once)
        current: int | None = self._ticks(self.waits[0]) - 1
        i = 0
        while i < len(items):
            if i == loop:
                code.label("again")
                current = current if self._uniform else None
            wanted = self._now(i)
            if wanted != current and not self._uniform:
                code.store(wanted, self._reload, comment="how long the next wait is")
                current = wanted
            count = self._run_at(i)
            if count and i + count <= loop:
                self._emit_run(items[i][1], count)
                i += count
                continue
            self._sleep(items[i][1], self._odr[i])
            i += 1
        if course.again:
            code.branch("b", "again")
            return
        self._stop()

    def _stop(self) -> None:
        rt, code = self.rt, self.rt.code
        name = "SYSTICK_CTRL" if self.systick else f"{self.timer}_CR1"
        code.store(0, rt.silicon.address(name), comment="that was all: no more waking")
        if not self.systick:
            self._acknowledge()
        code.label("idle")
        code.op("wfi", "sleep for ever")
        code.branch("b", "idle")

    def _runs(self, once: tuple[tuple[int, dict[Line, int]], ...]) -> bool:
        return any(self._run_at(i) for i in range(len(once)))

    def _run_at(self, i: int) -> int:
        """How many items from ``i`` on turn the same lines of one port round, equally long."""
        items = self.course.once
        waits = [wait for wait, _ in (*items, *self.course.again)]
        count = 0
        while i + count < len(items):
            wait, changes = items[i + count]
            same = wait == items[i][0] and set(changes) == set(items[i][1])
            # What follows the last of them may be the first of what goes on for ever.
            following = waits[i + count + 1] if i + count + 1 < len(waits) else None
            if not same or (self.systick and following not in (None, wait)):
                break
            count += 1
        ports = (
            {self.rt.silicon.port(line.pin) for line in items[i][1]} if i < len(items) else set()
        )
        return count if count >= 4 and len(ports) == 1 else 0

    def _emit_run(self, changes: dict[Line, int], count: int) -> None:
        rt, code = self.rt, self.rt.code
        label = code.unique("turn")
        code.put("r1", count, comment="so often")
        with code.live("r1"):
            code.label(label)
            code.op("wfi", "sleep until it is time")
            if not self.systick:
                code.store(0, rt.reg(self.timer, "SR"), comment="seen")
            rt.toggle(tuple(changes), "turn round")
            self._acknowledge()
            code.op("subs r1, #1")
            code.branch("bne", label)
        code.forget()

    # ------------------------------------------------------------------ tables

    def _beats(self) -> bool:
        """Whether every item turns the same lines of one port round, in units of a byte."""
        items = self.course.again
        ports = {self.rt.silicon.port(line.pin) for line in items[0][1]}
        held = dict(self.course.begin)
        for _, changes in items:
            if set(changes) != set(items[0][1]) or any(held[x] == v for x, v in changes.items()):
                return False
            held |= changes
        return len(ports) == 1 and max(self._units()) < 256

    def _units(self) -> list[int]:
        from math import gcd

        ticks = [self._ticks(wait) for wait in self.waits]
        unit = gcd(*ticks)
        return [tick // unit for tick in ticks]

    def _emit_beats(self) -> None:
        rt, code = self.rt, self.rt.code
        units = self._units()
        unit = self._ticks(self.waits[0]) // units[0]
        (port,) = {rt.silicon.port(line.pin) for line in self.course.again[0][1]}
        begin = {x: v for x, v in self.course.begin.items() if rt.silicon.port(x.pin) == port}
        code.put("r5", rt.bsrr(begin)[port] & 0xFFFF, comment=f"the latch of {port}")
        at = self._pointer("beats", 1 if self.systick else 0)
        go = code.unique("go")
        code.label("again")
        code.op(f"ldrb r0, [{at}, #0]", "units of the next wait")
        code.op(f"adds {at}, #1")
        code.op("cmp r0, #0", "end of the table?")
        code.branch("bne", go)
        code.address(at, "beats", comment="from the beginning")
        code.branch("b", "again")
        code.label(go)
        with code.live("r0"):
            code.op(f"muls r0, {code.have(unit)}")
            if any(wait * _GOOD < _PPM for wait in map(self._ticks, self.waits)):
                code.op("subs r0, #1")
            code.save("r0", self._reload)
        code.op("wfi", "sleep until it is time")
        if not self.systick:
            code.store(0, rt.reg(self.timer, "SR"), comment="seen")
        mask = sum(1 << rt.silicon.index(line.pin) for line in self.course.again[0][1])
        code.op(f"eors r5, {code.have(mask)}", "turn round")
        code.save("r5", rt.silicon.address(f"{port}_ODR"))
        self._acknowledge()
        code.branch("b", "again")
        what = "how long on, off, on ..."
        rt.tables.append(Unit("beats", "bytes", data=bytes((*units, 0)), align=4, purpose=what))

    def _emit_table(self, items: list[tuple[int, dict[Line, int]]]) -> None:
        rt, code, silicon = self.rt, self.rt.code, self.rt.silicon
        ports = list(dict.fromkeys(silicon.port(x.pin) for _, c in items for x in c))
        size = 4 * (1 + len(ports))
        at = self._pointer("steps", 0)
        code.label("again")
        regs = ["r0", "r1"]
        code.op(f"ldmia {at}!, {{{', '.join(regs)}}}", "the wait, and the levels after it")
        with code.live(*regs):
            code.save("r0", self._reload)
            code.op("wfi", "sleep until it is time")
            if not self.systick:
                code.store(0, rt.reg(self.timer, "SR"), comment="seen")
            for n, port in enumerate(ports):
                register = regs[n + 1] if n + 1 < len(regs) else "r1"
                if n + 1 >= len(regs):
                    code.op(f"ldmia {at}!, {{r1}}")
                code.save(register, silicon.address(f"{port}_BSRR"))
            self._acknowledge()
        code.address("r0", "steps", len(items) * size)
        code.op(f"cmp {at}, r0", "end of the table?")
        code.branch("bne", "again")
        if self.course.again:
            code.address(at, "steps", len(self.course.once) * size, "from where it repeats")
            code.branch("b", "again")
        else:
            self._stop()
        words = []
        for i, (_, changes) in enumerate(items):
            said = ", ".join(f"{x.name} {'on' if v else 'off'}" for x, v in changes.items())
            words.append(WordLine(str(self._now(i)), said))
            bsrr = rt.bsrr(changes)
            words += [WordLine(f"0x{bsrr.get(port, 0):08X}", f"{port}_BSRR") for port in ports]
        rt.tables.append(Unit("steps", "words", tuple(words), purpose="waits and levels"))

    def _pointer(self, table: str, plus: int) -> str:
        """A low register, pinned to nothing, that walks over a table."""
        self.rt.code.address("r4", table, plus)
        return "r4"
