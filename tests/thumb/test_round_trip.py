"""The encoder against capstone, over the whole range of every form."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fwgen.thumb import decode, encode
from fwgen.thumb.assembler import encodings
from fwgen.thumb.belief import normal
from fwgen.thumb.disassembler import _capstone
from fwgen.thumb.forms import all_forms, is_wide, recognise
from tests.thumb.corpus import lines, sample, sound_fields

# What capstone 5.0.9 does not read though it is an instruction.
CAPSTONE_REFUSES = {0xDEF9}  # udf #249


@st.composite
def instructions(draw: st.DrawFn) -> tuple[str, bytes]:
    form = draw(st.sampled_from(all_forms()))
    bits = draw(st.integers(0, (1 << form.size * 8) - 1).filter(lambda b: sound_fields(form, b)))
    fields = sound_fields(form, bits)
    assert fields is not None
    return form.show(fields, 0x8000), form.pack(fields)


@settings(max_examples=600, deadline=None)
@given(instructions())
def test_what_we_encode_capstone_reads_back_with_the_same_meaning(
    instruction: tuple[str, bytes],
) -> None:
    text, code = instruction
    assert code in {one.code for one in encodings(text, address=0x8000)}
    read = decode(code, 0x8000)
    assert read.size == len(code)
    assert code in {one.code for one in encodings(read.text, address=0x8000)}
    # ... and capstone's words are ours, but for what is a synonym.
    again = encodings(read.text, address=0x8000)[0]
    ours = encodings(text, address=0x8000)[0]
    assert again.code == ours.code or normal(read.text) == normal(text)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(all_forms()), st.integers(0, 2**32 - 1))
def test_every_spelling_of_a_form_encodes_to_it(form: object, bits: int) -> None:
    for line in lines(form, bits & ((1 << form.size * 8) - 1)):  # type: ignore[attr-defined]
        assert line.code in {one.code for one in encodings(line.text)}, line.text


def test_every_form_can_be_drawn() -> None:
    drawn = {id(line.form) for line in sample(1)}
    missing = [form for form in all_forms() if id(form) not in drawn]
    assert missing == []


def test_all_narrow_halfwords_are_instructions_exactly_where_capstone_says_so() -> None:
    """Except what capstone lets through though it is UNPREDICTABLE or A-profile."""
    engine = _capstone()
    unknown, lenient = [], []
    for halfword in range(0x10000):
        if is_wide(halfword):
            continue
        code = halfword.to_bytes(2, "little")
        ours = recognise(code)
        valid = ours is not None and ours.fault is None
        theirs = next(engine.disasm_lite(code, 0), None)
        if valid and theirs is None:
            unknown.append(halfword)
        if theirs is not None and ours is None:
            lenient.append(theirs[2])
    assert set(unknown) == CAPSTONE_REFUSES
    # bx/blx with should-be-zero bits set; cps without I or F, or with A.
    assert set(lenient) == {"bx", "bxns", "blxns", "cpsie", "cpsid"}


@pytest.mark.parametrize("halfword", range(0, 0xE800, 977))
def test_the_narrow_form_is_preferred(halfword: int) -> None:
    code = halfword.to_bytes(2, "little")
    match = recognise(code)
    if match is None or match.fault is not None:
        pytest.skip("not an instruction")
    assert len(encode(match.form.show(match.fields))) == 2
