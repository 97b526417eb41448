"""The pin map says of each pin where it is, what it can do and who holds it."""

from __future__ import annotations

from fwgen.board import load_board
from fwgen.board.pinmap import PinRow, pin_map

MAP = pin_map(load_board("nucleo-f401"))
GROUPS = {group.title: group for group in MAP.groups}


def row(group: str, label: str) -> PinRow:
    return next(r for r in GROUPS[group].rows if r.label == label)


def test_headers_come_first_in_the_boards_order_then_ports() -> None:
    titles = [group.title for group in MAP.groups]
    assert titles == [
        *("Arduino", "Morpho CN7", "Morpho CN10"),
        *("Port A", "Port B", "Port C", "Port D", "Port H"),
    ]
    assert [GROUPS[t].columns for t in titles[:3]] == [1, 2, 2]


def test_an_arduino_pin_shows_what_holds_it_and_what_it_can_do() -> None:
    d13 = row("Arduino", "D13")
    assert (d13.pin, d13.used_by, d13.labels) == ("PA5", "LD2, green led", ("CN10-11",))
    assert d13.alternate == ((1, "TIM2_CH1 TIM2_ETR"), (5, "SPI1_SCK"))
    assert d13.functions == "ADC1_IN5, TIM2_CH1 TIM2_ETR (AF1), SPI1_SCK (AF5)"


def test_pins_that_are_taken_say_by_whom() -> None:
    taken = {r.pin: r.used_by for title in GROUPS for r in GROUPS[title].rows if r.used_by}
    assert taken == {
        "PA2": "console TX (USART2)",
        "PA3": "console RX (USART2)",
        "PA5": "LD2, green led",
        "PA13": "debug probe (SWDIO)",
        "PA14": "debug probe (SWCLK)",
        "PC13": "B1, blue button",
        "PC14": "oscillator (OSC32_IN)",
        "PC15": "oscillator (OSC32_OUT)",
        "PH0": "oscillator (OSC_IN)",  # OSC_OUT is free: the clock comes from outside
    }


def test_a_position_without_a_pin_names_its_net() -> None:
    ground = row("Morpho CN7", "CN7-8")
    assert (ground.pin, ground.net, ground.functions) == (None, "GND", "")


def test_every_pin_of_the_chip_is_listed_under_its_port_once() -> None:
    listed = [r.pin for g in MAP.groups if g.kind == "port" for r in g.rows]
    assert sorted(map(str, listed)) == sorted(load_board("nucleo-f401").chip.pins)
    assert [r.pin for r in GROUPS["Port A"].rows] == [f"PA{n}" for n in range(16)]


def test_what_is_on_a_bus_is_told_at_each_of_its_pins() -> None:
    from dataclasses import replace

    from fwgen.board.board_file import read_wired
    from fwgen.board.pinmap import pin_uses

    parts = {
        "EE": {"kind": "24c02", "scl": "PB8", "sda": "PB9"},
        "E2": {"kind": "24c02", "scl": "PB8", "sda": "PB9", "address": 0x51},
        "W1": {"kind": "wire", "pins": ["PB8", "PC0"]},
    }
    _, devices, modules = read_wired(parts, "parts", lambda name: name, lambda _: True, [])
    uses = pin_uses(replace(load_board("nucleo-f401"), devices=devices, modules=modules))
    assert uses["PB8"] == "EE, 24c02 scl; E2, 24c02 scl; W1, wire"
    assert uses["PC0"] == "W1, wire"
