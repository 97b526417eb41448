"""Pins of the package: levels and voltages, from all that drives and pulls them.

A pad that nobody listens to hands the waves of its source on to the trace as they are.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple, Protocol

from fwgen.machine.time import NEVER
from fwgen.machine.waves import Pulses, SquareWave

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fwgen.machine.signals import Signal
    from fwgen.machine.time import Scheduler, Timer
    from fwgen.trace import Voltage

# DS10086, I/O static characteristics: VIL and VIH in parts per thousand of VDD, the weak pulls'
# typical resistance. A resistor on the board has no value there; those in use are about as large.
VIL_PERMILLE, VIH_PERMILLE = 300, 700
PULL_OHM = 40_000
RESISTOR_OHM = 4_700
GIVES_WAY_OHM = 1_000  # a source of at least this resistance gives way to an output


class Source(NamedTuple):
    """A voltage in microvolts behind a resistance in ohms."""

    uv: int
    ohm: int


class Client(Protocol):
    """A part on a bus that can be told bytes, and then need not listen to edges."""

    def attend(self, *, edges: bool) -> None:
        """Listen to the bus's edges, or rely on being told."""


class PinRecorder(Protocol):
    """Who wants to know what pads do (the trace)."""

    def edge(self, t_ps: int, pin: str, level: int | None) -> None:
        """A pad took a level."""

    def wave(self, pin: str, wave: SquareWave | Pulses) -> None:
        """A pad repeats from ``wave.t_ps`` on, until its next edge or wave."""

    def fight(self, t_ps: int, pin: str, who: str) -> None:
        """Two strong drivers disagree on a pad."""


