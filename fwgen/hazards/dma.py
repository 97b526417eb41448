"""Hazards of DMA."""

from __future__ import annotations

from fwgen.hazards.types import ERROR, WARNING, Kind

KINDS = (
    Kind(
        "dma-burst", ERROR, "a burst that does not go with FIFO or address",
        "RM0368 §9.3.11, §9.3.12",
        "Bursts must fit the FIFO's threshold and must not cross a boundary of 1 KB: the stream "
        "stops with an error, or transfers wrong data without any flag.",
        "choose FTH, MBURST and PBURST that go together, and align the buffer to the burst",
    ),
    Kind(
        "dma-bus-error", ERROR, "an address that the port does not reach", "RM0368 §2.1, §9.3.18",
        "Not every port of a DMA controller is wired to every bus: the stream stops with TEIF.",
        "use the other controller, or an address that the port reaches",
    ),
    Kind(
        "dma-empty", ERROR, "a stream enabled with nothing to transfer", "RM0368 §9.5.6",
        "With NDTR 0 a stream that is enabled transfers nothing.",
        "write the number of items to NDTR before EN is set",
    ),
    Kind(
        "dma-flags", WARNING, "a stream enabled while its old flags are set", "RM0368 §9.3.17",
        "The manual asks for all flags of the last transfer to be cleared first: the stream may "
        "not start.",
        "clear all flags of the stream in LIFCR or HIFCR first",
    ),
    Kind(
        "dma-incomplete", ERROR, "items that do not fill whole units", "RM0368 §9.3.8, §9.3.10",
        "The number of items is no multiple of what the other side takes at once: the last unit is "
        "incomplete, or the next round starts shifted.",
        "make NDTR a multiple of the wider side's unit, or of the burst",
    ),
    Kind(
        "dma-misaligned", ERROR, "an address that is not aligned to its items", "RM0368 §9.3.11",
        "The low bits of the address are ignored: the data go to, or come from, elsewhere.",
        "align the buffer, or transfer smaller items",
    ),
    Kind(
        "dma-mode", ERROR, "a combination of modes that there is not",
        "RM0368 §9.3.6, §9.3.16, §9.5.5",
        "Reserved sizes or directions, circular memory-to-memory copies, double buffers with the "
        "peripheral as flow controller: not promised to do anything.",
        "use a combination that the manual's table of modes lists",
    ),
    Kind(
        "dma-no-request", WARNING, "a stream that nothing asks to transfer",
        "RM0368 §9.3.3, §9.3.17",
        "No peripheral requests on the chosen channel, or its clock never comes: the stream waits.",
        "look up stream and channel of the request in Tables 27 and 28, and enable its clock",
    ),
    Kind(
        "dma-protected", ERROR, "a stream's settings written while it is enabled",
        "RM0368 §9.3.9, §9.3.17",
        "While EN is set most registers keep their value; the buffer in use, written in double "
        "buffer mode, stops the stream with TEIF.",
        "clear EN and wait until it reads 0 before the stream is set up",
    ),
)  # fmt: skip
