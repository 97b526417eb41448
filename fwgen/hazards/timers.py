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
        "timer-clear", WARNING, "OCxREF cleared by an ETR that is divided or counted",
        "RM0368 §12.3.13",
        "OCxCE wants the prescaler of ETR off and external clock mode 2 disabled: when OCxREF is "
        "cleared otherwise is not told.",
        "clear ETPS and ECE in SMCR",
    ),
    Kind(
        "timer-direction", ERROR, "a channel turned round while it is on", "RM0368 §13.4.7",
        "CCxS can be written only while the channel is off (CCxE 0): the field keeps its value.",
        "clear CCxE in CCER first",
    ),
    Kind(
        "timer-idle", WARNING, "idle levels that would make both outputs active",
        "RM0368 §12.4.9",
        "OISx and OISxN ask for OCx and OCxN both active after a break: the timer keeps both "
        "inactive.",
        "choose idle levels of which at most one is active",
    ),
    Kind(
        "timer-locked", WARNING, "bits written that BDTR.LOCK protects", "RM0368 §12.4.18",
        "LOCK freezes them, and itself, from the first write of BDTR until reset: the write is "
        "lost.",
        "write them before, or together with, the first write of BDTR",
    ),
    Kind(
        "timer-mode", WARNING, "the counting mode changed while the counter runs",
        "RM0368 §13.4.1",
        "Going from edge-aligned to centre-aligned mode with CEN set is not allowed: where the "
        "counter goes on is not known.",
        "clear CEN in CR1 first",
    ),
    Kind(
        "timer-slave-mode", WARNING, "a slave mode that the timer does not have",
        "RM0368 §14.4.2",
        "The small timers count neither encoders nor down: SMS of 1 to 3 is reserved there.",
        "use a timer that counts down (TIM1 to TIM5, TIM8)",
    ),
)  # fmt: skip
