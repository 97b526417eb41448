"""Hazards of pins and of what is wired to them, and of registers in general."""

from __future__ import annotations

from fwgen.hazards.types import ERROR, NOTE, WARNING, Kind

KINDS = (
    Kind(
        "access-size", ERROR, "an access of a size that the register does not take",
        "RM0368 §4.4.1",
        "The register takes whole words: what a narrower store does is not promised.",
        "write 32 bits at a time",
    ),
    Kind(
        "floating-input", WARNING, "a floating input that decides something", "RM0368 §8.3.9",
        "An input that nothing drives or pulls reads whatever its surroundings induce: a hand "
        "nearby is enough.",
        "set a pull in PUPDR, or wire the pin",
    ),
    Kind(
        "open-drain-floats", WARNING, "an open drain that nothing pulls up", "RM0368 §8.3.10",
        "An open drain only pulls low. Without a resistor the line never becomes high by itself.",
        "leave OTYPER at 0 for this pin, or set its pull-up",
    ),
    Kind(
        "output-fight", ERROR, "two outputs on one wire", "RM0368 §8.3.10; DS10086 §6.2",
        "Two strong outputs drive one wire to different levels: the level is anything, and the "
        "current may be more than the pins endure.",
        "make the pin an input, or do not drive it from outside",
    ),
    Kind(
        "pin-taken", ERROR, "an output on a pin that the board itself drives",
        "RM0368 §8.3.10; the board's schematic",
        "The board has an output of its own on this pin: a clock, a crystal, the serial line of "
        "the debug probe. Both drive one wire.",
        "use another pin",
    ),
    Kind(
        "reserved-bits", NOTE, "reserved bits written", "the register's own section",
        "Reserved bits must keep their reset value. On this chip nothing happens; on the next "
        "revision something may.",
        "read, change only the fields you mean, and write back",
    ),
    Kind(
        "reserved-value", WARNING, "a field set to a reserved value", "RM0368 §8.4.4",
        "What silicon does with a value that the manual reserves is not known.",
        "choose one of the values that the manual lists",
    ),
    Kind(
        "shared-input", WARNING, "an alternate function's input on two pins", "RM0368 §8.3.2",
        "A peripheral's input must come from one pin: which of two wins is not known.",
        "give the alternate function to one pin only",
    ),
    Kind(
        "swd-remapped", ERROR, "the debugger's pins used for something else", "RM0368 §23.4.1",
        "From this write on no debugger reaches the chip. It can only be flashed again while it is "
        "held in reset, or through its boot loader.",
        "change only your own pin's bits of MODER and AFR: read, modify, write", locks=True,
    ),
    Kind(
        "weak-drive", WARNING, "an LED that hangs on a pull",
        "DS10086, I/O static characteristics (RPU, RPD)",
        "A pull of some 40 kOhm gives tens of microamperes: an LED glows in the dark at best.",
        "make the pin a push-pull output",
    ),
    Kind(
        "wrong-alternate-function", ERROR, "an alternate function that the pin does not have",
        "DS10086, alternate function mapping",
        "No peripheral is connected to the pin under this number: nothing comes out or in.",
        "take the number from the data sheet's table of alternate functions",
    ),
)  # fmt: skip
