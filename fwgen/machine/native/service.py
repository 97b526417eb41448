"""``service.h``'s structures, as C has them."""

from __future__ import annotations

import ctypes
from functools import cache
from typing import Any

from fwgen.machine.native import ops

WOKE, SLEPT, RECEIVED, SENT, MOVED = range(5)  # kinds of what happened
# Who interrupts: the port, its streams in and out, SysTick, timers.
PORT, INTO, OUT_OF, TICKS, FIRST_TIMER = range(5)
TIMERS, STREAMS = 3, 2
LINES = FIRST_TIMER + TIMERS
FLAGS, TIMER_REGISTERS = 5, 21  # UIF, CC1IF to CC4IF; registers up to OR
PORTS, PINS = 4, 16  # ports of pins, and pins of each
SR, DR, BRR, CR1, CR2, CR3 = range(6)  # registers of the port, by the order of their offsets
REGISTERS = 6
NEVER = -1  # a time
WORDS = 3  # of what happened

_i64, _i32, _u32 = ctypes.c_int64, ctypes.c_int32, ctypes.c_uint32


class Clock(ctypes.Structure):
    """``machine.time.ClockDomain``: tick n lies at ``time0 + (n - ticks0) * den // num``."""

    _fields_ = (("time0", _i64), ("ticks0", _i64), ("num", _i64), ("den", _i64))


class Happened(ctypes.Structure):
    """What goes into the trace: ``WORDS`` words; ``kind`` with what it is about << 8."""

    _fields_ = (("t_ps", _i64), ("start_ps", _i64), ("kind", _i64))


class Stream(ctypes.Structure):
    """A DMA stream: its registers, and how far it is. ``fifo`` is -1 while it is empty."""

    _fields_ = (
        *((name, _i64) for name in (
            "cr", "ndtr", "par", "m0ar", "fcr", "reload", "at", "left", "total", "done", "fifo",
        )),
        *((name, _i32) for name in ("enabled", "halfway", "began")),
    )  # fmt: skip


class Beat(ctypes.Structure):
    """A timer: ``at`` clocks since its counter was 0, up to which SR is true."""

    _fields_ = tuple((name, _i64) for name in ("sr", "dier", "at", "next_ps", "order", "read_ps"))


class Latch(ctypes.Structure):
    """A port of pins: what it drives, and when the core last moved each."""

    _fields_ = (("odr", _i64), ("moved_ps", _i64 * PINS))


class Nested(ctypes.Structure):
    """An exception that is active."""

    _fields_ = (("line", _i32), ("frame", _u32))


class Course(ctypes.Structure):
    """What serving changes."""

    _fields_ = (
        ("r", _u32 * 16), ("nzcv", _u32),
        *((name, _i64) for name in (
            "cycle", "cost", "refill", "near", "end", "start", "exclusive", "now_ps",
            "sr", "cr1", "cr3", "dr", "rdr", "tdr", "seen",
            "content", "start_tick", "end_tick", "start_ps", "end_ps",
            "received", "over",
            "asked", "end_order", "sample_order", "sent_order", "step_order", "tick_order",
            "asleep_since", "asleep_cycles", "asked_ps", "port_read_ps", "dma_read_ps",
        )),
        ("entered_ps", _i64 * LINES), ("fell_ps", _i64 * LINES),
        ("flags", _i64 * 2),
        *((name, _i64) for name in ("free_tick", "until_tick", "step_ps", "after")),
        ("streams", Stream * STREAMS),
        *((name, _i64) for name in ("tick0", "value0", "tick_ps")),
        *((name, _i32) for name in (
            "serving", "step", "asks", "flagged", "levels", "pending",
            "depth", "asleep", "happened", "served",
        )),
        ("nested", Nested * LINES),
        ("latches", Latch * PORTS),
        ("beats", Beat * TIMERS),
        ("frame", _u32), ("primask", _u32),
    )  # fmt: skip


class Line(ctypes.Structure):
    """An exception that may come."""

    _fields_ = (
        ("number", _i32), ("priority", _i32), ("group", _i32), ("handler", _u32),
    )  # fmt: skip


