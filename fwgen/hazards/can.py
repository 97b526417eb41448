"""Hazards of the controller area network."""

from __future__ import annotations

from fwgen.hazards.types import ERROR, NOTE, WARNING, Kind

KINDS = (
    Kind(
        "can-alone", WARNING, "a CAN frame that nobody acknowledges", "RM0090 §32.7.6",
        "A frame needs another controller on the bus that acknowledges it. Without one it is sent "
        "again and again, and the sender becomes error passive.",
        "wire a second controller, set NART, or test with LBKM",
    ),
    Kind(
        "can-bit-rate", ERROR, "a CAN bit rate that does not work", "RM0090 §32.7.7",
        "bxCAN goes up to 1 Mbit/s, and all controllers on a bus must have the same bit time.",
        "choose BRP, TS1 and TS2 in CAN_BTR for the bus's rate at this PCLK1",
    ),
    Kind(
        "can-filter-locked", WARNING, "CAN filters written while they are in use", "RM0090 §32.9.4",
        "Mode, scale and FIFO of a bank are written only while FINIT is set, its identifiers also "
        "while it is inactive: the write is lost.",
        "set FINIT in CAN_FMR first, and clear it afterwards",
    ),
    Kind(
        "can-locked", WARNING, "CAN_BTR written outside initialisation", "RM0090 §32.9.2",
        "The bit timing and the test modes are written only while INAK is set: the write is lost.",
        "set INRQ, wait for INAK, then write CAN_BTR",
    ),
    Kind(
        "can-mailbox", ERROR, "a CAN mailbox written while it is to be sent", "RM0090 §32.9.3",
        "A mailbox is write-protected from TXRQ until it is empty again: what is written is lost.",
        "wait for TME of the mailbox",
    ),
    Kind(
        "can-no-bus", ERROR, "a CAN receiver that hears no bus", "RM0090 §32.4.2",
        "Leaving initialisation takes 11 recessive bits on CAN_RX: with a pin that floats, is low "
        "or is not connected, INAK stays set for ever.",
        "wire a transceiver to CAN_RX, set its alternate function, or test with LBKM",
    ),
    Kind(
        "can-overrun", NOTE, "a CAN frame that came when its FIFO was full", "RM0090 §32.7.3",
        "A FIFO holds three frames. The fourth replaces the third, or is dropped with RFLM.",
        "read the FIFO in time, and release each frame by RFOM",
    ),
)  # fmt: skip
