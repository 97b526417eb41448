"""A timer channel that drives a pin by itself: the core has nothing to do, ever.

PWM mode rather than toggle mode: the level then follows from the counter alone, so the line
begins with its first step at once (RM0368 §13.3.9). Mode 1 begins on, mode 2 off; a line that is
on when low is turned round by the channel's polarity.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fwgen.model.embedded.compose.jobs import Walk
from fwgen.model.embedded.compose.rates import Wave, over_clock, wave
from fwgen.model.embedded.compose.setup import Stage

if TYPE_CHECKING:
    from fwgen.model.embedded.behaviour import Line
    from fwgen.model.embedded.compose.jobs import Job
    from fwgen.model.embedded.compose.setup import Setup
    from fwgen.model.embedded.compose.silicon import Output, Silicon

_MOE = 1 << 15  # BDTR: main output enable, of advanced timers
_PWM = {1: 0b110, 0: 0b111}  # OCxM by the level of the first step


def fits(job: Job) -> bool:
    """Whether a timer could do it: one line, on and off in turn, from reset and for ever."""
    return (
        isinstance(job, Walk)
        and job.when.at_reset
        and job.times is None
        and len(job.lines) == 1
        and len(job.steps) == 2
        and job.steps[0].levels != job.steps[1].levels
    )


@dataclass(frozen=True, slots=True)
class WaveBlock:
    """One line on one channel."""

    job: Walk
    output: Output
    wave: Wave

    @property
    def line(self) -> Line:
        """What it drives."""
        return self.job.lines[0]

    @property
    def first(self) -> int:
        """The level of the first step."""
        return self.job.steps[0].levels[0][1]

    def prepare(self, setup: Setup, clock_hz: int) -> None:
        """Ask for everything: there is no code."""
        self.form(setup, clock_hz)
        name = self.output.timer.name
        if self.wave.prescale > 1:
            setup.ask(f"{name}_EGR", 1, Stage.MODE, note="the prescaler takes effect")
        setup.ask(f"{name}_CR1", 1, Stage.START, note=f"{name} counts")

    def form(self, setup: Setup, clock_hz: int) -> None:
        """Ask for the wave and its pin. A prescaler waits for an update; nothing counts yet."""
        timer, channel = self.output.timer, self.output.channel
        name, made = timer.name, self.wave
        setup.clock(name)
        if made.prescale > 1:
            setup.ask(
                f"{name}_PSC", made.prescale - 1, Stage.VALUE, mask=0xFFFF,
                note=f"{clock_hz} Hz / {made.prescale}",
            )  # fmt: skip
        whole = (1 << timer.width) - 1
        setup.ask(
            f"{name}_ARR", made.period - 1, Stage.VALUE, mask=whole,
            text=f"{over_clock(made.period, clock_hz)} - 1",
            note=f"a round of {made.period} ticks",
        )  # fmt: skip
        what = "on" if self.first else "off"
        setup.ask(
            f"{name}_CCR{channel}", made.first, Stage.VALUE, mask=whole,
            text=over_clock(made.first, clock_hz),
            note=f"{self.line.name} {what} for {made.first} of them",
        )  # fmt: skip
        half, shift = (1, 8 * (channel - 1)) if channel < 3 else (2, 8 * (channel - 3))
        setup.ask(
            f"{name}_CCMR{half}", _PWM[self.first] << 4 + shift, Stage.MODE,
            mask=0xFF << shift, note=f"channel {channel} in PWM mode {2 - self.first}",
        )  # fmt: skip
        enable = (1 if self.line.active else 3) << 4 * (channel - 1)
        setup.ask(
            f"{name}_CCER", enable, Stage.MODE, mask=0xF << 4 * (channel - 1),
            note=f"channel {channel} drives its pin",
        )  # fmt: skip
        if timer.advanced:
            setup.ask(f"{name}_BDTR", _MOE, Stage.MODE, note="outputs enabled")
        setup.pin(self.line.pin, 2, self.output.af, f"{self.line.pin} ({self.line.name}) to {name}")


@dataclass(frozen=True, slots=True)
class Dealt:
    """Which walks timers do, and which are left."""

    waves: tuple[WaveBlock, ...]
    rest: tuple[Job, ...]


def deal(
    jobs: tuple[Job, ...], candidates: frozenset[int], silicon: Silicon, spared: frozenset[str]
) -> Dealt:
    """Give as many candidates as possible a channel, no two periods on one timer.

    ``spared`` timers are needed for something else. Depth first over pins with the fewest
    choices first; deterministic, and bounded for boards with very many lines.
    """
    options: dict[int, list[tuple[Output, Wave]]] = {}
    for i in sorted(candidates):
        job = jobs[i]
        assert isinstance(job, Walk)
        found = []
        for output in silicon.outputs(job.lines[0].pin):
            if output.timer.name not in spared:
                one, two = (step.duration_ps for step in job.steps)
                made = wave(one, two, silicon.clock_hz, output.timer.limit, job.clause)
                found.append((output, made))
        found.sort(key=lambda o: (_extra(o[0], o[1]), o[0].timer.name, o[0].channel))
        options[i] = found
    order = sorted((i for i in options if options[i]), key=lambda i: (len(options[i]), i))
    best = _search(order, options)
    waves = tuple(
        WaveBlock(job, *best[i])
        for i, job in enumerate(jobs)
        if i in best and isinstance(job, Walk)
    )
    return Dealt(waves, tuple(job for i, job in enumerate(jobs) if i not in best))


def _extra(output: Output, made: Wave) -> int:
    """Bytes that this choice costs beyond the cheapest."""
    return (8 if made.prescale > 1 else 0) + (6 if output.timer.advanced else 0)


def _search(
    order: list[int], options: dict[int, list[tuple[Output, Wave]]], budget: int = 20_000
) -> dict[int, tuple[Output, Wave]]:
    best: dict[int, tuple[Output, Wave]] = {}
    best_key = (0, 0)
    taken: dict[int, tuple[Output, Wave]] = {}
    rounds: dict[str, tuple[int, int]] = {}  # timer -> its prescaler and period
    channels: set[tuple[str, int]] = set()
    steps = 0

    def go(at: int, cost: int) -> None:
        nonlocal best, best_key, steps
        steps += 1
        if steps > budget or len(taken) + len(order) - at < best_key[0]:
            return
        if at == len(order):
            if not best or (len(taken), -cost) > best_key:
                best, best_key = dict(taken), (len(taken), -cost)
            return
        for output, made in options[order[at]]:
            name = output.timer.name
            key = (made.prescale, made.period)
            if (name, output.channel) in channels or rounds.get(name, key) != key:
                continue
            fresh = name not in rounds
            rounds[name] = key
            channels.add((name, output.channel))
            taken[order[at]] = (output, made)
            go(at + 1, cost + (20 + _extra(output, made) if fresh else 0))
            del taken[order[at]]
            channels.discard((name, output.channel))
            if fresh:
                del rounds[name]
        go(at + 1, cost)

    go(0, 0)
    return best
