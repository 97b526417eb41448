"""Three blinks at 2 Hz, assembled by our own encoder and linker, so that no compiler is needed.

Each waits in its own way for the same 250 ms: by counting, by polling, asleep.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwgen.image.emission import CodeLine, Emission, Relocation, Unit, WordLine
from fwgen.image.link import link
from fwgen.thumb import encode

if TYPE_CHECKING:
    from fwgen.board.types import Board
    from fwgen.image.types import Image

BEGIN = """
    ldr r0, rcc
    movs r1, #1
    str r1, [r0, #0x30]
    dsb
    ldr r2, gpioa
    ldr r1, moder
    str r1, [r2, #0]
    movs r3, #0x20
"""
TICKS = """
    ldr r4, systick
    ldr r1, reload
    str r1, [r4, #4]
    str r1, [r4, #8]
    movs r1, #{csr}
    str r1, [r4, #0]
"""
TOGGLE = """
    ldr r1, [r2, #20]
    eors r1, r3
    str r1, [r2, #20]
"""
COUNTING = f"""
{BEGIN}
toggle:
{TOGGLE}
    ldr r0, loops
delay:
    subs r0, #1
    bne delay
    b toggle
"""
POLLING = f"""
{BEGIN}
{TICKS.format(csr=5)}
poll:
    ldr r1, [r4, #0]
    lsls r1, r1, #15
    bpl poll
{TOGGLE}
    b poll
"""
ASLEEP = f"""
    cpsid i
{BEGIN}
{TICKS.format(csr=7)}
    ldr r5, icsr
    movs r6, #1
    lsls r6, r6, #25
sleep:
    wfi
    str r6, [r5, #0]
{TOGGLE}
    b sleep
"""
WORDS = {
    "rcc": "RCC",
    "gpioa": "GPIOA",
    "moder": "0xa8000400",
    "systick": "0xe000e010",
    "reload": "CLK / 4 - 1",
    "icsr": "0xe000ed04",
    "loops": "round(CLK / 12)",  # three cycles each, typically
}
WAITS = {"delay loop": COUNTING, "polling": POLLING, "WFI": ASLEEP}


def blink(text: str, board: Board) -> Image:
    """The image of an assembly text whose first line is where it starts."""
    lines, label = [], None
    for line in text.split("\n"):
        asm = line.strip()
        if asm.endswith(":"):
            label = asm[:-1]
        elif asm:
            lines.append(CodeLine(asm, encode(asm), _relocation(asm), label))
            label = None
    used = [name for name in WORDS if name in text]
    units = [Unit("reset", "code", tuple(lines))]
    units += [Unit(name, "words", (WordLine(WORDS[name]),)) for name in used]
    return link(Emission("blinks", tuple(units), (("Reset", "reset"),)), board)


def _relocation(asm: str) -> Relocation | None:
    mnemonic, _, rest = asm.partition(" ")
    target = rest.rpartition(" ")[2]
    if mnemonic == "b":
        return Relocation("THM_JUMP11", target)
    if mnemonic in ("bne", "bpl"):
        return Relocation("THM_JUMP8", target)
    if mnemonic == "ldr" and target in WORDS:
        return Relocation("THM_PC8", target)
    return None
