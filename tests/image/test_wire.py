from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fwgen.image.emission import CodeLine, Emission, Relocation, Unit, WordLine
from fwgen.image.problems import UnsoundEmissionError
from fwgen.image.wire import SCHEMA, SHORT, dump_emission, parse_emission

EXAMPLE = {
    "plan": "PA5 toggles",
    "units": [
        {
            "label": "reset",
            "kind": "code",
            "lines": [
                "ldr r0, k_rcc ; 4800 ; PC8 k_rcc",
                "movw r1, #0 ; f240 0100 ; MOVW CLK / 1000 - 1 ; the reload",
                "loop: wfi ; bf30",
                "b loop ; e000 ; J11 loop",
            ],
        },
        {"label": "k_rcc", "kind": "words", "lines": ["RCC_AHB1ENR", "1 << 5 ; the LED"]},
        {"label": "text", "kind": "bytes", "lines": ['"hi\\r\\n"']},
        {"label": "raw", "kind": "bytes", "lines": ["00 01 ff"]},
        {"label": "count", "kind": "zero", "lines": ["4"]},
    ],
    "vectors": ["Reset=reset", "15=tick"],
}


def problems(data: object) -> list[str]:
    text = data if isinstance(data, str) else json.dumps(data)
    with pytest.raises(UnsoundEmissionError) as caught:
        parse_emission(text)
    return [str(problem) for problem in caught.value.problems]


def changed(path: tuple[object, ...], value: object) -> dict[str, Any]:
    data = json.loads(json.dumps(EXAMPLE))
    place = data
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return data


def test_the_wire_format_is_read() -> None:
    made = parse_emission(json.dumps(EXAMPLE))
    reset, k_rcc, text, raw, count = made.units
    assert reset.lines[0] == CodeLine("ldr r0, k_rcc", b"\x00\x48", Relocation("THM_PC8", "k_rcc"))
    assert reset.lines[1] == CodeLine(
        "movw r1, #0",
        bytes.fromhex("40f20001"),
        Relocation("THM_MOVW_ABS_NC", "CLK / 1000 - 1"),
        comment="the reload",
    )
    assert reset.lines[2] == CodeLine("wfi", b"\x30\xbf", label="loop")
    assert k_rcc.lines == (WordLine("RCC_AHB1ENR"), WordLine("1 << 5", "the LED"))
    assert (text.data, raw.data, count.size) == (b"hi\r\n", b"\x00\x01\xff", 4)
    assert made.vectors == (("Reset", "reset"), ("15", "tick"))


def test_what_is_read_is_written_alike() -> None:
    text = json.dumps(EXAMPLE, indent=1, ensure_ascii=False)
    assert dump_emission(parse_emission(text)) == text


def test_elf_names_and_addends_are_understood() -> None:
    line = "b x ; e000 ; R_ARM_THM_JUMP11 x + 0x4"
    made = parse_emission(json.dumps(changed(("units", 0, "lines", 3), line)))
    assert made.units[0].lines[3].relocation == Relocation("THM_JUMP11", "x", 4)


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (("plan",), 3, "plan is a text"),
        (("units",), {}, "units is a list"),
        (("vectors",), None, "vectors is a list"),
        (("vectors", 0), "reset", "'reset' is not a vector"),
        (("vectors", 0), 1, "1 is not a vector"),
        (("extra",), 1, "unknown key 'extra'"),
        (("units", 0), [], "unit #1: a unit is an object"),
        (("units", 0, "lable"), "x", "did you mean label"),
        (("units", 0, "label"), "1x", "'1x' is not a label"),
        (("units", 0, "kind"), "text", "unit reset: 'text' is not a kind"),
        (("units", 0, "lines"), "nop", "unit reset: lines is a list"),
        (("units", 0, "lines", 1), "nop", "unit reset, line 2: 'nop' is not code"),
        (("units", 0, "lines", 1), "nop ; bf0", "line 2: 'bf0' is not the hex"),
        (("units", 0, "lines", 1), "nop ; bf00bf", "not the hex"),
        (("units", 0, "lines", 1), " ; bf00", "asm is empty"),
        (("units", 0, "lines", 1), "b x ; e000 ; J12 x", "'J12' is no relocation"),
        (("units", 0, "lines", 1), "b x ; e000 ; J11", "'J11' is not a relocation"),
        (("units", 0, "lines", 1), "b x ; e000 ; J11 x/2", "'x/2' is not a symbol"),
        (("units", 0, "lines", 1), "movw r0, #0 ; f2400000 ; MOVW 1 +", "ends too early"),
        (("units", 0, "lines", 1), "b x ; e000 ; J11 x + " + "9" * 5000, "is not a symbol"),
        (("units", 1, "lines", 1), "1 +", "unit k_rcc, line 2"),
        (("units", 1, "lines", 1), "", "unit k_rcc, line 2"),
        (("units", 2, "lines", 0), '"open', "not a quoted text"),
        (("units", 3, "lines", 0), "0g", "not bytes"),
        (("units", 3, "lines", 0), "012", "not bytes"),
        (("units", 3, "lines", 0), "", "not bytes"),
        (("units", 4, "lines", 0), "-1", "makes no sense"),
        (("units", 4, "lines", 0), "x", "nothing is called 'x'"),
        (("units", 4, "lines"), [], "its size in bytes"),
    ],
)
def test_a_malformed_part_is_named_with_unit_and_line(
    path: tuple[object, ...], value: object, said: str
) -> None:
    assert any(said in found for found in problems(changed(path, value)))


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", '{"plan": 1, "plan": 2}', "[" * 100_000, "1" * 5000, "\ud800"]
)
def test_what_is_no_object_is_refused(text: str) -> None:
    assert problems(text)


