from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fwgen.image.disassemble import disassemble
from fwgen.image.emission import CodeLine, Relocation, Unit
from fwgen.image.link import link
from fwgen.image.load import checked_image, load_image
from fwgen.image.types import Segment, Symbol
from fwgen.image.write import write_bin, write_elf

from .build import HALT, SPIN, code, emission, words

if TYPE_CHECKING:
    from pathlib import Path

    from fwgen.board.types import Board
    from fwgen.image.types import Image, Listing

FLASH = 0x08000000


def notes(image: Image, unit: str = "reset") -> list[str]:
    symbol = image.find(unit)
    return [
        line.note
        for line in image.listing.lines
        if line.kind == "code" and symbol.address <= line.address < symbol.address + symbol.size
    ]


# --- the file ---


def test_every_byte_of_flash_is_listed_once(blink: Image) -> None:
    covered: list[int] = []
    for line in blink.listing.lines:
        if line.kind in ("vector", "code", "data"):
            covered += range(line.address, line.address + line.size)
    assert sorted(covered) == list(range(FLASH, FLASH + blink.flash_used))


def test_the_text_is_what_the_lines_say(blink: Image) -> None:
    text = str(blink.listing)
    assert text.splitlines() == [line.text for line in blink.listing.lines]
    assert [line.number for line in blink.listing.lines] == list(
        range(1, len(blink.listing.lines) + 1)
    )
    assert text.endswith("\n")
    assert not any(row != row.rstrip() for row in text.splitlines())


def test_plan_purpose_labels_comments_and_ram_are_shown(board: Board) -> None:
    lines = (CodeLine("b reset", b"\x00\xe0", Relocation("THM_JUMP11", "reset"), comment="why"),)
    image = link(
        emission(
            Unit("reset", "code", lines, purpose="do nothing, well"),
            Unit("text", "bytes", data=b"hello, world\r\n"),
            Unit("count", "zero", size=4, purpose="presses so far"),
        ),
        board,
    )
    text = str(image.listing)
    for part in (
        "; a plan", "; do nothing, well\nreset:\n", "; why", "initial SP", "Reset: reset",
        "text:\n", "hello, w", "; RAM", "; presses so far\ncount:\n20000000", "; ST NUCLEO-F401RE",
    ):  # fmt: skip
        assert part in text, text


def test_words_are_shown_as_numbers_instructions_as_the_manual_prints_them(blink: Image) -> None:
    text = str(blink.listing)
    assert "40023830   .word   RCC_AHB1ENR" in text
    assert "f000 f802  bl toggle" in text


def test_a_line_is_found_by_any_address_in_it(blink: Image) -> None:
    tick = blink.find("tick").address
    line = blink.listing.line_for(tick)
    assert line.asm == "ldr r2, k_count"
    assert blink.listing.line_for(tick | 1) == line
    call = next(x for x in blink.listing.lines if x.asm == "bl toggle")
    assert blink.listing.line_for(call.address + 2) == call
    assert blink.listing.byte_line(FLASH + 3).note.startswith("initial SP")
    for nowhere in (0, FLASH - 1, FLASH + blink.flash_used, 0x1FFFFFFF, 0xFFFFFFFF):
        assert blink.listing.line_for(nowhere) is None


def test_the_lines_around_a_fault(blink: Image) -> None:
    tick = blink.find("tick").address
    shown = blink.listing.around(tick, before=2, after=1)
    assert [line.text for line in shown][-2:] == [
        line.text for line in blink.listing.lines if line.address in (tick, tick + 2)
    ]
    assert len(shown) == 4
    assert blink.listing.around(0) == ()


TEXTS = st.text(max_size=30)


@settings(deadline=None)
@given(TEXTS, TEXTS, TEXTS)
def test_no_text_breaks_the_numbering_of_lines(
    board: Board, plan: str, purpose: str, comment: str
) -> None:
    lines = (replace(SPIN.lines[0], comment=comment),)
    made = replace(emission(replace(SPIN, lines=lines, purpose=purpose)), plan=plan)
    listing = link(made, board).listing
    text = str(listing)
    assert text.split("\n") == [*(line.text for line in listing.lines), ""]
    assert text.splitlines() == [line.text for line in listing.lines]


def test_text_from_outside_cannot_reach_the_terminal_or_break_the_encoding(board: Board) -> None:
    line = replace(SPIN.lines[0], comment="\x1b[2J \ud800")
    made = replace(emission(replace(SPIN, lines=(line,), purpose="\x07\ud800")), plan="\x1b]0;x")
    text = str(link(made, board).listing)
    assert text.encode()
    assert text.replace("\n", "").isprintable()


# --- what is touched ---


def test_registers_and_fields_touched_are_named(blink: Image) -> None:
    found = notes(blink)
    assert "= 0x40023830 RCC.AHB1ENR" in found
    assert "RCC.AHB1ENR GPIOAEN=1" in found
    assert "GPIOA.MODER" in found
    assert "GPIOA.MODER MODER5=1" in found
    assert "= 15999" in found
    assert any(note.startswith("SYSTICK.") and "ENABLE=1" in note for note in found)


