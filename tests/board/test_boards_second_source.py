"""Board files say what the Arduino core and Zephyr say of the boards."""

from __future__ import annotations

import pytest
from pyocd.board.board_ids import BOARD_ID_TO_INFO

from fwgen.board import list_boards, load_board
from tests.board.sources import facts

NUCLEOS = ("nucleo-f401", "nucleo-f411")
WITH_PARTS = ("blackpill-f411", "stm32f4-discovery")


@pytest.mark.parametrize("name", NUCLEOS)
def test_arduino_headers_are_those_of_the_arduino_core(name: str) -> None:
    arduino, theirs = load_board(name).headers["Arduino"], facts(name)
    assert [arduino[f"D{n}"] for n in range(16)] == theirs["digital"]
    assert [arduino[f"A{n}"] for n in range(6)] == theirs["analog"]


@pytest.mark.parametrize("name", NUCLEOS)
def test_morpho_headers_run_in_the_order_of_the_arduino_core(name: str) -> None:
    """The core lists a side from top to bottom, without the pins that Arduino headers carry."""
    board, theirs = load_board(name), facts(name)
    on_arduino = {*theirs["digital"], *theirs["analog"]}
    for header in ("CN7", "CN10"):
        pins = list(board.headers[f"Morpho {header}"].values())
        for side, start in (("odd", 0), ("even", 1)):
            ours = [p for p in pins[start::2] if p in board.chip.pins and p not in on_arduino]
            assert ours == theirs[f"{header.lower()}_{side}"], (header, side)


def test_the_black_pills_rows_carry_every_pin_under_its_printed_name() -> None:
    board = load_board("blackpill-f411")
    pins = [pin for header in board.headers.values() for pin in header.values()]
    assert len(pins) == len(set(pins))
    # The Arduino core counts the oscillator's pins, too, which reach no header.
    assert set(pins) == set(facts(board.name)["digital"]) - {"PH0", "PH1"}
    labels = {pin: label for header in board.headers.values() for label, pin in header.items()}
    printed = {pin: label for pin, label in labels.items() if pin not in ("PA13", "PA14")}
    assert all(label == pin.removeprefix("P") for pin, label in printed.items())


def test_the_discoverys_headers_run_in_the_order_of_the_arduino_core() -> None:
    """The core lists each side of P1 and P2 from the top, without debug pins."""
    board, theirs = load_board("stm32f4-discovery"), facts("stm32f4-discovery")
    for header in ("P1", "P2"):
        pins = list(board.headers[header].values())
        assert len(pins) == 50
        for side, start in (("odd", 0), ("even", 1)):
            ours = [p for p in pins[start::2] if p in board.chip.pins and p != "PA14"]
            assert ours == theirs[f"{header}_{side}"], (header, side)


@pytest.mark.parametrize("name", WITH_PARTS)
def test_parts_and_crystal_are_those_of_zephyr(name: str) -> None:
    board, theirs = load_board(name), facts(name)
    levels = ("low", "high")
    for kind in ("led", "button"):
        ours = {p.pin: levels[p.active] for p in board.parts.values() if p.kind == kind}
        assert ours == theirs[f"{kind}s"]
    colours = {p.pin: p.colour for p in board.parts.values() if p.kind == "led"}
    assert theirs.get("led_colours", colours) == colours
    assert board.hse_hz == theirs["hse_mhz"] * 10**6
    assert not board.hse_bypass


@pytest.mark.parametrize("name", [board.name for board in list_boards()])
def test_pyocd_knows_the_boards_probe_by_the_same_target(name: str) -> None:
    probe = load_board(name).probe
    if "board_id" in probe:
        assert BOARD_ID_TO_INFO[probe["board_id"]].target == probe["target"]