def test_every_problem_is_reported_at_once() -> None:
    data = changed(("units", 0, "lines", 0), "nop")
    data["units"][1]["lines"][0] = "1 +"
    data["vectors"].append("?")
    assert len(problems(data)) == 3


def test_the_schema_fits_what_is_written() -> None:
    data = json.loads(dump_emission(parse_emission(json.dumps(EXAMPLE))))
    assert set(data) == set(SCHEMA["required"]) == set(SCHEMA["properties"])
    unit = SCHEMA["properties"]["units"]["items"]
    assert all(set(one) == set(unit["required"]) for one in data["units"])
    assert {one["kind"] for one in data["units"]} == set(unit["properties"]["kind"]["enum"])


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(UnsoundEmissionError):
        parse_emission(text)


@given(st.sampled_from(["code", "words", "bytes", "zero"]), st.lists(st.text(max_size=30)))
def test_any_lines_are_read_or_refused(kind: str, lines: list[str]) -> None:
    unit = {"label": "u", "kind": kind, "lines": lines}
    with contextlib.suppress(UnsoundEmissionError):
        parse_emission(json.dumps({"plan": "", "units": [unit], "vectors": []}))


NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,8}", fullmatch=True).filter(lambda n: n != "round")
REMARKS = st.text(st.characters(min_codepoint=32, max_codepoint=0x2FF), max_size=20).map(str.strip)
RELOCATIONS = st.builds(
    Relocation, st.sampled_from(sorted(SHORT.values())), NAMES, st.integers(-64, 64)
)
LINES = st.builds(
    CodeLine,
    st.sampled_from(["nop", "ldr r0, [r1, #4]", "push {r4, lr}", "b away"]),
    st.one_of(st.binary(min_size=2, max_size=2), st.binary(min_size=4, max_size=4)),
    st.none() | RELOCATIONS,
    st.none() | NAMES,
    REMARKS,
)
WORDS = st.builds(WordLine, st.sampled_from(["1", "CLK/1000-1", "k + 4"]), REMARKS)
UNITS = st.one_of(
    st.builds(Unit, NAMES, st.just("code"), st.lists(LINES, max_size=4).map(tuple)),
    st.builds(Unit, NAMES, st.just("words"), st.lists(WORDS, max_size=4).map(tuple)),
    st.builds(Unit, NAMES, st.just("bytes"), data=st.binary(max_size=40)),
    st.builds(
        Unit, NAMES, st.just("bytes"), data=st.text(max_size=20).map(lambda t: t.encode("utf-8"))
    ),
    st.builds(Unit, NAMES, st.just("zero"), size=st.integers(1, 4096)),
)
EMISSIONS = st.builds(
    Emission,
    st.text(max_size=30),
    st.lists(UNITS, max_size=4).map(tuple),
    st.lists(st.tuples(st.sampled_from(["Reset", "15", "TIM2"]), NAMES), max_size=3).map(tuple),
)


@given(EMISSIONS)
def test_what_is_written_is_read_alike(made: Emission) -> None:
    assert parse_emission(dump_emission(made)) == made
