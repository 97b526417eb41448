from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fwgen.image.names import spelled

NAMES = {
    # rustc 1.96, v0
    "_RNvCs9fEMpcmEePE_3pac18___cortex_m_rt_main": "pac::__cortex_m_rt_main",
    "_RNvXCs9fEMpcmEePE_3pacNtB2_4UartNtNtCscvTon7wtBna_4core3fmt5Write9write_str": (
        "<pac::Uart as core::fmt::Write>::write_str"
    ),
    "_RNvXs_CskqUzHPI63Bf_1aRShNtB4_1T2go": "<&[u8] as a::T>::go",
    "_RINvCskqUzHPI63Bf_1a2goNCNvB2_6use_it0EB2_": "a::go::<a::use_it::{closure#0}>",
    "_RNvCs9fEMpcmEePE_3pac4LAST.llvm.1234": "pac::LAST",
    # rustc's older scheme
    "_ZN4core9panicking5panic17h1234567890abcdefE": "core::panicking::panic",
    "_ZN4core9panicking5panic17h1234567890abcdefE.llvm.77": "core::panicking::panic",
    "_ZN44_$LT$a..Uart$u20$as$u20$core..fmt..Write$GT$9write_str17he4908572096d69bfE": (
        "<a::Uart as core::fmt::Write>::write_str"
    ),
    "_ZN41_$LT$$RF$$u5b$u8$u5d$$u20$as$u20$a..T$GT$2go17hb9d820a1cf85e088E": "<&[u8] as a::T>::go",
    # g++
    "_ZN14HardwareSerial5beginEmh": "HardwareSerial::begin(unsigned long, unsigned char)",
    "_ZN1S3h12E": "S::h12",
    # C, and what only looks like another language
    "main": "main",
    "_Reset": "_Reset",
    "_Zero_bss": "_Zero_bss",
    "_R": "_R",
    "_Z": "_Z",
}


@pytest.mark.parametrize("name", NAMES)
def test_a_linkers_name_is_spelled_as_its_source_has_it(name: str) -> None:
    assert spelled(name) == NAMES[name]


@given(st.sampled_from(["_R", "_Z", "_RNv", "_ZN"]), st.text(string.printable, max_size=60))
def test_any_name_has_a_spelling(start: str, rest: str) -> None:
    assert spelled(start + rest)


@given(st.text(string.ascii_letters + string.digits + "_"))
def test_names_of_c_stay(name: str) -> None:
    assert spelled("x" + name) == "x" + name


def test_a_name_that_would_fill_the_memory_stays() -> None:
    name, last = "INvC1a1bTllE", 8
    for _ in range(60):  # each pair is the one before it, twice: 2 to the power of 60 letters
        start = len(name)
        name += f"TB{_number(last)}B{_number(last)}E"
        last = start
    assert spelled(f"_R{name}E") == f"_R{name}E"


def _number(value: int) -> str:
    """A back reference's place: base 62, one less than it is (Rust RFC 2603)."""
    digits = string.digits + string.ascii_letters
    value, text = value - 1, ""
    while value or not text:
        value, digit = divmod(value, 62)
        text = digits[digit] + text
    return f"{text}_"
