"""A trace in few lines, for people and models."""

from __future__ import annotations

import pytest

from fwgen.board import load_board
from fwgen.contract import load_contract
from fwgen.contract.subjects import fitted
from fwgen.errors import InputError
from fwgen.picture import from_pixels, parse_picture
from fwgen.trace import (
    Burst,
    Edge,
    Event,
    Hazard,
    I2cTransfer,
    Pictured,
    SerialByte,
    Shown,
    Sleep,
    SpiFrame,
    Trace,
    Voltage,
    Wake,
    dump_trace,
    dump_vcd,
    load_trace,
)
from fwgen.trace.excerpt import excerpt

BOARD = load_board("nucleo-f401")
MS = 10**9


def trace(*events: Event) -> Trace:
    return Trace("machine", BOARD.name, 1000 * MS, events)


def byte(t_ps: int, value: int) -> SerialByte:
    return SerialByte(t_ps, "USART2", "tx", value, 115_200_000, t_ps - MS // 10)


def test_naps_bytes_and_frames_are_folded() -> None:
    frames = [
        SpiFrame((5 + n) * MS, "SPI1", "master", n, 0xFF - n, 8, (5 + n) * MS - 8) for n in (0, 1)
    ]
    seen = trace(
        Edge(MS, "PA5", 1), Sleep(MS, "sleep"), Wake(2 * MS, "SysTick"), Sleep(2 * MS, "sleep"),
        byte(3 * MS, 0x68), byte(4 * MS, 0x0A), *frames, Edge(9 * MS, "PA8", 0),
    )  # fmt: skip
    assert excerpt(seen, BOARD) == [
        "1 ms PA5 (LD2) lit",
        "(slept 2 times)",
        "2.9 ms USART2 says b'h\\n'",
        "5 ms SPI1 sends 00 01, hears ff fe",
        "9 ms PA8 low",
    ]


def test_what_goes_over_a_bus_is_told_with_who_answers() -> None:
    def transfer(direction: str, data: str, *, answered: bool = True, acked: int = 0) -> str:
        event = I2cTransfer(
            MS, "I2C1", "master", 0x50, direction, data, answered, acked, 0, "stop"
        )  # fmt: skip
        (line,) = excerpt(trace(event), BOARD)
        return line

    assert transfer("write", "00a5", acked=2) == "1 ms I2C1 (master) writes to 0x50: 00 a5, stop"
    assert transfer("read", "a5ff", acked=1) == "1 ms I2C1 (master) reads from 0x50: a5 ff, stop"
    assert transfer("write", "00a5", acked=1).endswith("00 a5, 1 not acknowledged, stop")
    assert transfer("write", "", answered=False).endswith("no data, nobody answers")


def test_voltages_and_what_parts_show_are_told() -> None:
    seen = trace(
        Voltage(MS, "PA0", 1_650_000, 1_650_000), Voltage(2 * MS, "PA0", 0, 3_000_000, 4 * MS),
        Voltage(7 * MS, "PA0", None), Shown(8 * MS, "lcd", "text", "hi"),
    )  # fmt: skip
    assert excerpt(seen, BOARD) == [
        "1 ms PA0 from outside: 1.65 V",
        "2 ms PA0 from outside: 0 V, to 3 V within 4 ms",
        "7 ms PA0 from outside: let go",
        "8 ms lcd shows text 'hi'",
    ]


def test_the_last_picture_of_a_part_is_drawn_under_its_line() -> None:
    first, last = (parse_picture(text) for text in ("#...\n....", "....\n..##"))
    seen = trace(
        Pictured.of(0, "A", parse_picture("....\n....")), Pictured.of(MS, "A", first),
        Pictured.of(2 * MS, "B", first), Pictured.of(3 * MS, "A", last),
    )  # fmt: skip
    assert excerpt(seen, BOARD) == [
        "0 s A shows a picture of 4 x 2, all dark",
        "1 ms A shows a picture of 4 x 2, 1 lit, within 1 x 1 at (0, 0)",
        "2 ms B shows a picture of 4 x 2, 1 lit, within 1 x 1 at (0, 0)\n  ▀",
        "3 ms A shows a picture of 4 x 2, 2 lit, within 2 x 1 at (2, 1)\n  ▀▀",
    ]
    assert len(excerpt(seen, BOARD, subjects=("B",))) == 1


def test_a_picture_is_kept_in_the_trace_and_a_torn_one_is_refused() -> None:
    picture = from_pixels([[(x * y) % 3 == 1 for x in range(13)] for y in range(5)])
    seen = trace(Pictured.of(MS, "A", picture))
    text = dump_trace(seen)
    (event,) = load_trace(text).of(Pictured)
    assert event.picture == picture
    assert f"{picture.lit}_lit" in dump_vcd(seen, BOARD)
    with pytest.raises(InputError, match="not a trace"):
        load_trace(text.replace('"width": 13', '"width": 30'))
    with pytest.raises(InputError, match="not a trace"):
        load_trace(text.replace(picture.packed(), "?"))


def test_only_what_was_asked_for() -> None:
    seen = trace(
        Edge(MS, "PA5", 1), Burst(2 * MS, "PA6", 1, (10, 20)), Edge(3 * MS, "PA8", 1),
        Hazard.of("clock-off", "x", 4 * MS),
    )  # fmt: skip
    assert [line.split()[2] for line in excerpt(seen, BOARD)] == ["PA5", "PA8", "HAZARD"]
    assert len(excerpt(seen, BOARD, without=(Hazard,), start_ps=2 * MS)) == 1
    only = excerpt(seen, BOARD, subjects=("PA6",))
    assert only[0] == "2 ms PA6 changes 3 times at once"
    assert "HAZARD" in only[1]  # what went wrong matters to every pin


def test_what_the_pins_of_a_part_do_is_folded_and_what_it_shows_is_in_its_units() -> None:
    contract = load_contract(
        '[parts.ARM]\nkind = "servo"\nsignal = "D9"\n[parts.SW]\nkind = "switch"\npin = "D3"\n'
        'closed = "low"\n[[expect]]\nshows = { part = "ARM", angle = "90°" }\n', BOARD
    )  # fmt: skip
    board = fitted(BOARD, contract)
    seen = trace(
        Shown(0, "ARM", "angle", None), Edge(MS, "PC7", 1), Edge(2 * MS, "PC7", 0),
        Edge(21 * MS, "PC7", 1), Shown(22 * MS, "ARM", "angle", 90_000), Edge(23 * MS, "PC7", 0),
        Edge(24 * MS, "PB3", 0),
    )  # fmt: skip
    assert excerpt(seen, board) == [
        "0 s ARM shows angle nothing",
        "1 ms PC7 (ARM.signal) moves 3 times in 20 ms, last high",
        "22 ms ARM shows angle 90°",
        "23 ms PC7 (ARM.signal) low",
        "24 ms PB3 (SW) on",
    ]
    assert len(excerpt(seen, board, subjects=["PC7"])) == 4  # asked for, each edge is told
