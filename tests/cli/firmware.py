"""Small firmware for the command line's tests: what a careless or hostile person might bring."""

from __future__ import annotations

from functools import cache

from fwgen.board import load_board
from fwgen.image.emission import CodeLine, Emission, Relocation, Unit, WordLine
from fwgen.image.link import link
from fwgen.image.write import bin_bytes, hex_bytes
from fwgen.thumb import encode

RCC_AHB1ENR, GPIOA_MODER = 0x40023830, 0x40020000
FLASH_OPTKEYR, FLASH_OPTCR = 0x40023C08, 0x40023C14
OPTKEY1, OPTKEY2 = 0x08192A3B, 0x4C5D6E7F

# Each line is "[label:] assembly [@ RELOCATION symbol]"; what follows are the words it loads.
PROGRAMS: dict[str, tuple[list[str], dict[str, int]]] = {
    "spin": (["loop: b loop @THM_JUMP11 loop"], {}),
    # Each value depends on the last: nothing that runs ahead can skip it.
    "compute": (
        [
            "ldr r1, factor @THM_PC8 factor",
            "movs r0, #1",
            "loop: muls r0, r1, r0",
            "adds r0, #7",
            "eors r0, r1",
            "b loop @THM_JUMP11 loop",
        ],
        {"factor": 1664525},
    ),
    "overflow": (["loop: push {r0, r1}", "b loop @THM_JUMP11 loop"], {}),
    "option-bytes": (
        [
            "ldr r0, optkeyr @THM_PC8 optkeyr",
            "ldr r1, key1 @THM_PC8 key1",
            "str r1, [r0, #0]",
            "ldr r1, key2 @THM_PC8 key2",
            "str r1, [r0, #0]",
            "ldr r0, optcr @THM_PC8 optcr",
            "ldr r1, rdp @THM_PC8 rdp",
            "str r1, [r0, #0]",
            "halt: wfi",
            "b halt @THM_JUMP11 halt",
        ],
        {"optkeyr": FLASH_OPTKEYR, "key1": OPTKEY1, "key2": OPTKEY2, "optcr": FLASH_OPTCR,
         "rdp": 0x0FFFCCEE},
    ),
    "no-swd": (
        [
            "ldr r0, ahb1enr @THM_PC8 ahb1enr",
            "movs r1, #1",
            "str r1, [r0, #0]",
            "ldr r1, [r0, #0]",
            "ldr r0, moder @THM_PC8 moder",
            "ldr r1, outputs @THM_PC8 outputs",
            "str r1, [r0, #0]",
            "halt: wfi",
            "b halt @THM_JUMP11 halt",
        ],
        {"ahb1enr": RCC_AHB1ENR, "moder": GPIOA_MODER, "outputs": 0x14000000},
    ),
    "clock-off": (
        [
            "ldr r0, moder @THM_PC8 moder",
            "movs r1, #1",
            "str r1, [r0, #0]",
            "halt: wfi",
            "b halt @THM_JUMP11 halt",
        ],
        {"moder": GPIOA_MODER},
    ),
    # USART2 at 115200 baud from 16 MHz; sends back what it hears.
    "echo": (
        [
            "ldr r0, ahb1enr @THM_PC8 ahb1enr",
            "movs r1, #1",
            "str r1, [r0, #0]",
            "ldr r1, [r0, #0]",
            "ldr r0, apb1enr @THM_PC8 apb1enr",
            "ldr r1, usart2en @THM_PC8 usart2en",
            "str r1, [r0, #0]",
            "ldr r1, [r0, #0]",
            "ldr r0, moder @THM_PC8 moder",
            "ldr r1, afrl @THM_PC8 afrl",
            "str r1, [r0, #32]",
            "ldr r1, modes @THM_PC8 modes",
            "str r1, [r0, #0]",
            "ldr r0, usart2 @THM_PC8 usart2",
            "movs r1, #139",
            "str r1, [r0, #8]",
            "ldr r1, cr1 @THM_PC8 cr1",
            "str r1, [r0, #12]",
            "loop: ldr r1, [r0, #0]",
            "lsls r1, r1, #26",
            "bpl loop @THM_JUMP8 loop",
            "ldr r1, [r0, #4]",
            "str r1, [r0, #4]",
            "b loop @THM_JUMP11 loop",
        ],
        {"ahb1enr": RCC_AHB1ENR, "apb1enr": 0x40023840, "usart2en": 1 << 17,
         "moder": GPIOA_MODER, "afrl": 0x7700, "modes": 0xA80000A0, "usart2": 0x40004400,
         "cr1": 0x200C},
    ),
    "unmodelled": (
        [
            "ldr r0, apb1enr @THM_PC8 apb1enr",
            "ldr r1, spi2 @THM_PC8 spi2",
            "str r1, [r0, #0]",
            "ldr r1, [r0, #0]",
            "ldr r0, i2s2ext_cr1 @THM_PC8 i2s2ext_cr1",
            "str r1, [r0, #0]",
            "halt: wfi",
            "b halt @THM_JUMP11 halt",
        ],
        {"apb1enr": 0x40023840, "spi2": 1 << 14, "i2s2ext_cr1": 0x40003400},
    ),
}  # fmt: skip


def _line(text: str) -> CodeLine:
    asm, _, relocated = text.partition("@")
    label, colon, rest = asm.partition(":")
    asm, name = (rest.strip(), label.strip()) if colon else (asm.strip(), None)
    kind, _, symbol = relocated.strip().partition(" ")
    return CodeLine(asm, encode(asm), Relocation(kind, symbol) if relocated else None, name)


@cache
def hex_of(name: str) -> bytes:
    """The .hex of one of PROGRAMS, for nucleo-f401."""
    return hex_bytes(_image(name))


@cache
def bin_of(name: str) -> bytes:
    """The .bin of one of PROGRAMS."""
    return bin_bytes(_image(name))


def _image(name: str):  # type: ignore[no-untyped-def]
    lines, words = PROGRAMS[name]
    units = [Unit("reset", "code", tuple(_line(line) for line in lines))]
    units += [Unit(label, "words", (WordLine(str(value)),)) for label, value in words.items()]
    emission = Emission("", tuple(units), (("Reset", "reset"),))
    return link(emission, load_board("nucleo-f401"))
