"""The emulated board as a bench: image and stimuli in, evidence out."""

from __future__ import annotations

import gc
from contextlib import contextmanager
from operator import attrgetter
from time import monotonic
from typing import TYPE_CHECKING, Protocol

from fwgen.bench import Look
from fwgen.errors import BenchError
from fwgen.interrupt import held
from fwgen.machine import parts
from fwgen.machine.armv7m.core import Core
from fwgen.machine.armv7m.engine import GENERAL
from fwgen.machine.memory import MemoryMap
from fwgen.machine.parts.devices import fit
from fwgen.machine.parts.voltage import rest
from fwgen.machine.soc import Soc
from fwgen.trace import Gap, Reset, Sleep, Trace, Wake
from fwgen.units import PS_PER_MS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from fwgen.board.types import Board
    from fwgen.contract import Stimulus
    from fwgen.image.types import Image
    from fwgen.machine.armv7m.profile import Profile
    from fwgen.thumb.cycles import Pace
    from fwgen.trace import Event

PATIENCE_S = 60.0
MOST_EVENTS = 2_000_000  # some 500 MB
FIRST_STEP_PS = 10 * PS_PER_MS
STEP_S = 0.05  # of wall time


class Witness(Protocol):
    """Who is told of all that is done to a machine from outside, so that it can be done again."""

    def advance(self, until_ps: int) -> None:
        """Let time pass in the machine's place: on its core."""

    def stimulated(self, stimulus: Stimulus) -> None:
        """Something was done to the board, or is arranged for."""

    def broke(self, why: str) -> None:
        """Something was done that cannot be done again."""


@contextmanager
def _no_collection() -> Iterator[None]:
    """The collector of cycles would look at a run's events again and again, and find none."""
    on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if on:
            gc.enable()


