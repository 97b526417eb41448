"""A trace: lives of pins, JSON Lines there and back, VCD for waveform viewers."""

from __future__ import annotations

import io
import re
from dataclasses import fields
from fractions import Fraction
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fwgen.errors import InputError
from fwgen.picture import from_pixels
from fwgen.trace import (
    EVENTS,
    Burst,
    Edge,
    Fault,
    Gap,
    Heard,
    I2cTransfer,
    Looked,
    NotDone,
    Pictured,
    Reset,
    Run,
    Sampled,
    SerialByte,
    Sleep,
    SpiFrame,
    Stimulated,
    Trace,
    Wake,
    Watched,
    Wave,
    dump_trace,
    dump_vcd,
    load_trace,
)

MS, S = 10**9, 10**12
BOARD = SimpleNamespace(
    parts={
        "LD2": SimpleNamespace(name="LD2", pin="PA5", active=1),
        "B1": SimpleNamespace(name="B1", pin="PC13", active=0),
    }
)


def trace(*events, span_ps=S, **kwargs):
    return Trace("machine", "b", span_ps, events, {"PC13": 1}, **kwargs)


# ---------------------------------------------------------------------------- lives


def test_a_pin_that_never_appears_keeps_its_level_at_reset() -> None:
    assert trace().runs("PC13") == (Run(0, S, 1),)
    assert trace().runs("PA5") == (Run(0, S, None),)
    assert trace().moving_pins() == ()


def test_a_life_is_split_where_events_are_and_covers_the_span() -> None:
    wave = Wave(20, "PA5", 1, Fraction(7, 2), Fraction(3, 2))
    runs = trace(Edge(10, "PA5", 0), wave, Edge(S + 1, "PA5", 0)).runs("PA5")
    assert runs == (Run(0, 10, None), Run(10, 20, 0), Run(20, S, 1, wave))


def test_of_two_events_at_one_instant_the_last_counts() -> None:
    assert trace(Edge(5, "PA5", 0), Edge(5, "PA5", 1)).runs("PA5")[1] == Run(5, S, 1)


def test_a_burst_is_edges_and_ends_early_where_something_else_comes() -> None:
    made = trace(Edge(5, "PA5", 0), Burst(10, "PA5", 1, (3, 4, 9)), Edge(15, "PA5", 1), span_ps=40)
    assert list(made.edges("PA5")) == [(5, 0), (10, 1), (13, 0), (14, 1)]
    whole = trace(Burst(10, "PA5", 1, (3, 4, 9)), Burst(19, "PA5", 0, (2,)), span_ps=40)
    assert list(whole.edges("PA5")) == [(10, 1), (13, 0), (14, 1), (19, 0), (21, 1)]
    assert whole.moving_pins() == ("PA5",)
    assert [whole.level("PA5", t) for t in (9, 10, 13, 18, 20, 39)] == [None, 1, 0, 1, 0, 1]


def test_vcd_shows_what_buses_transfer() -> None:
    made = trace(
        SpiFrame(90, "SPI1", "master", 0x9F, None, 8, 10),
        I2cTransfer(95, "I2C1", "master", 0x50, "write", "0010", True, 2, 20, "stop"),
        I2cTransfer(99, "I2C1", "master", 0x51, "read", "", False, 0, 96, "stop"),
    )
    seen = values(dump_vcd(made, BOARD))
    assert seen["ports.SPI1.out"][1:] == [(90, 0x9F)]
    assert seen["ports.I2C1.transfer"][1:] == [
        (95, "write_0x50_0010"), (99, "read_0x51_not_answered"),
    ]  # fmt: skip


rational = st.fractions(2, 50, max_denominator=7)


@settings(max_examples=80, deadline=None)
@given(st.integers(0, 30), st.integers(0, 1), rational, rational)
def test_the_edges_of_a_wave_are_where_its_level_changes(start, level, first, second) -> None:
    made = trace(Wave(start, "PA5", level, first, second), span_ps=200)
    seen, now = {}, None
    for t, new in made.edges("PA5"):
        assert new != now
        seen[t] = now = new
    assert min(seen, default=start) >= start
    now = None
    for t in range(200):
        now = seen.get(t, now)
        # An edge between two picoseconds is rounded down to the first.
        assert now in {made.level("PA5", t), made.level("PA5", t + 1)} or t >= 199


