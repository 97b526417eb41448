"""Hazards of timers."""

from __future__ import annotations

from fwgen.hazards.types import ERROR, WARNING, Kind

KINDS = (
    Kind(
        "timer-burst", ERROR, "a DMA burst beyond the timer's registers", "RM0368 §12.4.19",
        "DBA + DBL goes past the last register: what is written there is lost.",
        "let DBA + DBL be at most 17",
    ),
    Kind(
        "timer-direction", ERROR, "a channel turned round while it is on", "RM0368 §13.4.7",
        "CCxS can be written only while the channel is off (CCxE 0): the field keeps its value.",
        "clear CCxE in CCER first",
    ),
    Kind(
        "timer-mode", WARNING, "the counting mode changed while the counter runs",
        "RM0368 §13.4.1",
        "Going from edge-aligned to centre-aligned mode with CEN set is not allowed: where the "
        "counter goes on is not known.",
        "clear CEN in CR1 first",
    ),
)  # fmt: skip
