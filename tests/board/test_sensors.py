"""Parts that sense: their formulas by hand, there and back, and in a board's file."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fwgen.board import check_board_file, load_board
from fwgen.board.sensors import QUANTITIES, parse_sensed, rises, sensed_at, voltage_of
from fwgen.board.types import Part, Sensor
from fwgen.errors import UnitError

SUPPLY = 3_300_000
POT = Part("POT", "potentiometer", "PA0", 1, sensor=Sensor(10_000, 500_000))
NTC = Part("NTC", "ntc", "PA1", 1, sensor=Sensor(10_000, 25_000, 10_000, 3950))
LDR = Part("LDR", "ldr", "PA4", 1, sensor=Sensor(15_000, 100_000, 10_000, 700, to_supply=True))


@pytest.mark.parametrize(
    ("part", "value", "uv", "ohm"),
    [
        (POT, 0, 0, 0),
        (POT, 500_000, 1_650_000, 2_500),
        (NTC, 25_000, 1_650_000, 5_000),
        # 10k exp(3950 (1/323.15 - 1/298.15)) = 3.588k
        (NTC, 50_000, 871_300, 2_640),
        (LDR, 10_000, 1_320_000, 6_000),
        # 15k * 100^-0.7 = 597.2
        (LDR, 1_000_000, 3_114_000, 564),
    ],
)
def test_the_voltage_of_what_is_sensed(part: Part, value: int, uv: int, ohm: int) -> None:
    assert voltage_of(part, value, SUPPLY) == (
        pytest.approx(uv, abs=1_000), pytest.approx(ohm, abs=2),
    )  # fmt: skip


@pytest.mark.parametrize(("part", "slack"), [(POT, 1), (NTC, 20), (LDR, 0)])
@given(data=st.data())
def test_there_and_back(part: Part, slack: int, data: st.DataObject) -> None:
    quantity = QUANTITIES[part.kind]
    low, high = (max(quantity.least, -20_000), min(quantity.most, 1_000_000))
    value = data.draw(st.integers(low, high))
    back = sensed_at(part, voltage_of(part, value, SUPPLY)[0], SUPPLY)
    assert back == pytest.approx(value, abs=slack, rel=0.001)


@pytest.mark.parametrize("part", [POT, NTC, LDR])
def test_whether_the_voltage_rises(part: Part) -> None:
    low, high = voltage_of(part, 100_000, SUPPLY)[0], voltage_of(part, 140_000, SUPPLY)[0]
    assert rises(part) == (high > low)


@pytest.mark.parametrize(("kind", "text"), [("potentiometer", "101 %"), ("ntc", "-80 °C")])
def test_what_no_part_senses_is_refused(kind: str, text: str) -> None:
    with pytest.raises(UnitError, match="beyond"):
        parse_sensed(kind, text)


BOARD = """
title = "Thermostat"
chip = "stm32f401re"
supply = "3.3 V"
[parts]
KNOB = { kind = "potentiometer", pin = "PA0", ohm = "10 kohm", rests = "25 %" }
[parts.ROOM]
kind = "ntc"
pin = "PA1"
ohm_25c = "10 kohm"
beta = 3950
fixed = "10 kohm"
to = "supply"
"""


def test_a_board_may_have_them(tmp_path: Path) -> None:
    path = tmp_path / "thermostat.toml"
    path.write_text(BOARD, encoding="utf-8")
    board = load_board(path)
    assert board.parts["KNOB"].sensor == Sensor(10_000, 250_000)
    assert board.parts["ROOM"].sensor == Sensor(10_000, 25_000, 10_000, 3950, to_supply=True)
    path.write_text(BOARD.replace("beta", "beat").replace("10 kohm", "10k"), encoding="utf-8")
    found = {finding.where.rpartition(": ")[2] for finding in check_board_file(path)}
    assert {"parts.ROOM.beat", "parts.ROOM.beta", "parts.KNOB.ohm"} <= found
