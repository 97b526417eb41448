"""A run with native code that serves a port, and the same run by the engine, side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwgen.machine import Machine
from fwgen.machine.armv7m import engine as eng
from fwgen.trace import SerialByte, dump_trace

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fwgen.board.types import Board
    from fwgen.contract.types import Stimulus
    from fwgen.image.types import Image
    from fwgen.trace import Trace

RAM = 0x2000_0000


def left_by(machine: Machine) -> dict[str, object]:
    """Everything that a run leaves behind."""
    core, soc = machine.core, machine.soc
    usart, dma, systick, gpio = (
        soc.peripherals[name] for name in ("USART2", "DMA1", "SYSTICK", "GPIOA")
    )
    state = core.exceptions
    tick = systick._tick(core.now_ps)
    timers = []
    for name in ("TIM1", "TIM2", "TIM3", "TIM10"):
        timer = soc.peripherals[name]
        ahead = timer._ahead(core.now_ps)
        alarm = timer._alarm.t_ps if timer._alarm is not None else None
        timers.append((ahead.cnt, ahead.pre, timer.sr.value | ahead.flags, timer._dier,
                       timer.dier.value, timer._lines, alarm))  # fmt: skip
    streams = [
        (one.enabled, bytes(one.fifo), one.reload, one._m_at, one._m_left, one._total, one._done,
         one._halfway, one.direction, one.channel, one.requested, one.direct, one._m_step)
        for one in dma.streams
    ]  # fmt: skip
    return {
        "registers": core.engine.read_many((*eng.GENERAL[:15], eng.XPSR, eng.CONTROL, eng.MSP)),
        "pc": core.next_pc,
        "memory": core.memory.read(RAM, 0x18000),
        "port": {name: one.value for name, one in usart.states.items()},
        "dma": {name: one.value for name, one in dma.states.items()},
        "streams": streams,
        "arbiter": ([one.number for one in dma._enabled], dma._lines, dma._step is None,
                    max(dma._free, dma.clock.ticks_at(core.now_ps))),
        "inside": (usart._tdr, usart._rdr, usart._line, usart.sending_since, usart._asks,
                   usart._receiving, usart._began, usart.sent_as, usart._last_error),
        "exceptions": (state.pending, state.active, state.levels, state.fell, state.entered),
        "timers": timers,
        "ticks": (systick._value(tick), systick._next_zero(), systick._flagged),
        "core": (core.cycle, core.awake_cycles, core.asleep, core.event, core.asleep_since),
        "now": core.now_ps,
        "asked": (usart._seen, soc.asked_ps, dict(soc.flags_read)),
        "pins": (gpio.odr.value, gpio._moved,
                 [(line.pad.level, line.pad.driven_inside) for line in gpio.lines.values()]),
        "flowing": [one.name for one in soc.flowing],
        "due": soc.scheduler.next_ps,
    }  # fmt: skip


def run(
    board: Board,
    image: Image,
    stimuli: Iterable[Stimulus],
    span_ps: int,
    *,
    native: bool,
    accelerate: bool = True,
    cuts: tuple[int, ...] = (),
) -> tuple[Trace, dict[str, object], int]:
    """The trace, what the run left, and how often native code served. ``cuts``: where it stops."""
    with Machine(board, native=native, accelerate=accelerate) as machine:
        machine.load(image)
        machine.core.memory.write_ram(RAM, bytes(0x400))
        for stimulus in stimuli:
            machine.stimulate(stimulus)
        for cut in sorted(cut for cut in cuts if cut < span_ps):
            machine.advance(cut)
        machine.advance(span_ps)
        return machine.trace(), left_by(machine), machine.core.services.served


def same(
    board: Board,
    image: Image,
    stimuli: Iterable[Stimulus],
    span_ps: int,
    *,
    cuts: tuple[int, ...] = (),
    unskipped: bool = False,
) -> tuple[Trace, int]:
    """The trace, and how often native code served.

    ``unskipped``: the engine's run is held against one in which it skips nothing, too.
    """
    quick, left, served = run(board, image, stimuli, span_ps, native=True, cuts=cuts)
    plain, kept, none = run(board, image, stimuli, span_ps, native=False, cuts=cuts)
    assert none == 0
    assert dump_trace(quick) == dump_trace(plain)
    assert left == kept
    if unskipped:
        step, found, _ = run(
            board, image, stimuli, span_ps, native=False, accelerate=False, cuts=cuts
        )
        assert dump_trace(plain) == dump_trace(step)
        assert kept == found
    return quick, served


def bytes_of(trace: Trace, direction: str) -> list[int]:
    """What went over the line."""
    return [e.byte for e in trace.of(SerialByte) if e.direction == direction]
