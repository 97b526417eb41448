"""Hazards of serial ports."""

from __future__ import annotations

from fwgen.hazards.types import ERROR, NOTE, WARNING, Kind

KINDS = (
    Kind(
        "baud-error", ERROR, "a baud rate that nobody understands", "RM0368 §19.3.4",
        "So far from the other side's rate, the receiver samples in the wrong bit: bytes arrive "
        "as others, or not at all.",
        "compute BRR from the clock that the port really has",
    ),
    Kind(
        "baud-off", WARNING, "a baud rate at the edge of what is understood", "RM0368 §19.3.4",
        "More than 2 % from the standard rate. Another device may be off by as much the other way, "
        "and then bytes are lost.",
        "compute BRR from the clock that the port really has",
    ),
    Kind(
        "ck-not-connected", ERROR, "data clocked, but to no pin", "RM0368 §19.3.9",
        "In synchronous mode the other side follows CK, and no pin is set to it.",
        "set MODER to alternate function, and AFR, of a pin that has its CK",
    ),
    Kind(
        "cts-not-connected", ERROR, "flow control without a pin for CTS", "RM0368 §19.3.14",
        "With CTSE the port asks CTS before each frame, and no pin is set to it: whether anything "
        "is sent is chance.",
        "set a pin to its CTS, or clear CTSE",
    ),
    Kind(
        "serial-format", NOTE, "a format that is not the terminal's", "RM0368 §19.3.7",
        "A terminal in another format, 8N1 unless it is set otherwise, reads other bytes or "
        "framing errors.",
        "set the terminal to the same format",
    ),
    Kind(
        "serial-mode", ERROR, "modes of a USART that exclude each other", "RM0368 §19.3.8",
        "LIN, synchronous and single-wire mode each want bits of the others kept clear, and the "
        "clock's shape left alone while the port is on.",
        "clear the bits of the other modes before UE is set",
    ),
    Kind(
        "serial-mute", WARNING, "RWU written when it cannot be", "RM0368 §19.6.4",
        "An idle line does not wake a receiver that was muted before its first byte; with WAKE, "
        "RWU does not change while RXNE is set.",
        "receive a byte, and read DR, before setting RWU",
    ),
    Kind(
        "serial-seven-bits", WARNING, "a parity bit in place of the eighth data bit",
        "RM0368 §19.3.7",
        "With PCE and without M the parity bit takes the place of the highest data bit: 7 bits "
        "are left, which is hardly ever meant.",
        "set M together with PCE: the parity bit counts as one of the data bits",
    ),
    Kind(
        "tx-cut", ERROR, "the transmitter switched off within a frame", "RM0368 §19.3.2",
        "Clearing TE while a frame is sent loses what is left of it.",
        "wait for TC in SR before clearing TE",
    ),
    Kind(
        "tx-not-connected", ERROR, "sent, but to no pin", "RM0368 §8.3.2",
        "The port sends, and no pin is set to its TX: nothing comes out.",
        "set MODER to alternate function, and AFR, of a pin that has its TX",
    ),
    Kind(
        "tx-overrun", ERROR, "a byte written over one that waits", "RM0368 §19.3.2",
        "DR was written while TXE was 0: the byte that waited there is lost.",
        "wait for TXE in SR before each write to DR",
    ),
)  # fmt: skip
