"""Hazards of the flash and of the option bytes."""

from __future__ import annotations

from fwgen.hazards.types import ERROR, NOTE, Kind

KINDS = (
    Kind(
        "flash-cache-reset", NOTE, "a cache reset while it is on", "RM0368 §3.8.1",
        "ICRST and DCRST work only while the cache is off: nothing is reset.",
        "clear ICEN or DCEN first",
    ),
    Kind(
        "flash-key", ERROR, "a wrong key", "RM0368 §3.5.1",
        "After a wrong key, or a third one, the register stays locked until the next reset.",
        "write both keys, in order, once",
    ),
    Kind(
        "flash-latency", ERROR, "too few flash wait states", "RM0368 §3.4.1",
        "The flash is slower than the core. With too few wait states for clock and supply wrong "
        "code and wrong data are fetched, now and then.",
        "raise FLASH_ACR.LATENCY before the clock, lower it after",
    ),
    Kind(
        "flash-not-erased", ERROR, "programming over what is there", "RM0368 §3.5.4",
        "Programming makes bits 0; only an erase of the whole sector makes them 1 again.",
        "erase the sector first",
    ),
    Kind(
        "flash-prefetch", ERROR, "prefetch at too low a supply", "RM0368 §3.4.1",
        "Below 2.1 V the prefetch buffer must be off.",
        "leave PRFTEN at 0 below 2.1 V",
    ),
    Kind(
        "flash-psize", ERROR, "a parallelism that the supply does not carry",
        "RM0368 §3.5.2",
        "Programming and erasing more bits at once needs a higher supply: with less the bits do "
        "not hold.",
        "choose a smaller PSIZE",
    ),
    Kind(
        "flash-refused", ERROR, "the flash refused an operation", "RM0368 §3.8.4",
        "FLASH_SR says why: locked, no PG or SER, the store's size is not PSIZE, write-protected. "
        "Nothing was programmed. A store to flash by mistake (a wild pointer) looks the same.",
        "unlock FLASH_CR, set PG or SER with the PSIZE of the store, wait for BSY",
    ),
    Kind(
        "option-bytes", ERROR, "option bytes or read-out protection touched", "RM0368 §3.6",
        "Read-out protection locks the debugger out, and going back erases the chip; level 2 can "
        "never be undone.",
        "leave FLASH_OPTCR alone; use the vendor's tool for option bytes", locks=True,
    ),
)  # fmt: skip
