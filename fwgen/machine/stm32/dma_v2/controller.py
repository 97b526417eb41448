"""A DMA controller: registers, flags and interrupts, and who gets the ports."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from fwgen.errors import BoardError
from fwgen.machine.dma import wired_to
from fwgen.machine.peripheral import Peripheral, Reg
from fwgen.machine.stm32.dma_v2.carry import carrier
from fwgen.machine.stm32.dma_v2.checks import fits_threshold, flaws, unasked
from fwgen.machine.stm32.dma_v2.ports import Port, reaches
from fwgen.machine.stm32.dma_v2.stream import (
    ALL,
    DME,
    FE,
    HT,
    MEMORY_TO_MEMORY,
    TC,
    TE,
    TO_PERIPHERAL,
    Stream,
)
from fwgen.machine.stm32.dma_v2.talk import server
from fwgen.machine.time import NEVER
from fwgen.trace import Hazard

if TYPE_CHECKING:
    from collections.abc import Callable

    from fwgen.board.types import PeripheralSpec
    from fwgen.machine.leap import Carrier
    from fwgen.machine.peripheral import Register
    from fwgen.machine.soc import Soc
    from fwgen.machine.stm32.dma_v2.stream import Step
    from fwgen.machine.time import Timer

STREAMS = range(8)
_PER_STREAM = ("CR", "NDTR", "PAR", "M0AR", "M1AR", "FCR")
_LOWEST = (0, 6, 16, 22)  # bits of the flags in LISR and HISR
_LIVE = ("EN", "DMEIE", "TEIE", "HTIE", "TCIE", "CIRC")  # of CR, not protected by EN


def _of(number: int, kind: str) -> Callable[[Dma, int, int, int], None]:
    """The writer of a stream's register."""

    def write(self: Dma, t_ps: int, written: int, before: int) -> None:
        getattr(self, f"write_{kind}")(self.streams[number], t_ps, written, before)

    return write


