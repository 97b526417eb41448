"""A score in machine code: waits and stores one after another, loops where it repeats itself.

straight   each change is a store; repeated stretches are counted loops
turns      equal steps that turn the same lines round: one counted loop of a turn
table      one alternation for ever: a table of bytes says how long each state lasts
"""

from __future__ import annotations

from dataclasses import dataclass
from math import gcd
from typing import TYPE_CHECKING

from fwgen.image.emission import Unit
from fwgen.model.embedded.compose.direct.ground import RELOADS, Beating, Ground, beatings
from fwgen.model.embedded.compose.direct.sharp import settle
from fwgen.model.embedded.compose.rates import cycles, over_clock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from fwgen.model.embedded.behaviour import Line
    from fwgen.model.embedded.compose.blocks.wave import WaveBlock
    from fwgen.model.embedded.compose.direct.score import Score
    from fwgen.model.embedded.compose.direct.sharp import Sharp
    from fwgen.model.embedded.compose.silicon import Silicon

_HOISTS = (8, 4, 2, 0)
_SPREAD = 10  # a straight stretch longer than this is a table's affair
_LONGEST_BODY = 12
_BYTE = 255
_FINE = 20_000  # counts: of these one more or less is nothing

Levels = dict["Line", int]


@dataclass(frozen=True, slots=True)
class Made:
    """Code that was built: how, what it costs, and what goes behind it."""

    how: str
    code: Sharp
    tables: tuple[Unit, ...]
    bytes: int
    awake: float

    @property
    def price(self) -> float:
        """Fewer bytes come first; halving the time awake is worth four of them."""
        from math import log2

        return self.bytes + 4 * log2(self.awake + 1)


@dataclass(frozen=True, slots=True)
class _Pair:
    """Wait, then take the lines from levels to levels."""

    wait_ps: int
    before: tuple[tuple[Line, int], ...]
    after: tuple[tuple[Line, int], ...]

    @property
    def changes(self) -> tuple[tuple[Line, int], ...]:
        """Which lines change, and to what."""
        old = dict(self.before)
        return tuple((line, level) for line, level in self.after if old[line] != level)

    @property
    def turned(self) -> tuple[Line, ...]:
        """Which lines change."""
        return tuple(line for line, _ in self.changes)


def made_of(
    how: str,
    silicon: Silicon,
    beating: Beating | None,
    build: Callable[[Ground], None],
    seconds: float = 10,
) -> Iterator[Made]:
    """Builds of one program with more and with fewer constants loaded beforehand.

    ``seconds``: what runs once is thought to run once in so long.
    """
    most = _HOISTS[0]
    for hoist in _HOISTS:
        if hoist > most:
            continue  # no loop loads so many constants: it would be the same again
        last: list[Ground] = []

        def once(code: Sharp, last: list[Ground] = last) -> None:
            code.weight = 1 / seconds
            ground = Ground(silicon, code, beating)
            last[:] = [ground]
            build(ground)

        code = settle(silicon.facts, hoist, once)
        if code is None:
            continue
        most = min(most, max((len(x) for x in code.loads), default=0)) - 1
        tables = tuple(last[0].tables)
        code.units("reset", "", tables)  # literals and branches find their places
        yield Made(how, code, tables, code.size(tables), code.awake)


def play(score: Score, waves: Sequence[WaveBlock], silicon: Silicon) -> list[Made]:
    """Every way to play a score."""
    found: list[Made] = []
    pairs, loop_from = _pairs(score)
    if not pairs:
        return []
    once = sum(b.duration_ps for b in score.first) + 3 * sum(b.duration_ps for b in score.round)
    seconds = max(2, once / 10**12)
    table = _Table.of(score, waves, silicon)
    for beating in beatings((p.wait_ps for p in pairs), silicon.clock_hz):
        if table is None or len(pairs) <= _SPREAD:
            straight = _Straight(score, waves, pairs, loop_from)
            for wide in (False, True):
                straight.wide = wide
                found += made_of("straight-line code", silicon, beating, straight.build, seconds)
    if table is not None:
        beating = Beating(1, ())
        for wide in (False, True):
            table.wide = wide
            found += made_of("a table of durations", silicon, beating, table.build, seconds)
    return found


def _regular(pairs: Sequence[_Pair]) -> bool:
    return len({p.turned for p in pairs}) == 1


def _pairs(score: Score) -> tuple[list[_Pair], int | None]:
    """What follows the levels at reset; from which pair on it goes round (None: nowhere)."""
    beats = [*score.first, *score.round]
    if score.round:
        beats.append(score.round[0])
    levels = [b.levels for b in beats]
    waits = [b.duration_ps for b in beats]
    if not score.round:
        levels.append(score.rest)
    count = len(levels) - 1
    pairs = [_Pair(waits[i], levels[i], levels[i + 1]) for i in range(count)]
    return pairs, len(score.first) if score.round else None


