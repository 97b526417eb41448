"""Real-time clock of the STM32F4.

``prescalers`` divides RTCCLK, ``calendar`` is what it counts, ``alarms`` finds when a pattern is
met next, ``pins`` watches RTC_AF1; ``clock`` hangs them on registers.
"""

from fwgen.machine.stm32.rtc_v2_f4.clock import Rtc

PERIPHERAL = Rtc
