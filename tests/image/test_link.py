from __future__ import annotations

import itertools
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fwgen.image.emission import CodeLine, Emission, Relocation, Unit, WordLine
from fwgen.image.link import link
from fwgen.image.problems import Problem, UnsoundEmissionError
from fwgen.thumb import decode

from .build import HALT, SPIN, code, emission, words

if TYPE_CHECKING:
    from fwgen.board.types import Board
    from fwgen.image.types import Image

FLASH = 0x08000000


def problems(made: Emission, board: Board, **options: int) -> list[Problem]:
    with pytest.raises(UnsoundEmissionError) as caught:
        link(made, board, **options)
    return list(caught.value.problems)


def only(made: Emission, board: Board) -> Problem:
    (found,) = problems(made, board)
    return found


# --- placing ---


def test_without_interrupts_the_vector_table_is_two_words(board: Board) -> None:
    image = link(emission(SPIN), board)
    assert image.flash_used == 10
    assert image.initial_sp == 0x20018000
    assert image.entry == 0x08000009
    assert image.segments[0].data == bytes.fromhex("00800120 09000008 fee7")


def test_unused_entries_below_the_last_one_go_to_a_two_byte_loop(board: Board) -> None:
    image = link(
        emission(SPIN, code("tick", "bx lr"), vectors=(("Reset", "reset"), ("15", "tick"))), board
    )
    table = [image.word(FLASH + 4 * n) for n in range(16)]
    handler = image.find("default_handler")
    assert handler is not None
    assert image.flash_used == 64 + 2 + 2 + 2
    assert table[15] == image.find("tick").address | 1
    for number in (2, 3, 4, 5, 6, 11, 12, 14):
        assert table[number] == handler.address | 1
    for number in (7, 8, 9, 10, 13):
        assert table[number] == 0
    assert decode(image.read(handler.address, 2), handler.address).target == handler.address


def test_faults_can_be_given_a_loop_to_stop_in(board: Board) -> None:
    image = link(emission(SPIN), board, trap_faults=True)
    handler = image.find("default_handler")
    assert handler is not None
    assert [image.word(FLASH + 4 * n) for n in range(2, 7)] == [handler.address | 1] * 5
    assert image.flash_used == 28 + 2 + 2


def test_the_emission_may_bring_its_own_default_handler(board: Board) -> None:
    made = emission(SPIN, code("default_handler", "bkpt #1", HALT))
    image = link(made, board, trap_faults=True)
    handler = image.find("default_handler")
    assert [image.word(FLASH + 4 * n) for n in range(2, 7)] == [handler.address | 1] * 5
    assert image.flash_used == 28 + 2 + 4


@pytest.mark.parametrize("name", ["TIM2", "tim2", "TIM2_IRQHandler", "44"])
def test_an_interrupt_goes_by_its_name_or_its_exception_number(board: Board, name: str) -> None:
    image = link(
        emission(SPIN, code("t", "bx lr"), vectors=(("Reset", "reset"), (name, "t"))), board
    )
    assert image.word(FLASH + 4 * (16 + 28)) == image.find("t").address | 1


def test_units_stand_in_the_order_given(board: Board) -> None:
    image = link(emission(SPIN, Unit("text", "bytes", data=b"abc"), code("f", "bx lr")), board)
    text, f = image.find("text"), image.find("f")
    assert text.address == 0x0800000A
    assert f.address == 0x0800000E  # odd length before: aligned to a halfword
    assert image.read(text.address, 3) == b"abc"


def test_padding_between_code_is_executable(board: Board) -> None:
    second = replace(code("next", HALT), align=8)
    image = link(emission(code("reset", "movs r0, #1"), second), board)
    assert image.find("next").address == 0x08000010
    between = image.read(0x0800000A, 6)
    assert between == b"\x00\xbf" * 3


def test_ram_units_are_placed_from_the_base_and_counted(board: Board) -> None:
    image = link(
        emission(
            SPIN,
            Unit("a", "zero", size=1),
            Unit("b", "zero", size=8),
            Unit("c", "zero", size=3, align=1),
        ),
        board,
    )
    assert [image.find(n).address - 0x20000000 for n in "abc"] == [0, 4, 12]
    assert image.ram_used == 15
    assert image.flash_used == 10


