"""Firmware that sends back what it hears, at any rate and format."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import fwgen
from fwgen.board import load_board
from fwgen.image.emission import CodeLine, Emission, Relocation, Unit, WordLine
from fwgen.image.link import link
from fwgen.thumb import encode

if TYPE_CHECKING:
    from fwgen.image.types import Image

HSI_HZ = 16_000_000
UE, M, PCE, PS, TE, RE = 1 << 13, 1 << 12, 1 << 10, 1 << 9, 1 << 3, 1 << 2
PLAIN, EVEN, ODD = UE | TE | RE, UE | M | PCE | TE | RE, UE | M | PCE | PS | TE | RE
NINE = UE | M | TE | RE  # nine bits, no parity
COUNT = 'print "hello" and a count over serial every 500 ms'

ECHO = """\
ldr r0, ahb1enr @THM_PC8 ahb1enr
movs r1, #1
str r1, [r0, #0]
ldr r1, [r0, #0]
ldr r0, apb1enr @THM_PC8 apb1enr
ldr r1, usart2en @THM_PC8 usart2en
str r1, [r0, #0]
ldr r1, [r0, #0]
ldr r0, moder @THM_PC8 moder
ldr r1, afrl @THM_PC8 afrl
str r1, [r0, #32]
ldr r1, modes @THM_PC8 modes
str r1, [r0, #0]
ldr r0, usart2 @THM_PC8 usart2
ldr r1, brr @THM_PC8 brr
str r1, [r0, #8]
ldr r1, cr2 @THM_PC8 cr2
str r1, [r0, #16]
ldr r1, cr1 @THM_PC8 cr1
str r1, [r0, #12]
loop: ldr r1, [r0, #0]
lsls r1, r1, #26
bpl loop @THM_JUMP8 loop
ldr r1, [r0, #4]
str r1, [r0, #4]
b loop @THM_JUMP11 loop"""

TOGGLE_TX = """\
ldr r0, ahb1enr @THM_PC8 ahb1enr
movs r1, #1
str r1, [r0, #0]
ldr r1, [r0, #0]
ldr r0, moder @THM_PC8 moder
movs r1, #4
str r1, [r0, #24]
ldr r2, modes @THM_PC8 modes
str r2, [r0, #0]
lsls r2, r1, #16
ldr r4, bit @THM_PC8 bit
ldr r5, frame @THM_PC8 frame
next: lsrs r5, r5, #1
bcs high @THM_JUMP8 high
str r2, [r0, #24]
b wait @THM_JUMP11 wait
high: str r1, [r0, #24]
wait: movs r3, r4
down: subs r3, #1
bne down @THM_JUMP8 down
cmp r5, #0
bne next @THM_JUMP8 next
halt: wfi
b halt @THM_JUMP11 halt"""


@cache
def echo(baud: int = 115_200, cr1: int = PLAIN, cr2: int = 0) -> Image:
    """Sends back each byte on USART2, clocked by the HSI."""
    return _link(
        ECHO,
        {"ahb1enr": 0x40023830, "apb1enr": 0x40023840, "usart2en": 1 << 17, "moder": 0x40020000,
         "afrl": 0x7700, "modes": 0xA80000A0, "usart2": 0x40004400,
         "brr": round(HSI_HZ / baud), "cr1": cr1, "cr2": cr2},
    )  # fmt: skip


@cache
def bit_banged(byte: int, baud: int) -> Image:
    """Sends one byte by moving PA2 as a plain output, with a delay loop between bits."""
    frame = 1 | (byte << 2) | 1 << 10  # high first, start bit, data, stop
    return _link(
        TOGGLE_TX,
        {"ahb1enr": 0x40023830, "moder": 0x40020000, "modes": 0xA8000010,
         "bit": HSI_HZ // baud // 3, "frame": frame},
    )  # fmt: skip


@cache
def count() -> Image:
    """Says "hello" and a number, every 500 ms."""
    return fwgen.generate(COUNT, "nucleo-f401").proof.image


def _link(text: str, words: dict[str, int]) -> Image:
    units = [Unit("reset", "code", tuple(_line(line) for line in text.splitlines()))]
    units += [Unit(label, "words", (WordLine(str(value)),)) for label, value in words.items()]
    emission = Emission("", tuple(units), (("Reset", "reset"),))
    return link(emission, load_board("nucleo-f401"))


def _line(text: str) -> CodeLine:
    asm, _, relocated = text.partition("@")
    label, colon, rest = asm.partition(":")
    asm, name = (rest.strip(), label.strip()) if colon else (asm.strip(), None)
    kind, _, symbol = relocated.strip().partition(" ")
    return CodeLine(asm, encode(asm), Relocation(kind, symbol) if relocated else None, name)
