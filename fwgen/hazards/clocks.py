"""Hazards of clocks, resets and supply."""

from __future__ import annotations

from fwgen.hazards.types import ERROR, NOTE, WARNING, Kind

KINDS = (
    Kind(
        "backup-locked", ERROR, "the backup domain written while it is locked", "RM0368 §5.1.2",
        "After reset RCC_BDCR and the RTC are write-protected: the write is lost.",
        "set PWR_CR.DBP first",
    ),
    Kind(
        "clock-limit", ERROR, "a clock above its limit", "DS10086 §6.3.1, RM0368 §6.2",
        "Beyond the limit nothing is promised: what works on one chip at room temperature fails on "
        "the next, or in summer.",
        "set the prescalers (HPRE, PPRE1, PPRE2) before switching the clock",
    ),
    Kind(
        "clock-off", ERROR, "a peripheral touched while its clock is off", "RM0368 §6.3",
        "A peripheral without its clock hears nothing: reads give 0, writes are lost.",
        "set its bit in the RCC register of its bus (AHB1ENR, APB1ENR, APB2ENR) first",
    ),
    Kind(
        "clock-off-idle", NOTE, "a peripheral without its clock touched to no effect",
        "RM0368 §6.3",
        "A read gave 0, once, or a write was lost that would have changed nothing: what a driver "
        "does that puts a peripheral back to how it is anyway.",
        "set its bit in the RCC register of its bus (AHB1ENR, APB1ENR, APB2ENR) first",
    ),
    Kind(
        "clock-select", ERROR, "the system clock switched to nothing", "RM0368 §6.3.3",
        "CFGR.SW = 11 is not allowed.",
        "SW is 0 (HSI), 1 (HSE) or 2 (PLL)",
    ),
    Kind(
        "clock-settling", WARNING, "a peripheral touched right after its clock was enabled",
        "ES0222, Delay after an RCC peripheral clock enabling",
        "The clock arrives some cycles after its bit was set: until then an access may be lost.",
        "do something else for a few cycles first, or read RCC back, or use DSB",
    ),
    Kind(
        "hse-absent", ERROR, "an oscillator that the board does not have", "RM0368 §6.2.1",
        "HSERDY never rises: firmware that waits for it waits for ever.",
        "use the HSI",
    ),
    Kind(
        "hse-mode", WARNING, "HSEBYP does not go with the board's clock source", "RM0368 §6.2.1",
        "A crystal needs the oscillator (HSEBYP 0), a clock that is fed in bypasses it (HSEBYP 1). "
        "The other way round the HSE may not start.",
        "set HSEBYP as the board has it, before HSEON",
    ),
    Kind(
        "hse-range", WARNING, "an HSE outside the chip's range", "RM0368 §6.2.1",
        "The oscillator is only promised to run within the range of the data sheet.",
        "use the HSI",
    ),
    Kind(
        "lse-absent", ERROR, "a 32 kHz oscillator that the board does not have", "RM0368 §6.2.1",
        "LSERDY never rises: firmware that waits for it waits for ever.",
        "use the LSI",
    ),
    Kind(
        "lse-mode", ERROR, "LSEBYP does not go with the board's crystal", "RM0368 §6.2.1",
        "With LSEBYP the oscillator is off and waits for a clock from outside: LSERDY never rises.",
        "leave LSEBYP at 0",
    ),
    Kind(
        "pll-q", NOTE, "the PLL divides by 0 or 1 for its 48 MHz clock", "RM0368 §6.3.2",
        "The manual calls it a wrong configuration. Only USB, SDIO and RNG use that clock; what "
        "uses no such peripheral loses nothing.",
        "set PLLCFGR.PLLQ so that the VCO over PLLQ is 48 MHz, or at least 2",
    ),
    Kind(
        "pll-range", ERROR, "the PLL is set outside its ranges", "RM0368 §6.3.2, DS10086 §6.3.10",
        "Outside the ranges the PLL may not lock, or jitter.",
        "choose PLLM for a VCO input of 1 to 2 MHz, then PLLN, then PLLP",
    ),
    Kind(
        "pll-running", ERROR, "the PLL's settings written while it runs", "RM0368 §6.3.2",
        "They can be written only while it is off: the write is lost.",
        "switch the PLL off first, and the system clock away from it",
    ),
    Kind(
        "regulator-scale", ERROR, "a core clock above what the regulator's scale carries",
        "RM0368 §5.1.3",
        "At a lower scale the core gets a lower voltage, and is only promised to run more slowly.",
        "raise PWR_CR.VOS before the PLL is switched on",
    ),
    Kind(
        "stop-refused", WARNING, "Stop is not entered", "RM0368 §5.3.5",
        "With a wake-up flag still set the chip does not stop, and goes on with the next "
        "instruction.",
        "clear the flags of what woke the chip before going back to Stop",
    ),
    Kind(
        "vos-locked", ERROR, "the regulator's scale written while the PLL runs", "RM0368 §5.4.1",
        "VOS can be changed only while the PLL is off: the write is lost.",
        "set VOS before the PLL is switched on",
    ),
    Kind(
        "watchdog-early", ERROR, "a window watchdog fed too early", "RM0368 §16.3",
        "Feeding it before its window opens resets the chip, just as feeding it too late.",
        "feed it only once the count is at or below CFR.W",
    ),
    Kind(
        "usb-clock", ERROR, "USB set up without its 48 MHz", "RM0368 §22.2, USB 2.0 §7.1.11",
        "The core's reset does not end without the clock, and a host hears nothing of a device "
        "whose rate is off by more than 0.25 %.",
        "set PLLCFGR.PLLQ so that the VCO over PLLQ is 48 MHz, and the PLL on, first",
    ),
    Kind(
        "watchdog-expired", ERROR, "a watchdog that was not fed", "RM0368 §15.3",
        "The watchdog resets the chip when it has counted down.",
        "write 0xaaaa to IWDG_KR more often than it counts down",
    ),
    Kind(
        "watchdog-unfed", ERROR, "a watchdog that nobody feeds", "RM0368 §15.3",
        "The run ends before the watchdog has counted down, and it was never fed: it will reset "
        "the chip, again and again. Once started it cannot be stopped.",
        "write 0xaaaa to IWDG_KR again and again",
    ),
    Kind(
        "watchdog-write", ERROR, "a watchdog's settings written while they cannot be",
        "RM0368 §15.3.2",
        "PR and RLR are write-protected, and take some time to reach the watchdog's own clock: the "
        "write is lost.",
        "write 0x5555 to IWDG_KR first, and wait until PVU and RVU in SR are 0",
    ),
)  # fmt: skip
