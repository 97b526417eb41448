"""Timers of the STM32F4. ``counter`` counts, ``timer`` hangs it on registers and lines."""

from fwgen.machine.stm32.tim_v1.timer import Tim

PERIPHERAL = Tim