def test_constants_alike_in_one_pool_are_stored_once(board: Board) -> None:
    image = link(
        emission(
            code(
                "reset",
                "ldr r0, k1 @THM_PC8 k1",
                "ldr r1, k2 @THM_PC8 k2",
                "ldr r2, k3 @THM_PC8 k3",
                HALT,
            ),
            words("k1", "GPIOA + 20"),
            words("k2", "0x40020014"),
            words("k3", "GPIOA"),
        ),
        board,
    )
    assert image.find("k1").address == image.find("k2").address
    assert image.flash_used == 8 + 8 + 8
    for place, expected in ((8, 0x40020014), (10, 0x40020014), (12, 0x40020000)):
        literal = decode(image.read(FLASH + place, 2), FLASH + place).literal
        assert image.word(literal) == expected


def test_constants_in_different_pools_stay_apart(board: Board) -> None:
    image = link(
        emission(
            code("reset", "ldr r0, k1 @THM_PC8 k1", "bx lr"),
            words("k1", "5"),
            code("f", "ldr r0, k2 @THM_PC8 k2", "bx lr"),
            words("k2", "5"),
        ),
        board,
    )
    assert image.find("k1").address != image.find("k2").address


# --- filling ---


def test_relocations_and_expressions_are_filled(blink: Image) -> None:
    tick = blink.find("tick")
    assert blink.word(FLASH + 60) == tick.address | 1
    assert blink.word(blink.find("k_load").address) == 15999
    assert blink.word(blink.find("k_count").address) == 0x20000000
    calls = [
        decode(blink.read(at, 4), at) for at in range(tick.address, tick.address + tick.size, 2)
    ]
    call = next(c for c in calls if c.is_call)
    assert call.target == blink.find("toggle").address


def test_a_code_label_alone_in_a_word_is_a_thumb_pointer_in_a_sum_an_address(
    board: Board,
) -> None:
    image = link(emission(SPIN, words("t", "reset", "reset + 0", "t", "t - reset")), board)
    table = image.find("t").address
    assert [image.word(table + 4 * n) for n in range(4)] == [
        0x08000009, 0x08000008, table, table - 0x08000008,
    ]  # fmt: skip


def test_movw_and_movt_take_expressions(board: Board) -> None:
    image = link(
        emission(
            code(
                "reset",
                "movw r0, #0 @THM_MOVW_ABS_NC RCC_AHB1ENR",
                "movt r0, #0 @THM_MOVT_ABS RCC_AHB1ENR",
                "movw r1, #0 @THM_MOVW_ABS_NC CLK/1000-1",
                HALT,
            )
        ),
        board,
    )
    texts = [decode(image.read(FLASH + at, 4)).operands for at in (8, 12, 16)]
    assert [int(text.split("#")[1], 0) for text in texts] == [0x3830, 0x4002, 15999]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("GPIOA", 0x40020000),
        ("RCC_AHB1ENR", 0x40023830),
        ("GPIOC_BSRR", 0x40020818),
        ("RCC_AHB1ENR_GPIOAEN", 1),
        ("RCC_APB1ENR_USART2EN", 1 << 17),
        ("RCC_APB1ENR_USART2EN_Pos", 17),
        ("TIM2_IRQn", 28),
        ("TIM2_EXCn", 44),
        ("SysTick_EXCn", 15),
        ("RAM_BASE", 0x20000000),
        ("RAM_END", 0x20018000),
        ("FLASH_BASE", 0x08000000),
        ("FLASH_SIZE", 512 * 1024),
        ("FLASH_ACR", 0x40023C00),
        ("CLK", 16_000_000),
        ("HSE", 8_000_000),
        ("SYST_CSR", 0xE000E010),
        ("SYST_RVR", 0xE000E014),
        ("STK_VAL", 0xE000E018),
        ("SYSTICK_LOAD", 0xE000E014),
        ("SYST_CSR_TICKINT", 2),
        ("ICSR", 0xE000ED04),
        ("SCB_SCR_SLEEPDEEP", 4),
        ("NVIC_ISER1", 0xE000E104),
        ("CPACR", 0xE000ED88),
        ("ADC1_COMMON", 0x40012300),
        ("LSE", 32768),
        ("LD2_PORT", 0x40020000),
        ("1 << LD2_PIN", 32),
    ],
)
def test_board_facts_have_names(board: Board, text: str, expected: int) -> None:
    image = link(emission(SPIN, words("k", text)), board)
    assert image.word(image.find("k").address) == expected


