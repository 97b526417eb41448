"""A serial port that is served by interrupts, by polling or by DMA: in native code.

Starting the engine costs more than what is done for a byte. Where a port is plain
(``fwgen.machine.talk``) and nothing else is due but SysTick, ``native/service.c`` goes on instead:
it sleeps, wakes, moves bytes, takes interrupts, runs the blocks of the handlers and of what they
interrupted. What is left in registers, memory and peripherals, and what is told, is what the engine
would have left. What it refuses the engine does.
"""

from __future__ import annotations

import ctypes
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple

from fwgen.machine.armv7m import engine as eng
from fwgen.machine.armv7m import exceptions as exc
from fwgen.machine.armv7m.accelerate import REGISTERS
from fwgen.machine.armv7m.ops import Program, Translation
from fwgen.machine.native import service as native
from fwgen.machine.native.ops import CLOSED, NEWS, NO_ACCESS, UNKNOWN_BLOCK, Area, Undo
from fwgen.trace import Edge, SerialByte, Sleep, Wake

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fwgen.board.types import PeripheralSpec
    from fwgen.machine.armv7m.blocks import Block
    from fwgen.machine.armv7m.codebook import Codebook
    from fwgen.machine.armv7m.skippable import Core
    from fwgen.machine.armv7m.systick import SysTick
    from fwgen.machine.talk import Beating, Outputs, Part, Talk
    from fwgen.trace import Event

ROOM = 1 << 12  # for what one serving may tell
STORES = 1 << 15  # that may be done until a state is kept
KNOWN_FOR_ONE = 64  # blocks that are packed, for each that was met and is to be
LONGEST_REST = 1 << 8  # turns of a sleeping core
THREAD_LINK = 0xFFFF_FFF9  # EXC_RETURN: to Thread mode, main stack, no floating-point state
PLAIN_FRAME = 32  # bytes
_PADDED = 1 << 9
_IT_BITS = 0x0600_FC00
_SPECIAL = (eng.APSR_NZCV, eng.XPSR, eng.CONTROL, eng.MSP, eng.PRIMASK)


class _Scene(NamedTuple):
    """Who takes part."""

    parts: list[tuple[Part, int]]  # and the seat of each
    talk: Talk | None
    outputs: list[Outputs | None]  # by seat
    numbers: dict[int, int]  # of exceptions, by line
    handlers: dict[int, int | None]  # where they begin, by line; None: not taken