class Pad:
    """A pin of the package.

    Drivers, strongest first: the chip's output stage and what is wired outside (``strong``),
    resistors on the board, the chip's own weak pull. Strong drivers that disagree are a fight:
    reported, and the level is what the outside says.

    Something outside may also hold the pin at a voltage, and so may the chip itself (a DAC). The
    level is then that of the input stage:
    0 up to VIL, 1 from VIH on, and None between them, where nothing is certain (DS10086, I/O static
    characteristics). ``scheduler`` and ``supply_uv`` (VDD, microvolts) are needed for that.

    An output of a part to which others are wired is one, too: ``owner`` is then that part, and what
    is said here of the chip is said of it.
    """

    __slots__ = (
        "_analog", "_crossing", "_detach", "_following", "_inside", "_level", "_listeners", "_net",
        "_open_drain", "_outside", "_owner", "_played", "_player", "_pull", "_recorder", "_rejoin",
        "_repeats", "_resistor", "_scheduler", "_source", "_supply_uv", "_voltage", "_watchers",
        "clients", "digital", "name",
    )  # fmt: skip

    def __init__(
        self,
        name: str,
        recorder: PinRecorder,
        scheduler: Scheduler | None = None,
        supply_uv: int = 0,
        owner: str = "the chip",
    ) -> None:
        self.name, self._owner = name, owner
        self._scheduler = scheduler
        self._supply_uv = supply_uv
        self._voltage: Voltage | None = None  # what holds it from outside
        self._analog: Source | None = None  # what the chip itself puts out in analog mode
        self._watchers: list[Callable[[int], None]] = []  # who samples the voltage
        self._crossing: Timer | None = None  # when the voltage comes to another level
        self.digital = True  # the input stage is on; off in analog mode
        self._recorder = recorder
        self._inside: int | None = None
        self._pull: int | None = None
        self._outside: dict[str, int] = {}
        self._resistor: int | None = None
        self._level: int | None = None
        self._listeners: list[Callable[[int, int | None], None]] = []
        self._source: Signal | None = None  # a peripheral's line that drives the output stage
        self._open_drain = False
        self._following = False  # the source is taken as waves, not edge by edge
        self._repeats = False  # the recorder's last word on this pad is a wave
        self._detach: Callable[[], None] | None = None
        self._rejoin: Timer | None = None
        self._net: tuple[Pad, ...] = ()  # what a wire joins to it, itself included
        self._played: Pulses | None = None  # what somebody outside does to it
        self._player = ""
        self.clients: list[Client] = []

    # ------------------------------------------------------------------ reading

    @property
    def level(self) -> int | None:
        """0, 1, or None: floating."""
        wave = self._wave()
        return self._level if wave is None else self.level_at(self._now(wave))

    def level_at(self, t_ps: int) -> int | None:
        """The level at a time, which is not before the last change."""
        wave = self._wave()
        return self._level if wave is None else wave.level_at(t_ps)

    def stable_until(self, t_ps: int) -> int:
        """Until when the level at ``t_ps`` holds if nothing else happens."""
        wave = self._wave()
        return NEVER if wave is None else wave.next_edge(t_ps)

    def look(self, t_ps: int) -> tuple[int | None, int]:
        """``level_at`` and ``stable_until`` at once: ports look at sixteen pads in each poll."""
        if self._played is None and not self._following:
            return self._level, NEVER
        wave = self._wave()
        return (self._level, NEVER) if wave is None else (wave.level_at(t_ps), wave.next_edge(t_ps))

    @property
    def driven_inside(self) -> int | None:
        """What the chip's output stage drives; None when it does not."""
        wave = self._wave()
        if wave is None or self._played is not None:
            return self._inside
        level = wave.level_at(self._now(wave))
        return None if self._open_drain and level else level

    @property
    def wired(self) -> bool:
        """Whether anything outside drives or pulls the pin."""
        strong = bool(self._outside) or self._voltage is not None
        return strong or self._resistor is not None or bool(self._net)

    @property
    def unattended(self) -> bool:
        """Whether the level is what the port drives, if it does, and only the trace looks."""
        if self._voltage is not None or self._watchers or self._analog is not None:
            return False
        return not (self._outside or self._listeners or self._source or self._net or self._repeats)

    @property
    def quiet(self) -> bool:
        """Whether nobody listens edge by edge and nothing outside holds it, but its clients."""
        held = self._outside or self._voltage is not None or self._watchers
        return not (held or self._listeners or self._net)

    @property
    def open_drain(self) -> bool:
        """Whether the peripheral that drives the pin can only pull it low."""
        return self._open_drain

    @property
    def source(self) -> Signal | None:
        """The peripheral's line that drives the output stage, or None."""
        return self._source

    def listen(self, listener: Callable[[int, int | None], None]) -> Callable[[], None]:
        """Hear each change of level; returns how to stop."""
        self._stop_playing()
        self._listeners.append(listener)
        self._choose_mode()

        def stop() -> None:
            if listener in self._listeners:
                self._listeners.remove(listener)
                self._choose_mode()

        return stop

    # ------------------------------------------------------------------ voltages

    @property
    def voltage(self) -> Voltage | None:
        """What holds the pin at a voltage from outside, or None."""
        return self._voltage

    def voltage_at(self, t_ps: int) -> tuple[int | None, int]:
        """Microvolts at the pin, and the resistance in ohms they come from; None: it floats.

        The time is not before the last change.
        """
        if self._net or self._analog is not None:
            return self._mixed(t_ps)
        wave = self._wave()
        inside = self._inside if wave is None else wave.level_at(t_ps)
        strong = [*self._outside.values(), *([] if inside is None else [inside])]
        if strong:
            return strong[0] * self._supply_uv, 0
        pull = self._pull
        if self._voltage is not None:
            uv, ohm = self._voltage.at(t_ps), self._voltage.ohm
            if pull is None or not ohm:
                return uv, ohm
            both = PULL_OHM + ohm
            return (uv * PULL_OHM + pull * self._supply_uv * ohm) // both, ohm * PULL_OHM // both
        if self._resistor is not None:
            return self._resistor * self._supply_uv, RESISTOR_OHM
        return (None, 0) if pull is None else (pull * self._supply_uv, PULL_OHM)

    def _sources(self, t_ps: int) -> list[Source]:
        """What drives or pulls this pad, but for what it is wired to."""
        wave = self._wave()
        inside = self._inside if wave is None else wave.level_at(t_ps)
        strong = [*self._outside.values(), *([] if inside is None else [inside])]
        found = [Source(level * self._supply_uv, 0) for level in strong]
        if self._voltage is not None:
            found.append(Source(self._voltage.at(t_ps), self._voltage.ohm))
        if self._analog is not None:
            found.append(self._analog)
        for level, ohm in ((self._resistor, RESISTOR_OHM), (self._pull, PULL_OHM)):
            if level is not None:
                found.append(Source(level * self._supply_uv, ohm))
        return found

    def _mixed(self, t_ps: int) -> tuple[int | None, int]:
        """Everything on the wire at once: the stiffest source, or what Millman's theorem gives."""
        found = [source for pad in self._net or (self,) for source in pad._sources(t_ps)]
        stiff = next((source for source in found if not source.ohm), None)
        if stiff is not None or not found:
            return (stiff.uv, 0) if stiff is not None else (None, 0)
        siemens = sum(Fraction(1, source.ohm) for source in found)
        current = sum(Fraction(source.uv, source.ohm) for source in found)
        return round(current / siemens), round(1 / siemens)

    def voltage_until(self, t_ps: int) -> int:
        """Until when the voltage at ``t_ps`` holds if nothing else happens; then if it moves."""
        if self._outside:
            return NEVER
        wave = self._wave()
        if wave is not None:
            return wave.next_edge(t_ps)
        if self._inside is None and self._voltage is not None:
            return self._voltage.steady_until(t_ps, NEVER)
        return NEVER

    def between_until(self, t_ps: int, low_uv: int, high_uv: int) -> int:
        """Until when the voltage surely lies in [low, high] if nothing else happens; else then."""
        if self._net or self._analog is not None:
            uv, _ = self.voltage_at(t_ps)
            inside = uv is not None and low_uv <= uv <= high_uv
            return self._steady_until(t_ps) if inside else t_ps
        voltage = self._voltage
        if voltage is None or self._outside or self.driven_inside is not None:
            uv, _ = self.voltage_at(t_ps)
            inside = uv is not None and low_uv <= uv <= high_uv
            return self.voltage_until(t_ps) if inside else t_ps
        if self._pull is not None and voltage.ohm:
            return voltage.steady_until(t_ps, NEVER)
        low, high = low_uv + voltage.noise_uv, high_uv - voltage.noise_uv

        def inside_at(t: int) -> bool:
            return low <= voltage.base(t) <= high

        return voltage.turns(t_ps, inside_at, NEVER) if inside_at(t_ps) else t_ps

    def _steady_until(self, t_ps: int) -> int:
        """Until when everything on the wire stays as it is."""
        held = NEVER
        for pad in self._net or (self,):
            wave = pad._wave()
            held = min(held, NEVER if wave is None else wave.next_edge(t_ps))
            if pad._voltage is not None:
                held = min(held, pad._voltage.steady_until(t_ps, NEVER))
        return held

    def watch(self, before: Callable[[int], None]) -> Callable[[], None]:
        """Hear ``before(t_ps)`` just before what holds the pin changes; returns how to stop."""
        self._watchers.append(before)

        def stop() -> None:
            if before in self._watchers:
                self._watchers.remove(before)

        return stop

    def set_voltage(self, t_ps: int, voltage: Voltage | None) -> None:
        """Something outside holds the pin at a voltage from now on, or (None) lets go."""
        self._change(t_ps)
        self._voltage = voltage if voltage is not None and voltage.uv is not None else None
        self._choose_mode()
        self._cross(t_ps)

    def drive_voltage(self, t_ps: int, source: Source | None) -> None:
        """The chip itself holds the pin at a voltage from now on, or (None) lets go."""
        if source == self._analog:
            return
        self._change(t_ps)
        self._analog = source
        if source is None:
            return
        rivals = [who for pad in self._net or (self,) for who in pad._rivals()]
        if rivals:
            self._recorder.fight(t_ps, self.name, f"the chip's voltage against {rivals[0]}")

    def _rivals(self) -> list[str]:
        """Who would not give way to a voltage of the chip's own."""
        found = [*self._outside]
        if self.driven_inside is not None:
            found.append(f"{self.name}'s output")
        if self._voltage is not None and self._voltage.ohm < GIVES_WAY_OHM:
            found.append("a voltage from outside")
        return found

    def set_digital(self, t_ps: int, *, on: bool) -> None:
        """Switch the input stage: in analog mode it is off, and no level is told of a voltage."""
        self.digital = on
        if self._voltage is not None:
            self._cross(t_ps)

    def _change(self, t_ps: int) -> None:
        watchers = [watcher for pad in self._net for watcher in pad._watchers] or self._watchers
        for watcher in tuple(watchers):
            watcher(t_ps)

    def _cross(self, t_ps: int) -> None:
        """Take the level that the voltage has now; look again when it comes to another one."""
        if self._crossing is not None:
            self._crossing.cancel()
            self._crossing = None
        if self._wave() is None:
            self._resolve(t_ps)
        if self._voltage is not None and self.digital:
            voltage = self._voltage
            at = voltage.turns(t_ps, lambda t: self._level_of(voltage, t), NEVER)
            if at < NEVER:
                assert self._scheduler is not None
                self._crossing = self._scheduler.at(at, self._cross)

    def _level_of(self, voltage: Voltage, t_ps: int) -> int | None:
        permille = 1000 * voltage.base(t_ps)
        noise = 1000 * voltage.noise_uv
        if permille + noise <= VIL_PERMILLE * self._supply_uv:
            return 0
        return 1 if permille - noise >= VIH_PERMILLE * self._supply_uv else None

    # ------------------------------------------------------------------ the chip

    def drive(self, t_ps: int, level: int | None, pull: int | None) -> None:
        """What the chip does to the pin: its output stage, and its weak pull."""
        if self._watchers or self._net:
            self._change(t_ps)
        self._stop_playing()
        if self._source is not None:
            self._settle()
            self._let_go()
            self._source = None
            self._attend()
        self._inside, self._pull = level, pull
        self._resolve(t_ps)

    def moved(self, level: int) -> None:
        """The chip has driven it to a level, which was told of: only while ``unattended``."""
        self._inside = self._level = level

    def ready(self, level: int | None, pull: int | None) -> None:
        """Its owner is about to ``drive`` it so, at the same moment as other pins of its own."""
        self._inside, self._pull = level, pull

    def connect(self, t_ps: int, source: Signal, *, open_drain: bool, pull: int | None) -> None:
        """Let a peripheral's line drive the output stage; an open drain only ever drives 0."""
        if source is self._source and open_drain == self._open_drain:
            if pull != self._pull:
                self._pull = pull
                self._choose_mode()
                if self._wave() is None:
                    self._resolve(t_ps)
            return
        if self._watchers or self._net:
            self._change(t_ps)
        self._stop_playing()
        self._settle()
        self._let_go()
        self._attend()
        self._source, self._open_drain, self._pull = source, open_drain, pull
        self._take_edges()
        self._steady(t_ps, source.level(t_ps))
        self._choose_mode()

    def wired_with(self, other: Pad) -> bool:
        """Whether it is another pad, or one that a wire joins to it."""
        return other is self or other in self._net

    @property
    def pulled(self) -> int | None:
        """Where the pin rests while nothing drives it: the board's resistor, else the chip's."""
        for pad in self._net or (self,):
            if pad._resistor is not None:
                return pad._resistor
        return next((pad._pull for pad in self._net or (self,) if pad._pull is not None), None)

    @property
    def pulled_by_board(self) -> bool:
        """Whether a resistor on the board pulls the pin, and not only the chip's weak one."""
        return any(pad._resistor is not None for pad in self._net or (self,))

    # ------------------------------------------------------------------ the world outside

    def drive_outside(self, t_ps: int, who: str, level: int | None) -> None:
        """Something outside drives the pin strongly, or (None) lets go."""
        if self._watchers or self._net:
            self._change(t_ps)
        self._stop_playing()
        if level is None:
            self._outside.pop(who, None)
        else:
            self._outside[who] = level
        self._choose_mode()
        if self._wave() is None:
            self._resolve(t_ps)

    def set_resistor(self, t_ps: int, level: int | None) -> None:
        """A resistor on the board pulls the pin to a level."""
        if self._watchers or self._net:
            self._change(t_ps)
        self._resistor = level
        self._choose_mode()
        if self._wave() is None:
            self._resolve(t_ps)

    def play(self, who: str, pulses: Pulses, scheduler: Scheduler) -> None:
        """Something outside drives the pin through pulses, and holds it as they end."""
        self._stop_playing()
        self._scheduler = scheduler
        if self._listeners or self._net or self._inside is not None or self._following:
            self._drive_edges(who, pulses, pulses.t_ps)
            return
        self._outside[who] = pulses.level
        self._played, self._player = pulses, who
        self._level, self._repeats = pulses.level, True
        self._recorder.wave(self.name, pulses)

    def _drive_edges(self, who: str, pulses: Pulses, from_ps: int) -> None:
        assert self._scheduler is not None

        def edge(t_ps: int) -> None:
            self.drive_outside(t_ps, who, pulses.level_at(t_ps))
            following = pulses.next_edge(t_ps)
            if following < NEVER and self._scheduler is not None:
                self._scheduler.at(following, edge)

        self._scheduler.at(from_ps, edge)

    def _stop_playing(self) -> None:
        """What is played is taken edge by edge from now on."""
        played = self._played
        if played is None:
            return
        assert self._scheduler is not None
        now = max(self._scheduler.now_ps, played.t_ps)
        self._played = None
        self._level = self._outside[self._player] = played.level_at(now)
        following = played.next_edge(now)
        if following < NEVER:
            self._drive_edges(self._player, played, following)

    def _attend(self) -> None:
        """Whoever drives the pin from now on, the parts on it do not count on being told."""
        for client in self.clients:
            client.attend(edges=True)

    # ------------------------------------------------------------------ inside

    def _wave(self) -> SquareWave | Pulses | None:
        if self._played is not None:
            return self._played
        return self._source.wave if self._following and self._source is not None else None

    def _now(self, wave: SquareWave | Pulses) -> int:
        scheduler = self._source.scheduler if self._source is not None else self._scheduler
        assert scheduler is not None
        return max(scheduler.now_ps, wave.t_ps)

    def _choose_mode(self) -> None:
        """Take the source as waves while only the trace is watching, else edge by edge."""
        source = self._source
        if source is None:
            return
        rises = not self._open_drain or self.pulled == 1
        steady = self._outside or self._voltage is not None
        waves = rises and not (self._listeners or steady or self._net)
        if waves and not self._following and self._rejoin is None:
            if source.wave is None:
                self._take_waves()
            else:
                # A wave can be handed on only from a whole picosecond at which it begins anew.
                again = source.wave.again(source.scheduler.now_ps)
                self._rejoin = source.scheduler.at(again.t_ps, self._join(source.wave, again))
        elif not waves:
            if self._rejoin is not None:
                self._rejoin.cancel()
                self._rejoin = None
            if self._following:
                wave = self._wave()
                self._settle()
                self._take_edges()
                if wave is not None:
                    # Its next edge may never come: the trace must not go on repeating till then.
                    self._resolve(self._now(wave))

    def _join(self, wave: SquareWave | Pulses, again: SquareWave | Pulses) -> Callable[[int], None]:
        def join(_t_ps: int) -> None:
            self._rejoin = None
            source = self._source
            if source is not None and source.wave is wave:
                self._take_waves()
                self._repeating(again)
            else:
                self._choose_mode()  # something else is driven by now

        return join

    def _take_waves(self) -> None:
        assert self._source is not None
        self._let_go()
        self._detach = self._source.follow(self._steady, self._repeating)
        self._following = True

    def _take_edges(self) -> None:
        assert self._source is not None
        self._let_go()
        self._detach = self._source.listen(self._steady)

    def _let_go(self) -> None:
        self._following = False
        if self._detach is not None:
            self._detach()
            self._detach = None
        if self._rejoin is not None:
            self._rejoin.cancel()
            self._rejoin = None

    def _settle(self) -> None:
        """Before a wave is given up: be at the level it has now."""
        wave = self._wave()
        if wave is not None:
            now = self._now(wave)
            self._level = self._inside = wave.level_at(now)
            if isinstance(wave, Pulses) and now >= wave.end_ps:
                self._repeats = False  # the trace knows how it rests
            if self._open_drain and self._inside:
                self._inside = None

    def _steady(self, t_ps: int, level: int | None) -> None:
        if self._watchers or self._net:
            self._change(t_ps)
        self._inside = None if self._open_drain and level == 1 else level
        self._resolve(t_ps)

    def _repeating(self, wave: SquareWave | Pulses) -> None:
        if self._watchers or self._net:
            self._change(wave.t_ps)
        self._level = wave.level
        self._inside = None if self._open_drain and wave.level else wave.level
        self._repeats = True
        self._recorder.wave(self.name, wave)

    def _resolve(self, t_ps: int) -> None:
        if self._net:
            self._resolve_net(t_ps)
            return
        level: int | None
        if self._outside:
            strong = dict(self._outside)
            if self._inside is not None:
                strong[self._owner] = self._inside
            level = self._strongest(t_ps, strong)
            agree = all(other == level for other in strong.values())
            if agree and self._voltage is not None:
                self._against(t_ps, self._voltage, level, " and ".join(strong))
        elif self._inside is not None:
            level = self._inside
            if self._voltage is not None:
                self._against(t_ps, self._voltage, level, self._owner)
        elif self._voltage is not None:
            level = self._level_of(self._voltage, t_ps) if self.digital else None
        elif self._resistor is not None:
            level = self._resistor
        else:
            level = self._pull
        self._take(t_ps, level)

    def _strongest(self, t_ps: int, strong: dict[str, int]) -> int:
        level = next(iter(strong.values()))
        if any(other != level for other in strong.values()):
            self._recorder.fight(t_ps, self.name, " against ".join(strong))
        return level

    def _resolve_net(self, t_ps: int) -> None:
        """All pads of a net are one wire: whatever drives or pulls one of them does it to all."""
        strong: dict[str, int] = {}
        for pad in self._net:
            strong |= pad._outside
        strong |= {f"{p.name} of {p._owner}": p._inside for p in self._net if p._inside is not None}
        rests = [p._resistor for p in self._net] + [p._pull for p in self._net]
        level = (
            self._strongest(t_ps, strong) if strong
            else next((rest for rest in rests if rest is not None), None)
        )  # fmt: skip
        # Whoever hears of it may answer at once: by then the whole wire has its level.
        for pad in [pad for pad in self._net if pad._set(t_ps, level)]:
            pad._announce(t_ps, level)

    def _take(self, t_ps: int, level: int | None) -> None:
        if self._set(t_ps, level):
            self._announce(t_ps, level)

    def _set(self, t_ps: int, level: int | None) -> bool:
        """Take a level; whether it is another one."""
        changed = level != self._level
        if changed or self._repeats:
            self._level, self._repeats = level, False
            self._recorder.edge(t_ps, self.name, level)
        return changed

    def _announce(self, t_ps: int, level: int | None) -> None:
        for listener in tuple(self._listeners):
            if self._level != level:
                return  # an answer changed it again, and told of that
            listener(t_ps, level)

    def _against(self, t_ps: int, voltage: Voltage, level: int, who: str) -> None:
        """An output against a voltage: a fight unless they agree or its source is weak."""
        if voltage.ohm < GIVES_WAY_OHM and self._level_of(voltage, t_ps) != level:
            self._recorder.fight(t_ps, self.name, f"{who} against a voltage")


def join(t_ps: int, pads: Sequence[Pad]) -> None:
    """Wire pads to each other, and to whatever each was wired to before."""
    net = tuple(dict.fromkeys(other for pad in pads for other in (pad._net or (pad,))))
    for pad in net:
        pad._net = net
        pad._choose_mode()
    net[0]._resolve(t_ps)