def test_symbols_given_take_the_place_of_board_facts(board: Board) -> None:
    made = emission(SPIN, words("k", "CLK / RATE - 1"))
    image = link(made, board, {"CLK": 84_000_000, "RATE": 1000})
    assert image.word(image.find("k").address) == 83999


def test_the_same_emission_links_to_the_same_image(board: Board, blink: Image) -> None:
    made = emission(SPIN, words("k", "GPIOA"), Unit("t", "bytes", data=b"hi"))
    assert link(made, board) == link(made, board)
    assert str(link(made, board).listing) == str(link(made, board).listing)


# --- what is wrong is said, with unit and offset ---


def test_every_problem_is_found_at_once(board: Board) -> None:
    bad = CodeLine("movs r0, #2", bytes.fromhex("0120"))
    found = problems(
        emission(
            Unit("reset", "code", (bad, *code("x", "b nowhere @THM_JUMP11 nowhere").lines)),
            words("k", "GPOIA", "1 / 3"),
            words("k", "1"),
            vectors=(("Reset", "rest"), ("TIM22", "reset")),
        ),
        board,
    )
    assert {p.kind for p in found} == {"encoding", "symbol", "expression", "duplicate", "vector"}
    assert len([p for p in found if p.kind == "symbol"]) == 2
    assert len([p for p in found if p.kind == "vector"]) == 2


def test_bytes_that_are_not_what_the_asm_says(board: Board) -> None:
    slip = CodeLine("movs r0, #2", bytes.fromhex("0320"))
    found = only(emission(Unit("reset", "code", (slip, *SPIN.lines))), board)
    assert (found.kind, found.unit, found.offset, found.line) == ("encoding", "reset", 0, 1)
    assert "2002" in found.message
    assert "2003" in found.message


def test_a_relocation_for_another_label_than_the_asm_names(board: Board) -> None:
    found = only(
        emission(
            code("reset", "ldr r0, k_a @THM_PC8 k_b", HALT), words("k_a", "1"), words("k_b", "2")
        ),
        board,
    )
    assert "k_a" in found.message
    assert "k_b" in found.message


def test_an_instruction_that_the_core_lacks(board: Board) -> None:
    m0 = replace(board, chip=replace(board.chip, core="cortex-m0"))
    found = only(emission(code("reset", "movs r0, #1", "udiv r0, r1, r2", HALT)), m0)
    assert (found.kind, found.unit, found.offset, found.line) == ("isa", "reset", 2, 2)
    assert "cortex-m0" in found.message


def test_an_unknown_symbol_gets_a_suggestion(board: Board) -> None:
    found = only(emission(SPIN, words("k", "RCC_AHB1EN")), board)
    assert (found.kind, found.unit, found.offset) == ("symbol", "k", 0)
    assert "RCC_AHB1ENR" in (found.hint or "")


def test_a_branch_out_of_reach(board: Board) -> None:
    found = only(
        emission(
            code("reset", "cmp r0, #0", "beq far @THM_JUMP8 far", HALT),
            Unit("gap", "bytes", data=bytes(400)),
            code("far", "bx lr"),
        ),
        board,
    )
    assert (found.kind, found.unit, found.offset) == ("relocation", "reset", 2)
    assert "400" in found.message or "+" in found.message