class Wire(ctypes.Structure):
    """What of a stream stays. Of CR: what it must be, what is not reserved, what EN leaves free."""

    _fields_ = (
        ("exists", _i32), ("number", _i32),
        *((name, _i64) for name in ("shape", "defined", "free", "register_cycles")),
    )  # fmt: skip


class Timer(ctypes.Structure):
    """What of a timer stays; ``base`` 0: there is none. ``phases``: when in a period flags rise."""

    _fields_ = (
        ("base", _u32), ("cleared_by_0", _u32), ("interrupts", _i64), ("clock", Clock),
        ("origin", _i64), ("prescale", _i64), ("period", _i64), ("phases", _i64 * FLAGS),
        ("held", _u32 * TIMER_REGISTERS), ("known", _u32 * TIMER_REGISTERS),
    )  # fmt: skip


class Pads(ctypes.Structure):
    """What of a port of pins stays; ``base`` 0: there is none."""

    _fields_ = (("base", _u32), ("outputs", _u32), ("plain", _u32), ("fixed", _u32))


class Service(ctypes.Structure):
    """All of it: see ``service.h``."""

    _fields_ = (
        ("course", Course), ("kept", Course), ("hart", ops.Hart),
        ("hclk", Clock), ("kernel", Clock), ("ahb", Clock), ("until_ps", _i64),
        ("lines", Line * LINES),
        *((name, _u32) for name in ("link", "status", "least", "frame_size")),
        ("aligned", _i32), ("handlers_aligned", _i32),
        *((name, _u32) for name in ("process", "main", "sleeps_on_exit", "unprivileged")),
        *((name, _i64) for name in ("entry_cycles", "return_cycles", "vector_cycles")),
        ("base", _u32),
        *((name, _u32 * REGISTERS) for name in ("offsets", "readable", "tells", "held")),
        *((name, _u32) for name in ("free_cr1", "free_cr3", "cleared_by_0")), ("room", _i32),
        *((name, _i64) for name in ("frame_ticks", "frames", "began", "length", "sampled")),
        ("data", ctypes.c_char_p), ("told", ctypes.POINTER(Happened)),
        ("dma_base", _u32), ("clears", _u32), ("wires", Wire * STREAMS),
        ("memory_cycles", ctypes.POINTER(_i64)),
        ("counts", _i32), ("divided", _i32), ("reload", _u32), ("tick_ctrl", _u32),
        ("pads", Pads * PORTS),
        ("timers", Timer * TIMERS),
        ("wanted", _u32),
    )  # fmt: skip

    def clear(self) -> None:
        """Nobody takes part, and nothing has come of it."""
        course = self.course
        course.levels = course.pending = course.depth = course.happened = course.served = 0
        course.step, course.serving = 0, -1
        course.port_read_ps = course.dma_read_ps = NEVER
        course.entered_ps[:] = course.fell_ps[:] = [NEVER] * LINES
        for line in self.lines:
            line.handler = 0
        self.base = self.frames = self.frame_ticks = self.dma_base = self.counts = 0
        course.content = course.tdr = NEVER
        course.cr3 = course.asks = 0
        for wire, stream in zip(self.wires, course.streams, strict=True):
            wire.exists = stream.enabled = 0
        for part in (*self.timers, *self.pads):
            part.base = 0

    def takes(self, line: int) -> bool:
        """Whether an interrupt line has a handler that would be taken."""
        return bool(self.lines[line].handler)


@cache
def library() -> Any:
    """The library, or None where there is none, or it is for other structures."""
    lib = ops.library()
    if lib is None:
        return None
    try:
        lib.fwgen_serve.argtypes, lib.fwgen_serve.restype = (ctypes.POINTER(Service),), _i32
        lib.fwgen_service_layout.argtypes, lib.fwgen_service_layout.restype = (), _i64
    except AttributeError:  # an older one
        return None
    return lib if lib.fwgen_service_layout() == layout() else None


def layout() -> int:
    """What ``fwgen_service_layout`` of a library for these structures says."""
    return ctypes.sizeof(Service) << 32 | ctypes.sizeof(Course)
