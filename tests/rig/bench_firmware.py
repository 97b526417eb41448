"""Small firmware that a rig should see through: faults, resets, pins, sleep."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from fwgen.board import load_board
from fwgen.image.emission import CodeLine, Emission, Relocation, Unit, WordLine
from fwgen.image.link import link
from fwgen.thumb import encode

if TYPE_CHECKING:
    from fwgen.image.types import Image

RCC_AHB1ENR, GPIOA_MODER, AIRCR = 0x40023830, 0x40020000, 0xE000ED0C
OUTPUT_PA5 = 0xA8000400

# PA5 on, then a countdown of some 50 ms; then what the name says.
_LIT = [
    "ldr r0, ahb1enr @THM_PC8 ahb1enr",
    "movs r1, #1",
    "str r1, [r0, #0]",
    "ldr r1, [r0, #0]",
    "ldr r0, moder @THM_PC8 moder",
    "ldr r1, modes @THM_PC8 modes",
    "str r1, [r0, #0]",
    "movs r1, #32",
    "str r1, [r0, #20]",
    "ldr r2, count @THM_PC8 count",
    "wait: subs r2, #1",
    "bne wait @THM_JUMP8 wait",
]
_WORDS = {"ahb1enr": RCC_AHB1ENR, "moder": GPIOA_MODER, "modes": OUTPUT_PA5, "count": 200_000}

PROGRAMS: dict[str, tuple[list[str], dict[str, int]]] = {
    "nowhere": (
        [*_LIT, "ldr r3, bad @THM_PC8 bad", "ldr r4, [r3, #4]", "halt: b halt @THM_JUMP11 halt"],
        {**_WORDS, "bad": 0x6000_0000},
    ),
    "undefined": ([*_LIT, "udf #0"], _WORDS),
    "even": ([*_LIT, "movs r3, #8", "bx r3"], _WORDS),
    "reset": (
        [
            *_LIT,
            "ldr r0, aircr @THM_PC8 aircr",
            "ldr r1, request @THM_PC8 request",
            "str r1, [r0, #0]",
            "halt: b halt @THM_JUMP11 halt",
        ],
        {**_WORDS, "aircr": AIRCR, "request": 0x05FA_0004},
    ),
    "lit": ([*_LIT, "halt: wfi", "b halt @THM_JUMP11 halt"], _WORDS),
    "busy": ([*_LIT, "halt: b halt @THM_JUMP11 halt"], _WORDS),
}


def _line(text: str) -> CodeLine:
    asm, _, relocated = text.partition("@")
    label, colon, rest = asm.partition(":")
    asm, name = (rest.strip(), label.strip()) if colon else (asm.strip(), None)
    kind, _, symbol = relocated.strip().partition(" ")
    return CodeLine(asm, encode(asm), Relocation(kind, symbol) if relocated else None, name)


@cache
def image_of(name: str) -> Image:
    """One of PROGRAMS, for nucleo-f401."""
    lines, words = PROGRAMS[name]
    units = [Unit("reset", "code", tuple(_line(line) for line in lines))]
    units += [Unit(label, "words", (WordLine(str(value)),)) for label, value in words.items()]
    emission = Emission("", tuple(units), (("Reset", "reset"),))
    return link(emission, load_board("nucleo-f401"))