def test_a_branch_into_constants(board: Board) -> None:
    found = only(emission(code("reset", "b k @THM_JUMP11 k"), words("k", "1")), board)
    assert found.kind == "relocation"
    assert "constant data" in found.message


@pytest.mark.parametrize("last", ["movs r0, #1", "bne reset @THM_JUMP8 reset", "bl f @THM_CALL f"])
def test_code_that_runs_off_its_end(board: Board, last: str) -> None:
    made = emission(code("f", "bx lr"), code("reset", last), words("k", "1"))
    found = only(made, board)
    assert (found.kind, found.unit, found.offset) == ("fallthrough", "reset", 0)
    assert "k" in found.message


def test_code_may_run_on_into_code(board: Board) -> None:
    assert link(emission(code("reset", "movs r0, #1"), code("next", HALT)), board)


@pytest.mark.parametrize("last", ["bx lr", "pop {r4, pc}", "mov pc, lr", "udf #0", HALT])
def test_code_may_end_by_leaving(board: Board, last: str) -> None:
    assert link(emission(code("reset", "movs r0, #1", last), words("k", "1")), board)


def test_labels_name_one_place(board: Board) -> None:
    found = only(emission(SPIN, code("f", "reset: bx lr")), board)
    assert (found.kind, found.unit, found.offset) == ("duplicate", "f", 0)


@pytest.mark.parametrize("label", ["GPIOA", "CLK", "RAM_END", "TIM2_IRQn"])
def test_a_label_may_not_hide_a_fact_of_the_board(board: Board, label: str) -> None:
    assert only(emission(SPIN, code(label, "bx lr")), board).kind == "duplicate"


def test_more_than_the_flash_holds(board: Board) -> None:
    found = only(emission(SPIN, Unit("big", "bytes", data=bytes(512 * 1024))), board)
    assert (found.kind, found.unit) == ("size", "big")
    assert "10 bytes too many" in found.message


def test_more_than_the_ram_holds(board: Board) -> None:
    found = only(emission(SPIN, Unit("big", "zero", size=96 * 1024 - 100)), board)
    assert (found.kind, found.unit) == ("size", "big")
    assert "156 more" in found.message


@pytest.mark.parametrize(
    ("vectors", "said"),
    [
        ((), "no Reset"),
        ((("Reset", "reset"), ("SysTik", "reset")), "SysTik"),
        ((("Reset", "reset"), ("0", "reset")), "vector 0"),
        ((("Reset", "reset"), ("7", "reset")), "'7'"),
        ((("Reset", "reset"), ("101", "reset")), "'101'"),
        ((("Reset", "reset"), ("9" * 5000, "reset")), "no exception"),
        ((("Reset", "reset"), ("", "reset")), "''"),
        ((("Reset", "reset"), ("1", "reset")), "two handlers"),
        ((("Reset", "rset"),), "rset"),
        ((("Reset", "k"),), "not code"),
    ],
)
def test_vectors_that_make_no_sense(
    board: Board, vectors: tuple[tuple[str, str], ...], said: str
) -> None:
    found = problems(emission(SPIN, words("k", "1"), vectors=vectors), board)
    assert any(p.kind == "vector" and said in str(p) for p in found)


@pytest.mark.parametrize(
    "unit",
    [
        Unit("u", "code"),
        Unit("u", "words"),
        Unit("u", "bytes"),
        Unit("u", "zero"),
        Unit("u", "zero", size=-4),
        Unit("u", "words", (WordLine("1"),), align=3),
        Unit("u", "words", (WordLine("1"),), align=2),
        Unit("u", "code", (WordLine("1"),)),
        Unit("u", "words", SPIN.lines),
        Unit("u", "words", (WordLine("1 << 32"),)),
        Unit("u", "words", (WordLine("-(1 << 31) - 1"),)),
        Unit("u", "words", (WordLine("1 +"),)),
        Unit("u", "code", (CodeLine("nop", b""),)),
        Unit("u", "bytes", data=b"x", align=1 << 40),
        Unit("u", "zero", size=4, align=-4),
        Unit("u", "code", (CodeLine("b u", b"\xfe\xe7", label="a b"),)),
        Unit("u", "code", (CodeLine("nop", b"\x00"), *SPIN.lines[:0])),
        Unit("u", "code", (CodeLine("b u", b"\xfe\xe7", Relocation("NONSENSE", "u")),)),
        Unit("u", "code", (CodeLine("nop", b"\x00\xbf", Relocation("THM_PC8", "u")),)),
    ],
)
def test_units_that_make_no_sense(board: Board, unit: Unit) -> None:
    assert all(p.unit == "u" for p in problems(emission(SPIN, unit), board))