class Machine:
    """A board in software. ``run`` is the bench; the other methods are for a live board.

        with Machine(board) as machine:
            machine.load(image)
            machine.advance(10 * PS_PER_MS)

    ``accelerate`` False runs waiting loops step by step, ``native`` False without the compiled
    block hook (None: use it when it was built): the same trace, later. ``chance`` (0 or 1) picks
    what nothing defines: RAM at power-on, floating inputs, the chatter of contacts; ``pace``
    which end of the manuals' ranges instructions and flash take ("least", "typical", "most";
    fwgen.thumb.cycles, fwgen.machine.armv7m.fetch). After
    ``patience_s`` seconds of wall time in one ``run`` (firmware that computes without end) the
    run ends early, with a Gap that says so: nobody knows what would have followed. So does a run
    of more events than are kept (``MOST_EVENTS``). A ``profile``
    counts where cycles go (``core.profile``); with it every loop runs step by step.

    Every ``run`` starts from power-on. The same image and stimuli give the same trace.
    """

    def __init__(
        self,
        board: Board,
        *,
        accelerate: bool = True,
        native: bool | None = None,
        patience_s: float | None = PATIENCE_S,
        chance: int = 0,
        pace: Pace = "typical",
        profile: Profile | None = None,
    ) -> None:
        self.board = board
        self._profile = profile
        self._chance = chance
        self._pace = pace
        self._patience_s = patience_s
        self._native = native
        self._accelerate = accelerate
        self._soc: Soc | None = None
        self._core: Core | None = None
        self._memory: MemoryMap | None = None
        self._image: Image | None = None
        self._ran_out = ""  # what ended the run early
        self._listeners: list[Callable[[Event], None]] = []
        self._readers: list[Callable[[Event], None]] = []
        self._flash: bytes | None = None
        self.witness: Witness | None = None

    # ------------------------------------------------------------------ the bench

    def run(self, image: Image, stimuli: Sequence[Stimulus], span_ps: int) -> Trace:
        """Power on, run for ``span_ps`` while doing the stimuli, and tell what was seen.

        Firmware that takes more than ``patience_s`` of wall time, or more events than can be
        kept, ends the run early: the trace says so with a Gap and a shorter span.
        """
        self.load(image)
        try:
            for stimulus in stimuli:
                self.stimulate(stimulus)
            self.core.patience = self._patience(self._patience_s)
            # In steps short enough, on the wall, for a Ctrl-C to be heard between two of them.
            until_ps, step_ps = 0, FIRST_STEP_PS
            while until_ps < span_ps and not self.core.gave_up:
                began = monotonic()
                until_ps = min(until_ps + step_ps, span_ps)
                with held():
                    self.advance(until_ps)
                step_ps = step_ps * 2 if monotonic() - began < STEP_S else max(step_ps // 2, 1)
            return self.trace()
        finally:
            self.close()

    def look(self, image: Image, stimuli: Sequence[Stimulus], t_ps: int) -> Look:
        """Run up to a moment, and tell where the core is and what the registers hold."""
        self.load(image)
        try:
            for stimulus in stimuli:
                self.stimulate(stimulus)
            self.core.patience = self._patience(self._patience_s)
            self.advance(t_ps)
            *general, pc = self.core.engine.read_many(GENERAL)
            names = (*(f"r{n}" for n in range(13)), "sp", "lr")
            changed = {
                f"{peripheral.name}_{name}": state.value
                for peripheral in self.soc.peripherals.values()
                for name, state in peripheral.states.items()
                if state.value != state.reset_value
            }
            ends = [e for e in self.soc.recorder.events if isinstance(e, Sleep | Wake | Reset)]
            asleep = bool(ends) and isinstance(ends[-1], Sleep)
            return Look(t_ps, pc, asleep, dict(zip(names, general, strict=True)), changed)
        finally:
            self.close()

    def _patience(self, wall_s: float | None) -> Callable[[], bool]:
        """Whether to go on; what ran out, once something did, is in ``_ran_out``."""
        give_up_at = None if wall_s is None else monotonic() + wall_s
        events = self.soc.recorder.events

        def lasts() -> bool:
            if len(events) >= MOST_EVENTS:
                self._ran_out = f"more than {MOST_EVENTS:,} events were seen, and no more are kept"
            elif give_up_at is not None and monotonic() >= give_up_at:
                self._ran_out = f"the run took more than {wall_s:g} s of wall time"
            return not self._ran_out

        return lasts

    # ------------------------------------------------------------------ a live board

    def load(
        self,
        image: Image | None = None,
        *,
        flash: bytes | None = None,
        keep_events: bool = True,
    ) -> None:
        """Program an image into a fresh board and let it out of reset at time 0.

        Without one the flash holds what ``flash`` says from its first byte on, and is erased
        beyond that. With ``keep_events`` False events are only told to listeners: ``trace`` has
        none of them, and a board that runs for days does not fill the memory.
        """
        self.close()
        if self.witness is not None:
            self.witness.broke("another firmware was loaded")
        self._ran_out = ""
        soc = Soc(self.board, chance=self._chance)
        controller = soc.peripherals.get("FLASH")
        shared = getattr(controller, "memory", None)
        memory = MemoryMap(self.board.chip, shared, chance=self._chance)
        if flash is not None:
            memory.program(self.board.chip.flash.base, flash)
        for segment in image.segments if image is not None else ():
            if not memory.program(segment.address, segment.data):
                raise BenchError(
                    f"{len(segment.data)} bytes at {segment.address:#010x} are not in the memory "
                    f"of {self.board.chip.name}",
                    where=(image.source or None) if image is not None else None,
                )
        self._soc, self._memory, self._image, self._flash = soc, memory, image, flash
        self._core = Core(
            soc, memory, accelerate=self._accelerate, native=self._native, pace=self._pace,
            profile=self._profile,
        )  # fmt: skip
        self._core.image = image
        soc.recorder.keeps = keep_events
        soc.recorder.listeners.extend(self._listeners)
        soc.recorder.readers.extend(self._readers)
        for part in self.board.parts.values():
            if part.pull is not None:
                soc.fabric.pads[part.pin].set_resistor(0, part.pull)
            if part.sensor is not None:
                rest(part, soc)
            if part.kind == "switch":
                soc.fabric.pads[part.pin].drive_outside(0, part.name, 1 - part.active)
        fit(soc)
        if self.board.modules:
            from fwgen.machine.parts.module import fit as fit_modules

            soc.modules = fit_modules(soc)
        console = self.board.console
        if console is not None:  # what is wired there idles high
            soc.fabric.pads[console.rx].set_resistor(0, 1)
        self._core.power_on()
        soc.recorder.started = True

    def power_cycle(self) -> None:
        """Take the supply away and give it back, now: what is programmed survives, RAM does not."""
        if self.witness is not None:
            self.witness.broke("the power was off")
        self.core.power_cycle()
        self.soc.powering = True
        for module in self.soc.modules.values():
            module.power_on(self.soc.now_ps)
        self.soc.powering = False

    def advance(self, until_ps: int) -> None:
        """Let time pass up to ``until_ps`` since reset release."""
        with _no_collection():
            if self.witness is None:
                self.core.advance(until_ps)
            else:
                self.witness.advance(until_ps)

    def trace(self) -> Trace:
        """What was seen so far."""
        recorder, core = self.soc.recorder, self.core
        span = min(core.until_ps, core.now_ps) if core.gave_up else core.until_ps
        left_open = (e for p in self.soc.peripherals.values() for e in p.unfinished(span))
        told = [*recorder.events, *left_open]
        events = sorted([e for e in told if e.t_ps < span], key=attrgetter("t_ps"))
        if core.gave_up:
            gap = Gap(span, "machine", "patience", "ran out", 0, core.pc, self._ran_out)
            events.append(gap)
        return Trace(
            bench="machine",
            board=self.board.name,
            span_ps=span,
            events=tuple(events),
            initial=dict(recorder.initial),
            awake_cycles=core.awake_cycles,
            cycles="" if self._pace == "typical" else self._pace,
        )

    def stimulate(self, stimulus: Stimulus) -> None:
        """Do something to the board at the stimulus's time; one that is past is due now.

        Raises BenchError when the board has no such button, pin or port.
        """
        parts.apply(stimulus, self.soc)
        if self.witness is not None:
            self.witness.stimulated(stimulus)

    def twin(self) -> Machine:
        """Another machine, loaded with what this one was: it stands at time 0, and nobody listens.

        Raises BenchError when nothing is loaded.
        """
        keeps = self.soc.recorder.keeps
        made = Machine(
            self.board, accelerate=self._accelerate, native=self._native, patience_s=None,
            chance=self._chance, pace=self._pace,
            profile=type(self._profile)() if self._profile is not None else None,
        )  # fmt: skip
        made.load(self._image, flash=self._flash, keep_events=keeps)
        return made

    def become(self, twin: Machine) -> None:
        """Take over a twin's board as it stands; what this one had is given up.

        Listeners stay, and hear what comes. The twin has nothing loaded any more.
        """
        heard = self.soc.recorder.events
        self.close()
        self._soc, self._core, self._memory = twin._soc, twin._core, twin._memory
        twin._soc = twin._core = twin._memory = None
        recorder = self.soc.recorder
        recorder.listeners[:], recorder.readers[:] = self._listeners, self._readers
        if not recorder.keeps:  # what was kept before it was too much
            recorder.events[:] = [e for e in heard if e.t_ps < self.core.now_ps]

    @property
    def stuck(self) -> str:
        """Why a fault has ended what the firmware does; "" while it, or a watchdog, goes on."""
        if any(peripheral.watches for peripheral in self.soc.peripherals.values()):
            return ""
        return self.core.stuck

    def give_up(self, why: Callable[[], str]) -> None:
        """Ask ``why`` now and then; once it says something, no more time passes.

        The trace then ends there, with a Gap that says so.
        """

        def lasts() -> bool:
            self._ran_out = self._ran_out or why()
            return not self._ran_out

        self.core.patience = lasts

    def listen(self, listener: Callable[[Event], None], *, at_once: bool = True) -> None:
        """Hear each event as it happens.

        Who does nothing but note it need not hear ``at_once``, only before ``advance`` returns:
        what a serial port does is then run much faster.
        """
        (self._listeners if at_once else self._readers).append(listener)
        if self._soc is not None:
            recorder = self._soc.recorder
            (recorder.listeners if at_once else recorder.readers).append(listener)

    @property
    def loaded(self) -> bool:
        """Whether there is an image, or a flash, to run."""
        return self._core is not None

    def close(self) -> None:
        """Give the engine back; the machine can be loaded again."""
        if self._core is not None:
            self._core.close()
        if self._memory is not None:
            self._memory.close()
        self._soc = self._core = self._memory = None

    def __enter__(self) -> Machine:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def soc(self) -> Soc:
        """The chip, while an image is loaded."""
        if self._soc is None:
            raise BenchError("no image is loaded")
        return self._soc

    @property
    def core(self) -> Core:
        """The core, while an image is loaded."""
        if self._core is None:
            raise BenchError("no image is loaded")
        return self._core