def test_sleep_is_measured_within_a_window() -> None:
    made = trace(Sleep(10, "sleep"), Wake(30, "x"), Sleep(50, "stop"), span_ps=100)
    assert made.asleep_ps() == 70
    assert made.asleep_ps(20, 60) == 20
    assert made.asleep_ps(mode="sleep") == 20
    assert made.asleep_ps(55, 65, mode="stop") == 10
    assert made.asleep_ps(mode="standby") == 0
    assert trace(Sleep(10, "stop"), Reset(20, "IWDGRSTF"), span_ps=100).asleep_ps() == 10


# ---------------------------------------------------------------------------- JSON Lines

ints = st.integers(0, 10**15)
texts = st.text(max_size=10)
MADE = {
    "Fraction": st.fractions(min_value=0, max_denominator=999),
    "int": ints,
    "int | None": st.none() | st.integers(0, 1),
    "int | str | None": st.none() | st.integers() | st.text(max_size=9),
    "bool": st.booleans(),
    "tuple[int, ...]": st.lists(ints, max_size=4).map(tuple),
    "str": texts,
    "Mapping[str, int]": st.dictionaries(texts, ints, max_size=2),
}
any_event = st.one_of(
    *(
        st.builds(cls, **{f.name: MADE[str(f.type)] for f in fields(cls)})
        for cls in EVENTS.values()
        if cls is not Pictured
    ),
    st.builds(
        lambda t, part, rows: Pictured.of(t, part, from_pixels(rows)),
        st.integers(0, S),
        st.text(),
        st.lists(st.lists(st.booleans(), min_size=9, max_size=9), min_size=1, max_size=4),
    ),
)


@settings(max_examples=80, deadline=None)
@given(st.lists(any_event, max_size=6), st.dictionaries(texts, st.none() | st.integers(0, 1)))
def test_what_is_dumped_is_loaded(events, initial) -> None:
    made = Trace("rig", "b", S, tuple(events), initial, 7, 3)
    text = dump_trace(made)
    assert load_trace(text) == made
    assert dump_trace(load_trace(text)) == text


@pytest.mark.parametrize(
    ("text", "where", "message"),
    [
        ("", "t.jsonl, line 0", "it is empty"),
        ("{}\n", "t.jsonl, line 1", "no header"),
        ("[1]\n", "t.jsonl, line 1", "not a trace"),
        ('{"fwgen_trace": 2}\n', "t.jsonl, line 1", "no header of version 1"),
        ('{"fwgen_trace": 1}\n', "t.jsonl, line 1", "span_ps is missing"),
        (dump_trace(trace()) + "\n{oops\n", "t.jsonl, line 3", "not a trace"),
        (dump_trace(trace()) + '{"kind": "smoke"}\n', "t.jsonl, line 2", "'smoke'"),
        (dump_trace(trace()) + '{"kind": "edge"}\n', "t.jsonl, line 2", "t_ps is missing"),
        (dump_trace(trace()) + '{"kind": "edge", "t_ps": 1}\n', "t.jsonl, line 2", "missing"),
        (
            dump_trace(trace())
            + '{"kind":"wave","t_ps":1,"pin":"x","level":1,"first_ps":"1/0","second_ps":"1"}\n',
            "t.jsonl, line 2",
            "not a trace",
        ),
    ],
)
def test_what_is_no_trace_is_refused_by_its_line(text, where, message) -> None:
    with pytest.raises(InputError) as raised:
        load_trace(text, "t.jsonl")
    assert raised.value.where == where
    assert message in raised.value.message


# ---------------------------------------------------------------------------- VCD


def values(text):
    """Every variable's changes, as (time, value), read back by pyvcd's own reader."""
    from vcd.reader import TokenKind, tokenize

    names, found, now, scope = {}, {}, 0, []
    for token in tokenize(io.BytesIO(text.encode())):
        if token.kind is TokenKind.SCOPE:
            scope.append(token.scope.ident)
        elif token.kind is TokenKind.UPSCOPE:
            scope.pop()
        elif token.kind is TokenKind.VAR:
            names[token.var.id_code] = ".".join([*scope, token.var.reference])
        elif token.kind is TokenKind.CHANGE_TIME:
            now = token.time_change
        elif token.kind in (
            TokenKind.CHANGE_SCALAR,
            TokenKind.CHANGE_VECTOR,
            TokenKind.CHANGE_STRING,
            TokenKind.CHANGE_REAL,
        ):
            change = token.data
            found.setdefault(names[change.id_code], []).append((now, change.value))
    return found