class _Straight:
    def __init__(
        self,
        score: Score,
        waves: Sequence[WaveBlock],
        pairs: list[_Pair],
        loop_from: int | None,
    ) -> None:
        self.score, self.waves = score, waves
        self.pairs, self.loop_from = pairs, loop_from
        self.wide = False

    def build(self, ground: Ground) -> None:
        """The whole program."""
        code = ground.code
        assert ground.beating is not None
        _, counts = ground.beating.of(self.pairs[0].wait_ps)
        ground.begin(self.waves, self.score.begin, lambda: ground.reload(counts))
        ground.run()
        if not self.wide:
            code.have(ground.silicon.address("SCB_ICSR") & ~0xFF)
        split = len(self.pairs) if self.loop_from is None else self.loop_from
        self._stretch(ground, self.pairs[:split])
        if self.loop_from is None:
            ground.halt()
            ground.rest()
            return
        body = self.pairs[split:]
        period = sum(p.wait_ps for p in body) / 10**12
        with code.loop("again", 1 / period) as head:
            self._stretch(ground, body)
            code.branch("b", head)

    def _stretch(self, ground: Ground, pairs: list[_Pair]) -> None:
        at = 0
        while at < len(pairs):
            turns = self._turns(pairs, at)
            size, times = self._repeats(pairs, at)
            if turns >= 3 and turns >= size * times - 1:
                self._turn(ground, pairs[at : at + turns])
                at += turns
            elif times > 1 and (times - 1) * size > 1:
                self._repeat(ground, pairs[at : at + size], times)
                at += size * times
            else:
                ground.wait(pairs[at].wait_ps)
                ground.drive(dict(pairs[at].before), dict(pairs[at].after))
                at += 1

    @staticmethod
    def _turns(pairs: list[_Pair], at: int) -> int:
        """How many pairs from here on turn the same lines round after the same time."""
        first = pairs[at]
        n = at
        while n < len(pairs) and (pairs[n].wait_ps, pairs[n].turned) == (
            first.wait_ps, first.turned
        ):  # fmt: skip
            n += 1
        return n - at

    @staticmethod
    def _repeats(pairs: list[_Pair], at: int) -> tuple[int, int]:
        """The stretch from here on that repeats itself best: its length, and how often."""
        best, key = (1, 1), 0
        for size in range(1, min(_LONGEST_BODY, (len(pairs) - at) // 2) + 1):
            body = [(p.wait_ps, p.changes) for p in pairs[at : at + size]]
            times = 1
            while True:
                start = at + times * size
                more = [(p.wait_ps, p.changes) for p in pairs[start : start + size]]
                if more != body:
                    break
                times += 1
            if times > 1 and (times - 1) * size > key:
                best, key = (size, times), (times - 1) * size
        return best

    def _repeat(self, ground: Ground, body: list[_Pair], times: int) -> None:
        code = ground.code
        left = code.take()
        code.op_put(left, times, f"{times} times")
        with code.loop("round", code.weight * times) as head:
            self._stretch(ground, body)
            code.op(f"subs {left}, #1", "one time less")
            code.branch("bne", head)
        code.release(left)

    def _turn(self, ground: Ground, run: list[_Pair]) -> None:
        """The same lines turned round again and again: the port's levels stay in a register."""
        code, silicon = ground.code, ground.silicon
        times = len(run)
        before, after = dict(run[0].before), dict(run[-1].after)
        ports = {silicon.port(line.pin) for line in run[0].turned}
        if len(ports) > 1:
            for pair in run:
                ground.wait(pair.wait_ps)
                ground.drive(dict(pair.before), dict(pair.after))
            return
        port = ports.pop()
        odr = silicon.address(f"{port}_ODR")
        old, new = ground.word(port, before), ground.word(port, after)
        mask = ground.word(port, before) ^ ground.word(port, dict(run[0].after))
        _, counts = ground.beating.of(run[0].wait_ps) if ground.beating else (0, 0)
        ground.reload(counts)
        bit = mask.bit_length() - 1
        used = sum(1 << silicon.index(x.pin) for x in before if silicon.port(x.pin) == port)
        spread = ((1 << times.bit_length()) - 1) << bit
        even = mask == 1 << bit and new == 0 and not old & ~mask and not used & spread & ~mask
        left = code.take()
        code.op_put(left, times, f"{times} turns")
        if even and times.bit_length() + bit < 32:
            wide = 4 if times.bit_length() + bit <= 16 else 2  # bits 31:16 of ODR are reserved
            self._count_down(ground, run[0], left, bit, odr, wide)
            code.release(left)
            return
        shadow = code.take()
        code.op_put(shadow, old, f"the levels of {port}")
        with code.loop("turn", code.weight * times) as head:
            ground.ticks(ground.beating.of(run[0].wait_ps)[0] if ground.beating else 1)
            turned = code.have(mask)
            code.op(f"eors {shadow}, {turned}", "turn round")
            code.save(shadow, odr, comment=", ".join(x.name for x in run[0].turned))
            code.op(f"subs {left}, #1")
            code.branch("bne", head)
        code.release(left, shadow)

    def _count_down(
        self, ground: Ground, pair: _Pair, left: str, bit: int, odr: int, wide: int
    ) -> None:
        """What is left to do, odd or even, is the level itself; other pins are no outputs."""
        code = ground.code
        times = pair.wait_ps
        level = code.take()
        with code.loop("turn", code.weight * 4) as head:
            ground.ticks(ground.beating.of(times)[0] if ground.beating else 1)
            code.op(f"subs {left}, #1", "one turn less")
            if bit:
                code.op(f"lsls {level}, {left}, #{bit}", "odd: on")
            said = ", ".join(x.name for x in pair.turned)
            code.save(level if bit else left, odr, wide, comment=said)
            code.branch("bne", head)
        code.release(level)


class _Table:
    """One alternation for ever; each duration is a byte, in units."""

    def __init__(self, score: Score, waves: Sequence[WaveBlock], unit: int, port: str) -> None:
        self.score, self.waves, self.unit, self.port = score, waves, unit, port
        self.wide = False

    @classmethod
    def of(cls, score: Score, waves: Sequence[WaveBlock], silicon: Silicon) -> _Table | None:
        """A table, or None where it would not do."""
        if score.first or len(score.round) < 3 or len(score.round) % 2:
            return None
        pairs, _ = _pairs(score)
        ports = {silicon.port(line.pin) for line in pairs[0].turned}
        if not _regular(pairs) or len(ports) > 1:
            return None
        unit = 0
        for beat in score.round:
            unit = gcd(unit, beat.duration_ps)
        counts = cycles(unit, silicon.clock_hz)
        longest = max(beat.duration_ps // unit for beat in score.round)
        if (
            counts.denominator > 1
            or longest > _BYTE
            or (not counts >= _FINE and longest * counts < RELOADS)
        ):
            return None
        return cls(score, waves, unit, ports.pop())

    def build(self, ground: Ground) -> None:
        """The whole program. A reload written now counts from the next tick on."""
        code, silicon = ground.code, ground.silicon
        units = [beat.duration_ps // self.unit for beat in self.score.round]
        counts = int(cycles(self.unit, silicon.clock_hz))
        load = silicon.address("SYST_RVR")
        pairs, _ = _pairs(self.score)
        old, new = (ground.word(self.port, dict(x)) for x in (pairs[0].before, pairs[0].after))
        ground.beating = Beating(1, ())

        def first() -> None:
            load = silicon.address("SYST_RVR")
            base, offset = code.place(load)
            value = units[0] * counts
            register = code.have(value, over_clock(value, silicon.clock_hz), avoid=base)
            code.put_at(register, base, offset, comment="SYST_RVR: the first duration")
            code.put_at(register, base, offset + 4, comment="SYST_CVR: from now on")

        ground.begin(self.waves, self.score.begin, first)
        ground.run()
        if not self.wide:
            code.have(silicon.address("SCB_ICSR") & ~0xFF)
        at, step, shadow = code.take(), code.take(), code.take()
        code.op_put(shadow, old, f"the levels of {self.port}")
        label = "durations"
        period = sum(b.duration_ps for b in self.score.round) / 10**12
        with code.loop("round", 1 / period) as again:
            code.address(at, label, comment="from the beginning")
            with code.loop("step", len(units) / period) as head:
                code.op(f"ldrb {step}, [{at}, #0]", "how long the next state lasts")
                code.op(f"adds {at}, #1")
                code.op(f"cmp {step}, #0")
                code.branch("beq", again)
                # A count more than it should be, each time: less than a millionth.
                unit = code.have(counts, over_clock(counts, silicon.clock_hz))
                code.op(f"muls {step}, {unit}")
                code.save(step, load, comment="SYST_RVR: after this tick")
                ground.tick()
                mask = code.have(old ^ new)
                code.op(f"eors {shadow}, {mask}", "turn round")
                code.save(shadow, silicon.address(f"{self.port}_ODR"))
                code.branch("b", head)
        data = bytes((*units[1:], units[0], 0))
        ground.tables.append(
            Unit(label, "bytes", data=data, align=4, purpose="units of off, on, off ...")
        )