class Services:
    """Serves ports for a core. ``served``: how many times it woke for that."""

    def __init__(self, core: Core, book: Codebook) -> None:
        self._core, self._book = core, book
        self._native: Any = native.library() if core.native is not None else None
        self._program: Program | None = None
        self._translation = Translation()
        self._known = -1  # ``book.version`` that the program is of
        self._unknown = 0  # code that was met since and is not in it
        self._service: native.Service | None = None
        self._arrays: tuple[Any, ...] = ()  # which the structure only points to
        self._rests_of: dict[int, tuple[Block, Block]] = {}  # by address: a block, its rest
        self._ports: list[PeripheralSpec] = []  # of pins, that the code turned to
        self._rests = self._vain = 0
        self.served = 0

    def serve(self, until_ps: int) -> bool:
        """Go on, up to a time at most, by what a port is about to do. False: nothing was done."""
        soc = self._core.soc
        if self._native is None or not (soc.talking or soc.beating) or soc.recorder.listeners:
            return False
        if self._rests:
            self._rests -= 1
            return False
        talks = [talk for port in soc.talking if (talk := port.talk()) is not None]
        beats = [beat for timer in soc.beating if (beat := timer.beating()) is not None]
        if len(talks) > 1 or not (talks or beats) or not self._plain():
            return False
        moved, useful = self._run(talks[0] if talks else None, beats, until_ps)
        self._vain = 0 if useful else min(2 * self._vain + 1, LONGEST_REST)
        self._rests = self._vain
        return moved

    def _plain(self) -> bool:
        """Whether no exception is about to come, and nobody looks on."""
        core = self._core
        state = core.exceptions
        busy = getattr(core.flash, "busy_until_ps", 0) > core.now_ps
        return (
            core.sleeps_evenly
            and not state.active
            and not state.pending & state.enabled
            and not (core.watching or core.looked_at or self._book.in_ram or busy)
        )

    def _handler(self, number: int) -> int | None:
        """Where an exception's handler is; None where it would not be taken here, or has none."""
        state = self._core.exceptions
        group = state.group(state.priority[number])
        if not state.enabled >> number & 1:
            return None
        _, basepri, faultmask = self._core.masks()
        if group >= state.execution_priority(0, basepri, faultmask):
            return None
        vector = self._core.memory.word(self._core.vector_base() + 4 * number)
        if vector is None or not vector & 1 or not self._book.fetch.knows(vector & ~1):
            return None
        return vector & ~1

    # ------------------------------------------------------------------ what C needs

    def _scene(self, talk: Talk | None, beats: list[Beating]) -> _Scene | None:
        """All that takes part; None where nothing does, or what would come is not for here."""
        irqs = talk.irqs if talk is not None else {}
        numbers = {line: exc.FIRST_IRQ + irq for line, irq in irqs.items()}
        handlers = {line: self._handler(number) for line, number in numbers.items()}
        if talk is not None and any(handlers[n] is None and talk.asks(n) for n in numbers):
            return None
        ticks = self._ticks()
        if ticks is not None:
            handler = self._handler(exc.SYSTICK)
            if ticks.timer is not None and handler is None:
                ticks = None  # it ends what is done here
            else:
                numbers[native.TICKS], handlers[native.TICKS] = exc.SYSTICK, handler
        kept: list[Beating] = []
        for beat in beats[: native.TIMERS]:
            number = exc.FIRST_IRQ + beat.irq
            handler = self._handler(number)
            if handler is not None and number not in numbers.values():
                line = native.FIRST_TIMER + len(kept)
                numbers[line], handlers[line] = number, handler
                kept.append(beat)
        if talk is None and not kept:
            return None
        outputs = [self._outputs(spec) for spec in self._ports]
        parts: list[tuple[Part, int]] = []
        for kind in ((talk,), (ticks,), kept, outputs):
            parts += [(one, seat) for seat, one in enumerate(kind) if one is not None]
        return _Scene(parts, talk, outputs, numbers, handlers)

    def _run(self, talk: Talk | None, beats: list[Beating], until_ps: int) -> tuple[bool, bool]:
        """Whether anything changed, and whether trying again is of use."""
        core, at = self._core, self._core.at
        values = core.engine.read_many((*REGISTERS, *_SPECIAL))
        *general, flags, xpsr, control, main, primask = values
        scene = self._scene(talk, beats)
        if scene is None or not core.frame_size(control) or xpsr & _IT_BITS:
            return False, False
        service = self._service or self._make()
        course, hart = service.course, service.hart
        self._load_program(service)
        course.r[:15] = general
        course.r[15] = core.next_pc
        course.nzcv = flags >> 28
        course.cycle, course.cost, course.refill = at.cycle, at.cost, at.refill
        course.near, course.end, course.start = at.near, at.end, at.start
        course.primask, course.asleep = primask, core.asleep
        course.asleep_since, course.asleep_cycles = core.asleep_since, core.asleep_cycles
        self._fill(service, scene, until_ps)
        self._fill_core(service, control, xpsr, main)
        hart.undone = 0
        before = course.now_ps, course.cycle + course.cost
        served = self._native.fwgen_serve(service)
        self.served += served
        moved = (course.now_ps, course.cycle + course.cost) != before
        if moved:
            self._take(service, scene)
        if served:
            core.served(course.frame, control, xpsr)
        refused = hart.why not in (0, NEWS) and not (
            self._learn(hart.where) if hart.why == UNKNOWN_BLOCK
            else hart.why == NO_ACCESS and self._turn_to(service.wanted)
        )  # fmt: skip
        return moved, bool(served or course.happened or (moved and not refused))

    def _fill(self, service: native.Service, scene: _Scene, until_ps: int) -> None:
        """What is around the core."""
        soc, course, state = self._core.soc, service.course, self._core.exceptions
        service.clear()
        course.now_ps, course.asked_ps = soc.scheduler.now_ps, soc.asked_ps
        service.hclk = native.Clock(*self._core.hclk.terms)
        own = [timer for part, _ in scene.parts for timer in part.timers]
        service.until_ps = min(until_ps, soc.scheduler.next_but_all(own))
        for line, number in scene.numbers.items():
            one = service.lines[line]
            one.number, one.priority = number, state.priority[number]
            one.group = state.group(one.priority)
            one.handler = scene.handlers[line] or 0
            course.fell_ps[line] = state.fell.get(number, native.NEVER)
        course.asked = soc.scheduler.take_order()
        for part, seat in scene.parts:
            part.fill(service, seat)

    def _fill_core(self, service: native.Service, control: int, xpsr: int, main: int) -> None:
        """How exceptions of Thread mode are taken."""
        core, image = self._core, self._core.image
        size = core.frame_size(control)
        fp = size != PLAIN_FRAME
        service.link = (THREAD_LINK | 2 * (control & 2)) & ~(16 if fp else 0)
        service.frame_size, service.process, service.main = size, control & 2, main
        service.unprivileged = control & 1
        service.sleeps_on_exit = core.scb is not None and core.scb.scr.SLEEPONEXIT
        service.status = xpsr & 0x0FFF_FFFF & ~_PADDED
        data = core.soc.chip.ram.base + (image.ram_used if image is not None else 0)
        guarded = image is not None and data < image.initial_sp
        service.least = data if guarded else 0
        service.handlers_aligned = core.scb is None or bool(core.scb.ccr.STKALIGN)
        service.aligned = fp or service.handlers_aligned
        service.entry_cycles, service.return_cycles = core.stacking_cycles(fp=False)
        service.vector_cycles = self._book.fetch.vector()

    def _ticks(self) -> SysTick | None:
        """SysTick, where it runs."""
        ticks: Any = self._core.soc.peripherals.get("SYSTICK")
        return ticks if ticks is not None and ticks.counts else None

    def _turn_to(self, address: int) -> bool:
        """Whether an address is of a port of pins that from now on is served, too."""
        spec = self._core.soc.chip.peripheral_at(address) if address else None
        if spec is None or spec in self._ports or self._outputs(spec) is None:
            return False
        self._ports = [*self._ports, spec][-native.PORTS :]
        return True

    def _outputs(self, spec: PeripheralSpec) -> Outputs | None:
        """The pins of a port, where it has a clock."""
        soc = self._core.soc
        peripheral = soc.peripherals.get(spec.name)
        clocked = spec.gate is None or soc.gated.get(spec.name, False)
        if peripheral is None or not clocked or spec.name in soc.settling:
            return None
        return peripheral.outputs()

    def _learn(self, address: int) -> bool:
        """Whether code that was met and not known will be known next time.

        A block that the engine has run since, or the rest of one from there on. As all is packed
        anew for it, many are waited for where there are many already.
        """
        book = self._book
        self._unknown += 1
        if not any(block.address == address for block in book.blocks.values()):
            found = next(
                (
                    (block, book.look_at(address, block.address + block.size - address))
                    for block in book.blocks.values()
                    if block.address < address < block.address + block.size
                    and any(block.address + stop == address for stop, _ in block.stops)
                ),
                None,
            )
            if found is None:
                return False
            self._rests_of[address] = found
        known = len(self._program.blocks) if self._program is not None else 0
        if self._unknown * KNOWN_FOR_ONE < known:
            return False
        self._known = -1
        return True

    def _make(self) -> native.Service:
        service = self._service = native.Service()
        told, undo = (native.Happened * ROOM)(), (Undo * STORES)()
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

    def _load_program(self, service: native.Service) -> None:
        book = self._book
        if self._program is None or self._known != book.version:
            self._rests_of = dict(self._rests_known())
            blocks, rests = book.blocks.values(), (rest for _, rest in self._rests_of.values())
            aligned = self._core.scb is not None and bool(self._core.scb.ccr.UNALIGN_TRP)
            self._program = Program(
                (*blocks, *rests), aligned=aligned, translation=self._translation
            )
            self._known, self._unknown = book.version, 0
            self._program.load(service.hart, self._native)

    def _rests_known(self) -> Iterator[tuple[int, tuple[Block, Block]]]:
        """Of blocks that are still known the rests, as they are now."""
        book = self._book
        for address, (block, rest) in self._rests_of.items():
            now = book.blocks.get(block.address << 12 | block.size)
            if now is block:
                yield address, (block, rest)
            elif now is not None:
                yield address, (now, book.look_at(address, now.address + now.size - address))

    # ------------------------------------------------------------------ what came of it

    def _take(self, service: native.Service, scene: _Scene) -> None:
        core, soc, course = self._core, self._core.soc, service.course
        soc.recorder.add_all(self._events(service, scene))
        core.engine.write_many(REGISTERS, course.r[:15])
        core.engine.write_many((eng.APSR_NZCV, eng.PRIMASK), (course.nzcv << 28, course.primask))
        core.next_pc = course.r[15]
        if course.exclusive == CLOSED and core.uses_monitor:
            core.engine.clear_exclusive()
        at = core.at
        at.cycle, at.cost, at.refill = course.cycle, course.cost, course.refill
        at.near, at.start, at.end = course.near, course.start, course.end
        core.asleep_since, core.asleep_cycles = course.asleep_since, course.asleep_cycles
        state = core.exceptions
        for line, number in scene.numbers.items():
            if course.entered_ps[line] != native.NEVER:
                state.entered[number] = course.entered_ps[line]
            if course.fell_ps[line] == native.NEVER:
                state.fell.pop(number, None)
            else:
                state.fell[number] = course.fell_ps[line]
        soc.asked_ps = max(soc.asked_ps, course.asked_ps)
        calls = [call for part, seat in scene.parts for call in part.take(service, seat)]
        for _, ask in sorted(calls, key=itemgetter(0)):
            ask()
        soc.scheduler.catch_up(course.now_ps)
        core.asleep = bool(course.asleep)

    def _events(self, service: native.Service, scene: _Scene) -> Iterator[Event]:
        talk, state = scene.talk, self._core.exceptions
        causes = {line: state.name(number) for line, number in scene.numbers.items()}
        name, baud, heard = "", 0, 0
        if talk is not None:
            name, baud, heard = talk.name, talk.baud_mhz, talk.heard_mhz
        told = memoryview(self._arrays[0]).cast("B")[: native.WORDS * 8 * service.course.happened]
        words = told.cast("q").tolist()
        woke, slept, sent, moved = native.WOKE, native.SLEPT, native.SENT, native.MOVED
        for t_ps, start_ps, kind in zip(words[::3], words[1::3], words[2::3], strict=True):
            if kind & 0xFF == woke:
                yield Wake(t_ps, causes[kind >> 8])
            elif kind == slept:
                yield Sleep(t_ps, "sleep")
            elif kind & 0xFF == sent:
                yield SerialByte(t_ps, name, "tx", kind >> 8, baud, start_ps)
            elif kind & 0xFF == moved:
                port = scene.outputs[kind >> 13]
                assert port is not None
                yield Edge(t_ps, port.pin(kind >> 9 & 15), kind >> 8 & 1)
            else:
                yield SerialByte(t_ps, name, "rx", kind >> 8, heard, start_ps)