def test_ram_is_named_by_its_symbol(blink: Image) -> None:
    assert notes(blink, "tick")[:2] == ["= 0x20000000 count", "count"]


def test_nothing_is_said_of_a_register_that_a_caller_may_have_changed(blink: Image) -> None:
    assert notes(blink, "toggle") == ["", "", ""]


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (("movs r1, #32", "str r1, [r0, #0x18]"), "GPIOA.BSRR BS5=1"),
        (("movs r1, #0", "str r1, [r0, #0x14]"), "GPIOA.ODR"),
        (("movs r1, #1", "lsls r1, r1, #21", "str r1, [r0, #0x18]"), "GPIOA.BSRR BR5=1"),
        (("movs r1, #0x14", "movs r2, #0", "mvns r2, r2", "strb r2, [r0, r1]"),
         "GPIOA.ODR[7:0] ODR0=1 ODR1=1 ODR2=1 ODR3=1 ODR4=1 ODR5=1 ODR6=1 ODR7=1"),
        (("ldr r1, [r0]", "bic r1, r1, #0xc00", "str r1, [r0]"), "GPIOA.MODER MODER5=0"),
        (("ldr r1, [r0]", "eor r1, r1, #0xc00", "str r1, [r0]"), "GPIOA.MODER MODER5"),
        (("ldr r1, [r0]", "movs r2, #2", "bfi r1, r2, #10, #2", "str r1, [r0]"),
         "GPIOA.MODER MODER5=2"),
        (("ldr r1, [r0, #4]", "orr r1, r1, #1", "str r1, [r0]"), "GPIOA.MODER"),
        (("adds r0, #0x14", "ldr r1, [r0]"), "GPIOA.ODR"),
        (("movw r0, #0x4400", "movt r0, #0x4000", "ldr r1, [r0]"), "USART2.SR"),
        (("movw r0, #0x0294", "movt r0, #0x4240", "ldr r1, [r0]"), "GPIOA.ODR ODR5"),
        (("push {r0}", "pop {r0}", "ldr r1, [r0]"), ""),
        (("ldr r1, [r0], #4", "ldr r1, [r0]"), ""),
        (("cmp r1, #0", "it eq", "moveq r0, #0", "ldr r1, [r0]"), ""),
        (("bl f @THM_CALL f", "ldr r1, [r0]"), ""),
        (("cmp r1, #0", "beq over @THM_JUMP8 over", "movs r0, #0", "over: ldr r1, [r0]"), ""),
        (("cmp r1, #0", "beq over @THM_JUMP8 over", "movs r2, #0", "over: ldr r1, [r0]"),
         "GPIOA.MODER"),
        (("top: ldr r1, [r0]", "adds r0, #4", "b top @THM_JUMP11 top"), ""),
    ],
)  # fmt: skip
def test_what_an_access_touches_follows_from_the_code_before_it(
    board: Board, lines: tuple[str, ...], expected: str
) -> None:
    image = link(
        emission(
            code("reset", "ldr r0, k @THM_PC8 k", *lines, HALT), code("f", "bx lr"),
            words("k", "GPIOA"),
        ),
        board,
    )  # fmt: skip
    access = next(
        line
        for line in reversed(image.listing.lines)
        if line.asm.startswith(("str", "ldr r1, [r0"))
    )
    assert access.note == expected


# --- images that come without a listing ---


def reached(listing: Listing) -> list[str]:
    return [line.asm for line in listing.lines if line.kind == "code"]


def test_an_image_without_symbols_is_read_back_from_its_vectors(
    blink: Image, board: Board, tmp_path: Path
) -> None:
    bare = load_image(write_bin(blink, tmp_path / "f.bin"), board)
    listing = disassemble(bare, board)
    ours = [line.address for line in blink.listing.lines if line.kind == "code"]
    assert [line.address for line in listing.lines if line.kind == "code"] == ours
    assert sum(line.kind == "vector" for line in listing.lines) == 16
    text = str(listing)
    assert "Reset_handler:" in text
    assert "SysTick_handler:" in text
    assert "RCC.AHB1ENR GPIOAEN=1" in text


def test_symbols_name_what_is_read_back(blink: Image, board: Board, tmp_path: Path) -> None:
    read = load_image(write_elf(blink, tmp_path / "f.elf"), board)
    text = str(disassemble(read, board))
    assert "\ntick:\n" in text
    assert "bl toggle" in text
    assert "; = 0x20000000 count" in text


