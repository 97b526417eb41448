"""Flash memory interface of the STM32F4 (single bank). RM0368 §3.5 to §3.8.

r3 is the controller's base wherever it is used; ``wait`` returns the error flags of SR, or
BUSY. ``pause`` lets 256 cycles pass before, which is as long as a word takes at 16 MHz: asking
sooner is in vain, and each question goes over two buses (in the machine, through Python).

Every call feeds the independent watchdog: one that the option bytes started cannot be stopped,
and the erase of a large sector takes longer than its reset value allows (§15.3, §3.6).
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from fwgen.image.facts import Facts
from fwgen.image.wire import parse_emission
from fwgen.rig.algorithms import Algorithm, Protection, place
from fwgen.units import PS_PER_MS, PS_PER_US

if TYPE_CHECKING:
    from collections.abc import Callable

    from fwgen.board.types import Chip

LOCKED, OUTSIDE, ODD, BUSY = 0x1000_0001, 0x1000_0002, 0x1000_0003, 0x1000_0004
RESULTS = {
    LOCKED: "the controller stays locked until the next reset (a wrong key was written before)",
    OUTSIDE: "the address is not in this flash",
    ODD: "address or length is not a multiple of what is programmed at once",
    BUSY: "the controller stays busy: the operation does not end",
    1 << 4: "the sector is write-protected (WRPERR)",
    1 << 5: "the words do not lie in one row of 128 bits (PGAERR)",
    1 << 6: "the size of a word is not the one set (PGPERR)",
    1 << 7: "the controller was not set up for it (PGSERR)",
    1 << 8: "the sector is protected against being read (RDERR)",
}
"""What a call returns besides 0: ours, or the error flags of FLASH_SR (§3.8.4)."""

# Polls of BSY before giving up, about 9 cycles each: at 16 MHz 19 s for an erase (8 s at most for
# 512 KiB, DS10086 Table 44), 2.3 ms for a word (100 us at most); a fifth of it at 84 MHz. A larger
# flash is given as much more time as it is larger.
LONG_SIZE = 0x8_0000
LONG, SHORT = 0x0200_0000, 0x1000
X32_MIN_UV, X16_MIN_UV = 2_700_000, 2_100_000  # §3.5.2, Table 7

PROGRAM_PS = 16 * PS_PER_US  # DS10086 Table 44, typical, whatever the parallelism
# The same, typical: sector size -> time by the bytes programmed at once.
ERASE_PS = {
    0x4000: {1: 400 * PS_PER_MS, 2: 300 * PS_PER_MS, 4: 250 * PS_PER_MS},
    0x1_0000: {1: 1200 * PS_PER_MS, 2: 700 * PS_PER_MS, 4: 550 * PS_PER_MS},
    0x2_0000: {1: 2000 * PS_PER_MS, 2: 1300 * PS_PER_MS, 4: 1000 * PS_PER_MS},
}

ENTRY = """
bkpt #0 ; be00 ;  ; where every call returns to
nop ; bf00
"""
INIT = """
cpsid i ; b672 ;  ; no handler of the firmware may run while its flash changes
push {r4, r5, r6, lr} ; b570
ldr r3, k_flash ; 4b00 ; PC8 k_flash
ldr r0, [r3, #0] ; 6818
movs r1, #7 ; 2107
lsls r1, r1, #8 ; 0209
bics r0, r1 ; 4388
str r0, [r3, #0] ; 6018 ;  ; ACR: PRFTEN, ICEN and DCEN off
movs r1, #3 ; 2103
lsls r1, r1, #11 ; 02c9
orrs r0, r1 ; 4308
str r0, [r3, #0] ; 6018 ;  ; ICRST and DCRST: what the caches hold is about to be wrong
bics r0, r1 ; 4388
str r0, [r3, #0] ; 6018
ldr r0, [r3, #20] ; 6958
lsls r0, r0, #26 ; 0680
bmi by_software ; d400 ; J8 by_software ; OPTCR.WDG_SW: the option bytes start no watchdog
ldr r1, k_iwdg ; 4900 ; PC8 k_iwdg
ldr r0, k_unlock ; 4800 ; PC8 k_unlock
str r0, [r1, #0] ; 6008
movs r0, #6 ; 2006
str r0, [r1, #4] ; 6048 ;  ; PR: LSI / 256
ldr r0, k_longest ; 4800 ; PC8 k_longest
str r0, [r1, #8] ; 6088 ;  ; RLR: 32 s, longer than any call
by_software: ldr r0, [r3, #16] ; 6918
cmp r0, #0 ; 2800
bpl unlocked ; d500 ; J8 unlocked ; CR.LOCK: a key written while unlocked would lock for good
ldr r1, k_key1 ; 4900 ; PC8 k_key1
str r1, [r3, #4] ; 6059
ldr r1, k_key2 ; 4900 ; PC8 k_key2
str r1, [r3, #4] ; 6059
unlocked: ldr r0, k_errors ; 4800 ; PC8 k_errors
str r0, [r3, #12] ; 60d8 ;  ; SR: forget the errors of others
ldr r4, k_long ; 4c00 ; PC8 k_long
bl wait ; f000 f800 ; CALL wait
cbnz r0, init_end ; b900 ; J6 init_end
ldr r1, [r3, #16] ; 6919
cmp r1, #0 ; 2900
bpl init_end ; d500 ; J8 init_end
ldr r0, k_locked ; 4800 ; PC8 k_locked
init_end: pop {r4, r5, r6, pc} ; bd70
"""
UNINIT = """
ldr r3, k_flash ; 4b00 ; PC8 k_flash
movs r0, #1 ; 2001
lsls r0, r0, #31 ; 07c0
str r0, [r3, #16] ; 6118 ;  ; CR: LOCK
movs r0, #0 ; 2000
bx lr ; 4770
"""
PAUSE = (
    "push {r0, r1, r2, r3, r4, r5, r6} ; b47f\npop {r0, r1, r2, r3, r4, r5, r6} ; bc7f\n" * 16
    + "ldr r4, k_short ; 4c00 ; PC8 k_short"
)
WAIT = """
ldr r5, [r3, #12] ; 68dd
lsls r6, r5, #15 ; 03ee
bpl wait_end ; d500 ; J8 wait_end ; SR.BSY
subs r4, #1 ; 3c01
bne wait ; d100 ; J8 wait
ldr r0, k_busy ; 4800 ; PC8 k_busy
bx lr ; 4770
wait_end: ldr r0, k_errors ; 4800 ; PC8 k_errors
ands r0, r5 ; 4028
bx lr ; 4770
"""
ERASE_ALL = """
push {r4, r5, r6, lr} ; b570
ldr r3, k_flash ; 4b00 ; PC8 k_flash
movs r2, #4 ; 2204 ;  ; CR: MER
b operate ; e000 ; J11 operate
"""
ERASE_SECTOR = """
push {r4, r5, r6, lr} ; b570
ldr r3, k_flash ; 4b00 ; PC8 k_flash
ldr r1, k_first ; 4900 ; PC8 k_first
cmp r0, r1 ; 4288
blo erase_outside ; d300 ; J8 erase_outside
adr.w r1, sectors ; f20f 0100 ; ADR sectors
movs r2, #2 ; 2202 ;  ; CR: SER, SNB 0
erase_next: ldm r1!, {r4} ; c910
cbz r4, erase_outside ; b104 ; J6 erase_outside
cmp r0, r4 ; 42a0
blo operate ; d300 ; J8 operate
adds r2, #8 ; 3208 ;  ; the next SNB
b erase_next ; e000 ; J11 erase_next
erase_outside: ldr r0, k_outside ; 4800 ; PC8 k_outside
pop {r4, r5, r6, pc} ; bd70
"""
OPERATE = """
ldr r1, k_iwdg ; 4900 ; PC8 k_iwdg
ldr r0, k_reload ; 4800 ; PC8 k_reload
str r0, [r1, #0] ; 6008 ;  ; KR: feed a watchdog, if there is one
ldr r1, k_errors ; 4900 ; PC8 k_errors
str r1, [r3, #12] ; 60d9
ldr r1, k_psize ; 4900 ; PC8 k_psize
orrs r2, r1 ; 430a
str r2, [r3, #16] ; 611a
movs r1, #1 ; 2101
lsls r1, r1, #16 ; 0409
orrs r2, r1 ; 430a
str r2, [r3, #16] ; 611a ;  ; CR: STRT
ldr r4, k_long ; 4c00 ; PC8 k_long
bl wait ; f000 f800 ; CALL wait
movs r1, #0 ; 2100
str r1, [r3, #16] ; 6119 ;  ; CR: SER and MER off
pop {r4, r5, r6, pc} ; bd70
"""
PROGRAM_PAGE = """
push {r4, r5, r6, r7, lr} ; b5f0
mov r7, r0 ; 4607
ldr r3, k_flash ; 4b00 ; PC8 k_flash
ldr r4, k_first ; 4c00 ; PC8 k_first
cmp r7, r4 ; 42a7
blo program_outside ; d300 ; J8 program_outside
ldr r4, k_end ; 4c00 ; PC8 k_end
subs r4, r4, r7 ; 1be4 ;  ; bytes from here to the end of flash
bls program_outside ; d900 ; J8 program_outside
cmp r1, r4 ; 42a1
bhi program_outside ; d800 ; J8 program_outside
mov r4, r7 ; 463c
orrs r4, r1 ; 430c
{aligned}
ldr r5, k_iwdg ; 4d00 ; PC8 k_iwdg
ldr r4, k_reload ; 4c00 ; PC8 k_reload
str r4, [r5, #0] ; 602c ;  ; KR: feed a watchdog, if there is one
ldr r4, k_errors ; 4c00 ; PC8 k_errors
str r4, [r3, #12] ; 60dc
ldr r4, k_psize ; 4c00 ; PC8 k_psize
adds r4, #1 ; 3401
str r4, [r3, #16] ; 611c ;  ; CR: PG
movs r0, #0 ; 2000
{store}
dsb ; f3bf 8f4f ;  ; the store must have reached the flash before BSY tells
bl pause ; f000 f800 ; CALL pause
cbnz r0, program_end ; b900 ; J6 program_end
{further}
b program_next ; e000 ; J11 program_next
program_outside: ldr r0, k_outside ; 4800 ; PC8 k_outside
pop {r4, r5, r6, r7, pc} ; bdf0
program_odd: ldr r0, k_odd ; 4800 ; PC8 k_odd
pop {r4, r5, r6, r7, pc} ; bdf0
program_end: movs r1, #0 ; 2100
str r1, [r3, #16] ; 6119 ;  ; CR: PG off
pop {r4, r5, r6, r7, pc} ; bdf0
"""

# By how many bytes are programmed at once: what differs in PROGRAM_PAGE.
ALIGNED = {
    4: """orrs r4, r2 ; 4314
lsls r4, r4, #30 ; 07a4
bne program_odd ; d100 ; J8 program_odd""",
    2: """orrs r4, r2 ; 4314
lsls r4, r4, #31 ; 07e4
bne program_odd ; d100 ; J8 program_odd""",
    1: "",
}
STORE = {
    4: """program_next: subs r1, #4 ; 3904
blo program_end ; d300 ; J8 program_end
ldr r5, [r2, #0] ; 6815
adds r2, #4 ; 3204
ldr r4, [r7, #0] ; 683c
cmp r4, r5 ; 42ac
beq program_same ; d000 ; J8 program_same ; blank stays blank: 16 us saved
str r5, [r7, #0] ; 603d""",
    2: """program_next: subs r1, #2 ; 3902
blo program_end ; d300 ; J8 program_end
ldrh r5, [r2, #0] ; 8815
adds r2, #2 ; 3202
ldrh r4, [r7, #0] ; 883c
cmp r4, r5 ; 42ac
beq program_same ; d000 ; J8 program_same ; blank stays blank: 16 us saved
strh r5, [r7, #0] ; 803d""",
    1: """program_next: subs r1, #1 ; 3901
blo program_end ; d300 ; J8 program_end
ldrb r5, [r2, #0] ; 7815
adds r2, #1 ; 3201
ldrb r4, [r7, #0] ; 783c
cmp r4, r5 ; 42ac
beq program_same ; d000 ; J8 program_same ; blank stays blank: 16 us saved
strb r5, [r7, #0] ; 703d""",
}
FURTHER = {
    4: "program_same: adds r7, #4 ; 3704",
    2: "program_same: adds r7, #2 ; 3702",
    1: "program_same: adds r7, #1 ; 3701",
}
ERRORS = ("WRPERR", "PGAERR", "PGPERR", "PGSERR", "RDERR")  # of SR; not every chip has RDERR
CONSTANTS = {
    "k_flash": "FLASH",
    "k_iwdg": "IWDG",
    "k_first": "FIRST ; of flash",
    "k_end": "END ; of flash",
    "k_key1": "0x45670123 ; §3.5.1",
    "k_key2": "0xCDEF89AB",
    "k_unlock": "0x5555 ; of IWDG_PR and IWDG_RLR (§15.4.1)",
    "k_reload": "0xAAAA",
    "k_longest": "0xFFF",
    "k_psize": "PSIZE << FLASH_CR_PSIZE_Pos",
    "k_errors": "",  # the chip's: see ``make``
    "k_long": f"{LONG} ; polls",
    "k_short": f"{SHORT} ; polls",
    "k_locked": f"{LOCKED:#x}",
    "k_outside": f"{OUTSIDE:#x}",
    "k_odd": f"{ODD:#x}",
    "k_busy": f"{BUSY:#x}",
}


def make(chip: Chip, base: int, supply_uv: int) -> Algorithm:
    """The algorithm for a chip: 32 bits at once where the supply allows it, else 16 or 8.

    Raises BoardError when the chip's RAM is too small for it.
    """
    unit = 4 if supply_uv >= X32_MIN_UV else 2 if supply_uv >= X16_MIN_UV else 1
    page = PROGRAM_PAGE.replace("{aligned}", ALIGNED[unit]).replace("{store}", STORE[unit])
    code = {
        "entry": ENTRY,
        "init": INIT,
        "uninit": UNINIT,
        "pause": PAUSE,
        "wait": WAIT,
        "erase_all": ERASE_ALL,
        "erase_sector": ERASE_SECTOR,
        "operate": OPERATE,
        "program_page": page.replace("{further}", FURTHER[unit]),
    }
    flash = chip.flash
    ends: list[str] = []
    end = flash.base
    for size in flash.sectors:
        end += size
        ends.append(f"{end:#x} ; end of sector {len(ends)}")
    units = [_unit(label, "code", text.strip().splitlines()) for label, text in code.items()]
    facts = Facts(chip)
    flags = [f"FLASH_SR_{flag}" for flag in ERRORS]
    constants = CONSTANTS | {
        "k_long": f"{LONG * max(1, flash.size // LONG_SIZE)} ; polls",
        "k_errors": " | ".join(flag for flag in flags if facts.get(flag) is not None),
    }
    units += [_unit(label, "words", [text]) for label, text in constants.items()]
    units.append(_unit("sectors", "words", [*ends, "0 ; no more"]))
    plan = (
        f"Erases and programs the flash of {chip.title}, {8 * unit} bits at once. "
        "Position independent; each call returns 0, or what went wrong."
    )
    emission = {"plan": plan, "units": units, "vectors": ["Reset=init"]}
    symbols = {"FIRST": flash.base, "END": flash.base + flash.size, "PSIZE": unit.bit_length() - 1}
    return place(
        parse_emission(json.dumps(emission)),
        chip,
        base,
        symbols,
        unit=unit,
        program_ps=PROGRAM_PS,
        erase_ps={size: times[unit] for size, times in ERASE_PS.items()},
        results=RESULTS,
    )


def protection(chip: Chip, read_word: Callable[[int], int]) -> Protection:
    """Read-out and write protection, from FLASH_OPTCR. RM0368 §3.6.3, §3.6.4, §3.8.6."""
    facts = Facts(chip)
    names = ("", "_RDP_Pos", "_nWRP_Pos", "_SPRMOD")
    at, shift, first, code_only = (facts.get(f"FLASH_OPTCR{name}") or 0 for name in names)
    options = read_word(at)
    level = {0xAA: 0, 0xCC: 2}.get(options >> shift & 0xFF, 1)
    # A 0 protects; with SPRMOD it is a 1, and the sector cannot be read either (§3.6.5).
    protects = 1 if options & code_only else 0
    sectors = range(len(chip.flash.sectors))
    return Protection(level, tuple(n for n in sectors if options >> first + n & 1 == protects))


def _unit(label: str, kind: str, lines: list[str]) -> dict[str, object]:
    return {"label": label, "kind": kind, "lines": [line for line in lines if line]}