# --- properties ---


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_a_slip_of_one_hex_digit_is_caught_or_changes_nothing(
    board: Board, blink_emission: Emission, blink: Image, data: st.DataObject
) -> None:
    units = [unit for unit in blink_emission.units if unit.kind == "code"]
    unit = data.draw(st.sampled_from(units))
    index = data.draw(st.integers(0, len(unit.lines) - 1))
    line = unit.lines[index]
    assert isinstance(line, CodeLine)
    slip = data.draw(st.integers(1, 15)) << 4 * data.draw(st.integers(0, 2 * len(line.code) - 1))
    code_bytes = (int.from_bytes(line.code, "little") ^ slip).to_bytes(len(line.code), "little")
    lines = (*unit.lines[:index], replace(line, code=code_bytes), *unit.lines[index + 1 :])
    slipped = tuple(replace(u, lines=lines) if u is unit else u for u in blink_emission.units)
    found: tuple[Problem, ...] = ()
    segments = None
    try:
        segments = link(replace(blink_emission, units=slipped), board).segments
    except UnsoundEmissionError as error:
        found = error.problems
    caught = any(p.unit == unit.label and p.line == index + 1 for p in found)
    assert caught or segments == blink.segments


@st.composite
def programs(draw: st.DrawFn) -> tuple[Emission, dict[str, list[tuple[int, str]]]]:
    """Units of code and constants that refer to each other; where, and to what."""
    count = draw(st.integers(1, 5))
    kinds = [draw(st.sampled_from(["code", "text"])) for _ in range(count)]
    names = ["reset", *(f"{kind}{n}" for n, kind in enumerate(kinds))]
    callees = [name for name in names if not name.startswith("text")]
    units, wanted = [], {}
    for name in names:
        if name.startswith("text"):
            units.append(Unit(name, "bytes", data=draw(st.binary(min_size=1, max_size=300))))
            continue
        lines, refers, at = [], [], 0
        for _ in range(draw(st.integers(0, 6))):
            kind = draw(st.sampled_from(["nop", "call", "jump", "literal", "adr"]))
            to = f"k_{name}" if kind in ("literal", "adr") else draw(st.sampled_from(callees))
            text = {
                "nop": "nop",
                "call": f"bl {to} @THM_CALL {to}",
                "jump": f"beq.w {to} @THM_JUMP19 {to}",
                "literal": f"ldr r0, {to} @THM_PC8 {to}",
                "adr": f"ldr.w r8, {to} @THM_PC12 {to}",
            }[kind]
            lines.append(text)
            if kind != "nop":
                refers.append((at, to))
            at += 2 if kind in ("nop", "literal") else 4
        units += [code(name, *lines, "bx lr"), words(f"k_{name}", name, f"{name} + 1")]
        wanted[name] = refers
    return emission(*units), wanted


@settings(max_examples=60, deadline=None)
@given(programs())
def test_every_reference_arrives(
    board: Board, program: tuple[Emission, dict[str, list[tuple[int, str]]]]
) -> None:
    made, wanted = program
    image = link(made, board)
    for name, refers in wanted.items():
        start = image.find(name).address
        assert image.word(image.find(f"k_{name}").address) == start | 1
        for offset, to in refers:
            found = decode(image.read(start + offset, 4), start + offset)
            assert (found.target or found.literal) == image.find(to).address
    places = sorted((s.address, s.address + s.size) for s in image.symbols if s.size)
    assert all(one[1] <= two[0] for one, two in itertools.pairwise(places))