@pytest.mark.parametrize("order", [1, -1])
def test_a_sized_name_goes_before_a_compilers_own_and_that_before_a_linker_scripts_mark(
    blink: Image, board: Board, order: int
) -> None:
    count, reset = blink.find("count"), blink.find("reset")
    others = [
        Symbol(".L_MergedGlobals", count.address, 16, "zero"),
        Symbol("_sdata", count.address, 0, "zero"),
        Symbol("_stext", reset.address, 0, "data"),
    ]
    symbols = (*others, *blink.symbols)[::order]
    text = str(disassemble(replace(blink, symbols=symbols), board))
    assert "= 0x20000000 count" in text
    assert replace(blink, symbols=symbols).symbol_at(reset.address) == reset
    text = str(disassemble(replace(blink, symbols=tuple(others[::order])), board))
    assert "= 0x20000000 .L_MergedGlobals" in text
    assert replace(blink, symbols=tuple(others)).symbol_at(reset.address) == others[2]


def test_every_byte_read_back_is_listed_once(blink: Image, board: Board, tmp_path: Path) -> None:
    bare = load_image(write_bin(blink, tmp_path / "f.bin"), board)
    covered: list[int] = []
    for line in disassemble(bare, board).lines:
        if line.address is not None:
            covered += range(line.address, line.address + line.size)
    assert covered == list(range(FLASH, FLASH + blink.flash_used))


def test_a_switch_is_followed_through_its_table(board: Board) -> None:
    head = code("reset", "cmp r0, #1", "bhi out @THM_JUMP8 out", "tbb [pc, r0]")
    table = Unit("table", "bytes", data=bytes((1, 2)))
    tail = code("a", "movs r0, #5", "nop", "out: b out @THM_JUMP11 out")
    linked = link(emission(head, table, tail), board)
    listing = disassemble(checked_image(linked.segments, board.chip), board)
    assert "movs r0, #5" in reached(listing)
    assert "nop" in reached(listing)


@settings(max_examples=100, deadline=None)
@given(st.binary(min_size=2, max_size=120))
def test_any_code_is_read_back_whole(board: Board, body: bytes) -> None:
    head = SPIN_HEAD + body
    image = checked_image([Segment(FLASH, head)], board.chip)
    listing = disassemble(image, board)
    assert sum(line.size for line in listing.lines) == len(head)


SPIN_HEAD = (0x20018000).to_bytes(4, "little") + (FLASH | 9).to_bytes(4, "little")


SOURCE = """
typedef unsigned int u32;
#define R(a) (*(volatile u32 *)(a))
volatile u32 ticks = 7;
u32 history[10];
__attribute__((noinline)) u32 pick(u32 x) {
    switch (x) { case 0: return 5; case 1: return history[3]; case 2: return x * 77;
                 case 3: return ticks; case 4: return 9; default: return 1; }
}
void tick(void) { ticks++; R(0x40020014) ^= 1u << 5; history[ticks & 7] = pick(ticks & 7); }
void reset(void) {
    R(0x40023830) |= 1;
    R(0x40020000) = (R(0x40020000) & ~(3u << 10)) | (1u << 10);
    R(0xE000E014) = 15999; R(0xE000E010) = 7;
    for (;;) __asm volatile("wfi");
}
__attribute__((section(".v"))) void (*const v[])(void) = {
    (void (*)(void))0x20018000, reset, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, tick};
"""
SCRIPT = """
SECTIONS {
  .text 0x08000000 : { KEEP(*(.v)) *(.text*) *(.rodata*) . = ALIGN(4); }
  .data 0x20000000 : AT(ADDR(.text) + SIZEOF(.text)) { *(.data*) }
  .bss : { *(.bss*) *(COMMON) }
}
"""


def test_an_image_of_gcc_is_loaded_and_read_back(board: Board, tmp_path: Path) -> None:
    gcc = shutil.which("arm-none-eabi-gcc")
    if gcc is None:
        pytest.skip("arm-none-eabi-gcc is not installed")
    (tmp_path / "t.c").write_text(SOURCE)
    (tmp_path / "t.ld").write_text(SCRIPT)
    flags = "-mcpu=cortex-m4 -mthumb -Os -ffreestanding -nostdlib -Wl,--build-id=none -T t.ld"
    subprocess.run([gcc, *flags.split(), "t.c", "-o", "t.elf"], cwd=tmp_path, check=True)
    image = load_image(tmp_path / "t.elf", board)
    assert image.ram_used == 44
    assert image.find("tick").kind == "code"
    assert image.find("history").size == 40
    assert image.word(FLASH) == 0x20018000
    assert image.segments[-1].data[-4:] == b"\x07\0\0\0"  # the initial value of ticks, in flash
    text = str(disassemble(image, board))
    for part in (
        "RCC.AHB1ENR GPIOAEN=1", "GPIOA.MODER MODER5=1", "GPIOA.ODR ODR5", "bl pick", "history",
        "; ticks",
    ):  # fmt: skip
        assert part in text, text
    # Function bodies are followed whole, the switch included; only its table is data.
    for name in ("pick", "tick", "reset"):
        symbol = image.find(name)
        assert f"\n{name}:\n" in text
        assert symbol.size
