"""A serial port that is served byte by byte, by its interrupt or by polling: in native code.

Starting the engine costs more than what is done for a byte. Where a port is plain
(``fwgen.machine.talk``) and nothing else is due, ``native/service.c`` goes on instead: it sleeps,
wakes, takes the interrupt, runs the blocks of the handler and of what it interrupted. What is left
in registers, memory and peripherals, and what is told, is what the engine would have left. What it
refuses the engine does.
"""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING, Any

from fwgen.machine.armv7m import engine as eng
from fwgen.machine.armv7m import exceptions as exc
from fwgen.machine.armv7m.accelerate import REGISTERS
from fwgen.machine.armv7m.ops import Program
from fwgen.machine.native.ops import UNKNOWN_BLOCK, Area, Undo
from fwgen.machine.native.service import (
    NEVER,
    SENT,
    SLEPT,
    WOKE,
    WORDS,
    Clock,
    Happened,
    Service,
    library,
)
from fwgen.trace import SerialByte, Sleep, Wake

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fwgen.machine.armv7m.blocks import Block
    from fwgen.machine.armv7m.codebook import Codebook
    from fwgen.machine.armv7m.skippable import Core
    from fwgen.machine.talk import Talk
    from fwgen.machine.time import ClockDomain
    from fwgen.trace import Event

ROOM = 1 << 12  # for what one serving may tell
STORES = 1 << 15  # that may be done until a state is kept
LONGEST_REST = 1 << 8  # turns of a sleeping core
THREAD_LINK = 0xFFFF_FFF9  # EXC_RETURN: to Thread mode, main stack, no floating-point state
PLAIN_FRAME = 32  # bytes
_PADDED = 1 << 9
_IT_BITS = 0x0600_FC00
_SPECIAL = (eng.APSR_NZCV, eng.XPSR, eng.CONTROL, eng.MSP)