class Dma(Peripheral, registers="stm32.dma_v2"):
    """DMA controller with eight streams. RM0368 §9.

    One stream at a time has the ports: among those that wait the one of the highest PL, then of
    the lowest number (§9.3.4), for one item or burst; what that takes is told in ``ports``. Data
    move at the end of that time. RAM that it writes counts as written; code there is forgotten.

    Not modelled: the core and the other controller being in the way on the bus matrix, so that
    DMEIF never rises; the two ports working at the same time; bursts that cross a boundary of
    1 KB, misaligned addresses and incomplete items beyond their hazards (addresses are aligned
    down, an incomplete item is filled with zeros).
    """

    lisr, hisr, lifcr, hifcr = Reg(), Reg(), Reg(), Reg()

    for _n in STREAMS:
        for _kind in _PER_STREAM:
            _reg = Reg(name=f"S{_n}{_kind}")
            _reg.on_write(_of(_n, _kind.lower()))
            locals()[f"s{_n}{_kind.lower()}"] = _reg
    del _n, _kind, _reg

    REPEATABLE = frozenset(f"S{n}{kind}" for n in STREAMS for kind in _PER_STREAM)

    def __init__(self, spec: PeripheralSpec, soc: Soc) -> None:
        super().__init__(spec, soc)
        options = dict(spec.options)
        where = f"peripherals.{spec.name}.options"
        direct = options.pop("direct", None)
        self.peripheral = Port(
            soc,
            self.clock,
            reaches(options, "peripheral_port", where),
            direct if isinstance(direct, str) else None,
        )
        self.memory = Port(soc, self.clock, reaches(options, "memory_port", where), None)
        if unknown := set(options) - {"reset", "peripheral_port", "memory_port"}:
            raise BoardError(f"a DMA controller has no option {min(unknown)!r}", where=where)
        self.streams = [Stream(self, number) for number in STREAMS]
        self._enabled: list[Stream] = []  # by priority
        self._protected = ~self.states["S0CR"].mask(*_LIVE)
        self._step: Step | None = None  # that has the ports
        self._serving: Stream | None = None
        self._timer: Timer | None = None
        self._until = self._free = 0  # ticks: the step's end; when the ports are free again
        self._lines = [False] * len(STREAMS)
        self._wired: dict[tuple[int, int], list[tuple[PeripheralSpec, str]]] = {}
        soc.dma.connect(self.name, self._raised, self._carrier, partial(server, self))

    def on_reset(self, t_ps: int) -> None:
        """Every stream stops where it is."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._step = self._serving = None
        self._free = 0
        self._enabled = []
        for stream in self.streams:
            stream.reload = 0
            stream.clear()
            self._request(stream, t_ps)

    def on_clock(self, t_ps: int) -> None:
        """The ports go on at another pace, or stand still."""
        if self._step is not None:
            if self._timer is not None:
                self._timer.cancel()
            self._await(self._until, self._finish)
        elif self._enabled:
            self._go_on(t_ps)

    def write(self, offset: int, size: int, value: int, t_ps: int) -> None:
        """A write. That a mask of six clears five flags of a stream is worth no note."""
        if offset in (self.lifcr.spec.offset, self.hifcr.spec.offset):
            value &= self.defined(offset)
        super().write(offset, size, value, t_ps)

    def keeps(self, offset: int, size: int, written: int) -> bool:
        """Clearing flags that are not set changes nothing, either."""
        for clear, flags in ((self.lifcr, self.lisr), (self.hifcr, self.hisr)):
            if offset == clear.spec.offset:
                return not written & flags.value
        return super().keeps(offset, size, written)

    # ------------------------------------------------------------------ flags

    def _flags(self, stream: Stream) -> tuple[Register, int]:
        low = stream.number < 4
        return self.lisr if low else self.hisr, _LOWEST[stream.number % 4]

    def mark(self, stream: Stream, flags: int) -> None:
        """Set flags of a stream that do not interrupt."""
        status, lowest = self._flags(stream)
        status.value |= flags << lowest

    def flag(self, stream: Stream, flags: int, t_ps: int) -> None:
        """Set flags of a stream; those that are enabled interrupt."""
        status, lowest = self._flags(stream)
        status.value |= flags << lowest
        self._request(stream, t_ps)

    def _request(self, stream: Stream, t_ps: int) -> None:
        status, lowest = self._flags(stream)
        cr = stream.cr
        wanted = (
            (TC if cr.TCIE else 0)
            | (HT if cr.HTIE else 0)
            | (TE if cr.TEIE else 0)
            | (DME if cr.DMEIE else 0)
            | (FE if stream.fcr.FEIE else 0)
        )
        level = bool(status.value >> lowest & wanted)
        if level != self._lines[stream.number]:
            self._lines[stream.number] = level
            self.irq(t_ps, f"stream{stream.number}", level)

    @lifcr.on_write
    def _clear_low(self, t_ps: int, written: int, _before: int) -> None:
        self._clear(self.lisr, self.lifcr, self.streams[:4], written, t_ps)

    @hifcr.on_write
    def _clear_high(self, t_ps: int, written: int, _before: int) -> None:
        self._clear(self.hisr, self.hifcr, self.streams[4:], written, t_ps)

    def _clear(
        self, status: Register, by: Register, streams: list[Stream], written: int, t_ps: int
    ) -> None:
        status.value &= ~written
        by.value = 0
        for stream in streams:
            if self._lines[stream.number]:
                self._request(stream, t_ps)

    # ------------------------------------------------------------------ registers of a stream

    def write_cr(self, stream: Stream, t_ps: int, _written: int, before: int) -> None:
        """SxCR: starts and stops the stream; what EN protects keeps its value. §9.5.5."""
        cr = stream.cr
        if before & 1:
            self._protect(stream, cr, before, self._protected)
            if not cr.EN:
                self._stop(stream, t_ps)
        elif cr.EN:
            self._start(stream, t_ps)
        self._request(stream, t_ps)

    def write_ndtr(self, stream: Stream, _t_ps: int, _written: int, before: int) -> None:
        """SxNDTR: how many items; read-only while the stream is enabled. §9.5.6."""
        if stream.enabled:
            self._protect(stream, stream.ndtr, before, ~0)
        else:
            stream.reload = stream.ndtr.value

    def write_par(self, stream: Stream, _t_ps: int, _written: int, before: int) -> None:
        """SxPAR. §9.5.7."""
        if stream.enabled:
            self._protect(stream, stream.par, before, ~0)

    def write_m0ar(self, stream: Stream, t_ps: int, _written: int, before: int) -> None:
        """SxM0AR: in double buffer mode to be written while it is not used. §9.5.8."""
        self._memory_written(stream, stream.m0ar, 0, before, t_ps)

    def write_m1ar(self, stream: Stream, t_ps: int, _written: int, before: int) -> None:
        """SxM1AR: as M0AR. §9.5.9."""
        self._memory_written(stream, stream.m1ar, 1, before, t_ps)

    def _memory_written(
        self, stream: Stream, register: Register, which: int, before: int, t_ps: int
    ) -> None:
        if not stream.enabled:
            return
        if not stream.cr.DBM:
            self._protect(stream, register, before, ~0)
        elif which == stream.cr.CT:
            # "sets an error flag (TEIF) and the stream is automatically disabled" (§9.3.9)
            register.value = before
            self.soc.hazard(
                "dma-protected",
                f"{stream.name}: {register.name} written while it is the buffer in use (CT is"
                f" {which}): the stream stops with TEIF",
                section="RM0368 §9.3.9",
                cure="write the other buffer's address, right after TCIF",
            )
            self._fail(stream, TE, t_ps)

    def write_fcr(self, stream: Stream, t_ps: int, _written: int, before: int) -> None:
        """SxFCR. §9.5.10."""
        if stream.enabled:
            self._protect(stream, stream.fcr, before, ~stream.fcr.mask("FEIE"))
        self._request(stream, t_ps)

    def _protect(self, stream: Stream, register: Register, before: int, mask: int) -> None:
        """Bits that cannot be written while EN is 1 keep their value."""
        if (register.value ^ before) & mask:
            self.soc.hazard(
                "dma-protected",
                f"{self.name}.{register.name} written while stream {stream.number} is enabled:"
                " what EN protects keeps its value",
                section="RM0368 §9.3.17",
            )
        register.value = before & mask | register.value & ~mask

    def wired(self, stream: Stream) -> list[tuple[PeripheralSpec, str]]:
        """The requests that come in on the line that a stream listens to."""
        key = stream.number, stream.channel
        if key not in self._wired:
            self._wired[key] = wired_to(self.soc.chip.peripherals, self.name, *key)
        return self._wired[key]

    def unfinished(self, t_ps: int) -> tuple[Hazard, ...]:
        """Streams that were unclocked from their start to the end of the run."""
        found = [
            unasked(self, one)
            for one in self._enabled
            if one.unclocked and one.ndtr.value == one.reload
        ]
        return tuple(
            Hazard.of(one.code, one.message, max(0, t_ps - 1), section=one.section, cure=one.cure)
            for one in found
            if one is not None
        )

    # ------------------------------------------------------------------ starting and stopping

    def _start(self, stream: Stream, t_ps: int) -> None:
        status, lowest = self._flags(stream)
        if status.value >> lowest & ALL:
            self.soc.hazard(
                "dma-flags",
                f"{stream.name} is enabled while flags of its last transfer are set: it may not"
                " start",
            )
        stream.configure()
        stream.start()
        stream.unclocked = (
            stream.direction != MEMORY_TO_MEMORY and unasked(self, stream) is not None
        )
        for flaw in flaws(self, stream):
            self.soc.hazard(flaw.code, flaw.message, section=flaw.section, cure=flaw.cure)
        if not fits_threshold(stream):
            self.soc.hazard(
                "dma-burst",
                f"{stream.name}: a threshold of {stream.threshold} bytes is no whole number of"
                f" bursts of {stream.mbeats} times {stream.msize} bytes: FEIF, and it stops",
                section="RM0368 §9.3.12, FIFO threshold configurations",
                cure="choose FTH and MBURST that go together",
            )
            self._fail(stream, FE, t_ps)
            return
        if stream.cr.DIR == 3:
            return
        self._enabled = sorted(
            [*self._enabled, stream], key=lambda one: (-one.priority, one.number)
        )
        if stream.direction != MEMORY_TO_MEMORY and stream.requested:
            self._raised(stream.number, stream.channel, t_ps)
        self._go_on(t_ps)

    def _stop(self, stream: Stream, t_ps: int) -> None:
        """EN is cleared: it reads 0 once "all the current transfers have finished". §9.3.14."""
        stream.cr.set(EN=1)
        stream.stopping = True
        self._settle_stop(stream, t_ps)
        self._go_on(t_ps)

    def _settle_stop(self, stream: Stream, t_ps: int) -> None:
        """The end of a stop, once nothing is on its way. TCIF tells it."""
        flushing = stream.fifo and stream.direction != TO_PERIPHERAL
        if stream.stopping and stream is not self._serving and not flushing:
            stream.disable()
            self._remove(stream)
            self.flag(stream, TC, t_ps)

    def _fail(self, stream: Stream, flags: int, t_ps: int) -> None:
        stream.disable()
        self._remove(stream)
        self.flag(stream, flags, t_ps)

    def _remove(self, stream: Stream) -> None:
        self._enabled = [one for one in self._enabled if one is not stream]

    def tell_bus_error(self, stream: Stream, port: object, address: int, access: str) -> None:
        """A bus error, as a hazard."""
        which = "peripheral" if port is self.peripheral else "memory"
        place = self.peripheral.place(address)
        if place.region is not None and self.soc.chip.memories[place.region.name].alias_of:
            detail = f"whether DMA reaches {place.region.name}, an alias, is not known"
            self.soc.gap(self.name, f"stream {stream.number}", access, address, detail)
            return
        wanted = port.reaches if isinstance(port, Port) else ()
        self.soc.hazard(
            "dma-bus-error",
            f"{stream.name}: {access} of {address:#010x} ({place.name}) fails: its {which} port"
            f" reaches {', '.join(sorted(wanted))}",
        )

    # ------------------------------------------------------------------ arbitration

    def _raised(self, number: int, channel: int, t_ps: int) -> None:
        """A request line rose."""
        stream = self.streams[number]
        if not stream.enabled or stream.channel != channel:
            return
        if stream.starved and stream is not self._serving:
            self.flag(stream, FE, t_ps)
        self._go_on(t_ps)

    def _go_on(self, t_ps: int) -> None:
        """Give the ports to the first stream that has something to do."""
        if self._step is not None or not self._enabled:
            return
        alone = len(self._enabled) == 1
        for stream in self._enabled:
            step = stream.next_step(alone=alone)
            if step is not None:
                break
        else:
            return
        now = self.clock.ticks_at(t_ps)
        if now < self._free:
            if self._timer is None or not self._timer.pending:
                self._await(self._free, self._look_again)
            return
        if self._timer is not None:
            self._timer.cancel()
        self._step, self._serving = step, stream
        self._until = now + step.cycles
        self._await(self._until, self._finish)

    def _carrier(self, number: int, channel: int, register: int) -> Carrier | None:
        """Who serves a request line, byte by byte and all alike; None while anything is open."""
        if self._step is not None or (self._timer is not None and self._timer.pending):
            return None
        stream = self.streams[number]
        if stream.channel != channel or not stream.enabled:
            return None
        return carrier(self, stream, register)

    def _await(self, tick: int, call: Callable[[int], None]) -> None:
        self._timer = self.soc.scheduler.at(min(NEVER, self.clock.time_of(tick)), call)

    def _look_again(self, t_ps: int) -> None:
        self._timer = None
        self._go_on(t_ps)

    def _finish(self, t_ps: int) -> None:
        """The step is over: its accesses happen now."""
        step, stream = self._step, self._serving
        assert step is not None
        assert stream is not None
        self._timer = None
        if stream.enabled:
            step.call(t_ps)
        self._step = self._serving = None
        self._free = self._until + step.after
        self._settle_stop(stream, t_ps)
        if not stream.enabled:
            self._remove(stream)
        self._go_on(t_ps)
