"""What a bench saw: timestamped evidence, as data.

Times are picoseconds since reset release (``_ps``). The machine's trace is complete between 0 and
``span_ps``: every pin that never appears kept the level it had at reset (``Trace.initial``). One of
a real board says what was watched, and how well (``Trace.watched``).
Stored as JSON Lines (one event a line, a header first); ``dump_vcd`` exports it for GTKWave,
PulseView and Surfer.
"""

from __future__ import annotations

from fwgen.trace.events import (
    EVENTS,
    Burst,
    ByHand,
    Clock,
    Edge,
    Event,
    Fault,
    Gap,
    Hazard,
    I2cTransfer,
    Looked,
    NotDone,
    Pictured,
    Reset,
    SerialByte,
    Shown,
    Sleep,
    SpiFrame,
    Stimulated,
    Voltage,
    Wake,
    Wave,
)
from fwgen.trace.record import Run, Trace, dump_trace, load_trace
from fwgen.trace.vcd import dump_vcd
from fwgen.trace.watched import Heard, Sampled, Watched

__all__ = [
    "EVENTS",
    "Burst",
    "ByHand",
    "Clock",
    "Edge",
    "Event",
    "Fault",
    "Gap",
    "Hazard",
    "Heard",
    "I2cTransfer",
    "Looked",
    "NotDone",
    "Pictured",
    "Reset",
    "Run",
    "Sampled",
    "SerialByte",
    "Shown",
    "Sleep",
    "SpiFrame",
    "Stimulated",
    "Trace",
    "Voltage",
    "Wake",
    "Watched",
    "Wave",
    "dump_trace",
    "dump_vcd",
    "load_trace",
]