class Services:
    """Serves ports for a core. ``served``: how many times it woke for that."""

    def __init__(self, core: Core, book: Codebook) -> None:
        self._core, self._book = core, book
        self._native: Any = library() if core.native is not None else None
        self._program: Program | None = None
        self._known = -1  # ``book.version`` that the program is of
        self._service: Service | None = None
        self._arrays: tuple[Any, ...] = ()  # which the structure only points to
        self._rests_of: dict[int, tuple[int, Block]] = {}  # blocks' ends, and the key of each
        self._rests = self._vain = 0
        self.served = 0

    def serve(self, until_ps: int) -> bool:
        """Go on, up to a time at most, by what a port is about to do. False: nothing was done."""
        soc = self._core.soc
        if not soc.talking or self._native is None or soc.recorder.listeners:
            return False
        if self._rests:
            self._rests -= 1
            return False
        talks = [talk for port in soc.talking if (talk := port.talk()) is not None]
        if len(talks) != 1 or not self._plain(talks[0]):
            return False
        moved, useful = self._run(talks[0], until_ps)
        self._vain = 0 if useful else min(2 * self._vain + 1, LONGEST_REST)
        self._rests = self._vain
        return moved

    def _plain(self, talk: Talk) -> bool:
        """Whether no interrupt but its own can come, and nobody looks on."""
        core = self._core
        state, number = core.exceptions, exc.FIRST_IRQ + talk.irq
        busy = getattr(core.flash, "busy_until_ps", 0) > core.now_ps
        # Where code waits for the flash, what a run costs depends on where it was cut.
        apart = self._book.in_ram or self._book.fetch.waits
        return (
            core.sleeps_evenly
            and not state.active
            and not state.pending & state.enabled
            and (not talk.interrupts or self._is_taken(number))
            and not (core.watching or core.looked_at or apart or busy)
        )

    def _is_taken(self, number: int) -> bool:
        """Whether an interrupt will be taken once it is pending."""
        state = self._core.exceptions
        priority = state.group(state.priority[number])
        enabled = bool(state.enabled >> number & 1)
        return enabled and priority < state.execution_priority(*self._core.masks())

    # ------------------------------------------------------------------ what C needs

    def _run(self, talk: Talk, until_ps: int) -> tuple[bool, bool]:
        """Whether anything changed, and whether trying again is of use."""
        core, soc = self._core, self._core.soc
        engine = core.engine
        *general, flags, xpsr, control, main = engine.read_many((*REGISTERS, *_SPECIAL))
        frame_size = core.frame_size(control)
        if not frame_size or xpsr & _IT_BITS:
            return False, False
        number = exc.FIRST_IRQ + talk.irq
        vector = core.memory.word(core.vector_base() + 4 * number)
        if vector is None or (talk.interrupts and not vector & 1):
            return False, False
        service = self._service or self._make()
        at, course, hart, image = core.at, service.course, service.hart, core.image
        self._load_program(service)
        course.r[:15] = general
        course.r[15] = core.next_pc
        course.nzcv = flags >> 28
        course.cycle, course.cost, course.refill = at.cycle, at.cost, at.refill
        course.end, course.start = at.end, at.start
        course.now_ps = soc.scheduler.now_ps
        course.asleep_since, course.asleep_cycles = core.asleep_since, core.asleep_cycles
        course.read_ps = course.asked_ps = course.entered_ps = NEVER
        course.fell_ps = core.exceptions.fell.get(number, NEVER)
        course.level = course.pending = course.active = course.happened = course.served = 0
        course.asleep = core.asleep
        service.hclk, service.kernel = _clock(core.hclk), _clock(talk.kernel)
        service.until_ps = min(until_ps, soc.scheduler.next_but_all(list(talk.timers)))
        fp = frame_size != PLAIN_FRAME
        service.handler = vector & ~1
        service.link = (THREAD_LINK | 2 * (control & 2)) & ~(16 if fp else 0)
        service.frame_size, service.process, service.main = frame_size, control & 2, main
        service.sleeps_on_exit = core.scb is not None and core.scb.scr.SLEEPONEXIT
        service.status = xpsr & 0x0FFF_FFFF & ~_PADDED
        data = core.soc.chip.ram.base + (image.ram_used if image is not None else 0)
        guarded = image is not None and data < image.initial_sp and not control & 2
        service.least = data if guarded else 0
        service.aligned = fp or core.scb is None or bool(core.scb.ccr.STKALIGN)
        service.entry_cycles, service.return_cycles = core.stacking_cycles(fp=False)
        service.vector_cycles = self._book.fetch.vector()
        talk.fill(service)
        hart.undone = 0
        before = course.now_ps, course.cycle + course.cost
        served = self._native.fwgen_serve(service)
        self.served += served
        moved = (course.now_ps, course.cycle + course.cost) != before
        if moved:
            self._take(talk, service, number)
        if served:
            core.served(course.frame, control, xpsr)
        refused = hart.why and not (hart.why == UNKNOWN_BLOCK and self._learn(hart.where))
        return moved, bool(served or course.happened or not refused)

    def _learn(self, address: int) -> bool:
        """The rest of a block from an address on, as the engine would go on there."""
        book = self._book
        for key, block in book.blocks.items():
            offset = address - block.address
            if any(offset == stop for stop, _ in block.stops):
                self._rests_of[address] = key, book.look_at(address, block.size - offset)
                self._known = -1
                return True
        return False

    def _make(self) -> Service:
        service = self._service = Service()
        told, undo = (Happened * ROOM)(), (Undo * STORES)()
        regions = self._core.memory.regions
        areas = (Area * len(regions))()
        for area, region in zip(areas, regions, strict=True):
            area.base, area.size = region.base, region.size
            area.data = ctypes.addressof(region.buffer)
            area.writable = region.kind == "ram"
        service.told, service.room = told, ROOM
        service.hart.undo, service.hart.undo_size = undo, STORES
        service.hart.areas, service.hart.area_count = areas, len(areas)
        self._arrays = told, undo, areas
        return service

    def _load_program(self, service: Service) -> None:
        book = self._book
        if self._program is None or self._known != book.version:
            blocks, rests = book.blocks, self._rests_of
            self._rests_of = {at: rest for at, rest in rests.items() if rest[0] in blocks}
            rests_of = (block for _, block in self._rests_of.values())
            aligned = self._core.scb is not None and bool(self._core.scb.ccr.UNALIGN_TRP)
            self._program = Program((*blocks.values(), *rests_of), aligned=aligned)
            self._known = book.version
            self._program.load(service.hart)

    # ------------------------------------------------------------------ what came of it

    def _take(self, talk: Talk, service: Service, number: int) -> None:
        core, soc, course = self._core, self._core.soc, service.course
        soc.recorder.add_all(self._events(talk, service, number))
        core.engine.write_many(REGISTERS, course.r[:15])
        core.engine.write(eng.APSR_NZCV, course.nzcv << 28)
        core.next_pc = course.r[15]
        at = core.at
        at.cycle, at.cost, at.refill = course.cycle, course.cost, course.refill
        at.start, at.end = course.start, course.end
        core.asleep_since, core.asleep_cycles = course.asleep_since, course.asleep_cycles
        if course.served:
            core.exceptions.entered[number] = course.entered_ps
        soc.asked_ps = max(soc.asked_ps, course.asked_ps)
        if course.read_ps != NEVER:
            soc.flags_read[talk.name] = course.read_ps
        if course.fell_ps == NEVER:
            core.exceptions.fell.pop(number, None)
        else:
            core.exceptions.fell[number] = course.fell_ps
        talk.take(course)
        soc.scheduler.catch_up(course.now_ps)
        core.asleep = bool(course.asleep)

    def _events(self, talk: Talk, service: Service, number: int) -> Iterator[Event]:
        cause, name = self._core.exceptions.name(number), talk.name
        baud, heard = talk.baud_mhz, talk.heard_mhz
        told = memoryview(self._arrays[0]).cast("B")[: WORDS * 8 * service.course.happened]
        words = told.cast("q").tolist()
        for t_ps, start_ps, kind in zip(words[::3], words[1::3], words[2::3], strict=True):
            if kind == WOKE:
                yield Wake(t_ps, cause)
            elif kind == SLEPT:
                yield Sleep(t_ps, "sleep")
            elif kind & 0xFF == SENT:
                yield SerialByte(t_ps, name, "tx", kind >> 8, baud, start_ps)
            else:
                yield SerialByte(t_ps, name, "rx", kind >> 8, heard, start_ps)


def _clock(domain: ClockDomain) -> Clock:
    return Clock(*domain.terms)