def test_vcd_shows_pins_parts_ports_and_the_core() -> None:
    made = trace(
        Edge(5, "PA5", 0),
        Sleep(8, "sleep"),
        Edge(10, "PC13", 0),
        Stimulated(10, "B1", "is pressed"),
        Wave(100, "PA5", 1, Fraction(50), Fraction(25)),
        SerialByte(200, "USART2", "tx", 0x41, 115_200_000, 150),
        SerialByte(220, "USART2", "tx", 0x0A, 115_200_000, 200, "framing"),
        Gap(225, "RTC", "DR", "read", 0, 0),
        Fault(230, "HardFault", "it fell", 0),
        span_ps=300,
    )
    seen = values(dump_vcd(made, BOARD))
    assert seen["pins.PA5"] == [
        (0, "z"),
        (5, "0"),
        (100, "1"),
        (150, "0"),
        (175, "1"),
        (225, "0"),
        (250, "1"),
    ]
    assert seen["parts.LD2"] == seen["pins.PA5"]
    assert seen["pins.PC13"] == [(0, "1"), (10, "0")]
    assert seen["parts.B1"] == [(0, "0"), (10, "1")]
    assert seen["ports.USART2.tx"][1:] == [(200, 0x41), (220, 0x0A)]
    assert seen["ports.USART2.tx_text"][1:] == [(200, "A"), (220, "framing")]
    assert seen["core.asleep"] == [(0, "0"), (8, "1")]
    assert seen["core.happened"][1:] == [(10, "B1:_is_pressed"), (230, "HardFault:_it_fell")]


def test_vcd_is_the_same_for_the_same_trace() -> None:
    made = trace(Edge(5, "PA5", 0), Edge(7, "PB3", 1))
    assert dump_vcd(made, BOARD) == dump_vcd(made, BOARD)
    assert "$date 0 $end" in dump_vcd(made, BOARD)


def test_a_wave_too_long_to_write_out_is_cut_short_and_says_so() -> None:
    made = trace(Wave(0, "PA8", 1, Fraction(1000), Fraction(1000)), Edge(S // 2, "PA8", 0))
    text = dump_vcd(made, BOARD)
    assert "waves cut short after 10000 edges on PA8" in text
    seen = values(text)["pins.PA8"]
    assert len(seen) == 10_002
    assert seen[-2][1] == "x"
    assert seen[-1] == (S // 2, "0")


# ---------------------------------------------------------------------------- seen in part

WATCHED = Watched(
    pins={"PA5": Sampled(MS, ((20 * MS, 50 * MS),)), "PC13": Sampled(2 * MS)},
    ports={"USART2": Heard(MS, 115_200)},
    zero_ps=125_000_000,
    core=True,
    asleep=True,
    means="probe 0670",
)
IN_PART = (
    Edge(10 * MS, "PA5", 1, MS),
    NotDone(15 * MS, "B1", "the press", "nothing is wired to PC13"),
    Looked(100 * MS, 0, 25, 20),
    Edge(200 * MS, "PA5", 0),
)


def test_a_trace_in_part_is_stored_with_what_was_watched() -> None:
    one = trace(*IN_PART, watched=WATCHED)
    text = dump_trace(one)
    assert load_trace(text) == one
    assert '"holes": [[20000000000, 50000000000]]' in text
    assert text.count("blur_ps") == 2  # of one edge, and of the port
    assert "watched" not in dump_trace(trace(Edge(1, "PA5", 0)))


@pytest.mark.parametrize("key", ["pins", "ports"])
def test_a_header_that_does_not_say_what_was_watched_is_refused(key) -> None:
    text = dump_trace(trace(*IN_PART, watched=WATCHED)).replace(f'"{key}"', '"pans"')
    with pytest.raises(InputError, match="line 1"):
        load_trace(text)


def test_runs_know_how_well_their_beginning_is_known() -> None:
    runs = trace(*IN_PART, watched=WATCHED).runs("PA5")
    assert [run.blur_ps for run in runs] == [0, MS, 0]


def test_vcd_shows_nothing_where_nothing_is_known() -> None:
    text = dump_vcd(trace(*IN_PART, watched=WATCHED), BOARD)
    assert "watched now and then: x where a level is not known" in text
    variable = re.search(r"\$var wire 1 (\S+) PA5 \$end", text)[1]
    at, changes = 0, []
    for line in text.splitlines():
        if line.startswith("#"):
            at = int(line[1:])
        elif line in (f"x{variable}", f"0{variable}", f"1{variable}"):
            changes.append((at // MS, line[0]))
    assert changes == [(9, "x"), (11, "1"), (200, "0")]
    unwatched = dump_vcd(trace(Edge(MS, "PA6", 1), watched=WATCHED), BOARD)
    assert re.search(r"\$var wire 1 (\S+) PA6 \$end", unwatched)
