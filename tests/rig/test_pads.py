"""Levels of pins, from a port's registers."""

from __future__ import annotations

import pytest

from fwgen.rig.pads import Pads, port_maps, probe_pins

GPIOA, GPIOC, AHB1ENR = 0x4002_0000, 0x4002_0800, 0x4002_3830


class Chip:
    """A chip's registers, as a probe reads them."""

    def __init__(self, **words) -> None:
        self.words = {AHB1ENR: 0}
        self.gate(A=True)
        names = {"MODER": 0, "OTYPER": 4, "PUPDR": 0xC, "IDR": 0x10, "ODR": 0x14}
        for name, value in words.items():
            self.words[GPIOA + names[name]] = value

    def gate(self, **ports) -> None:
        for port, on in ports.items():
            bit = 1 << "ABCDEH".index(port)
            self.words[AHB1ENR] = self.words[AHB1ENR] & ~bit | bit * on

    def read(self, address, size):
        words = (self.words.get(at, 0) for at in range(address, address + size, 4))
        return b"".join(word.to_bytes(4, "little") for word in words)


def level(board, pin="PA5", wired=(), drive=None, **words):
    pads = Pads(board, Chip(**words), wired)
    if drive is not None:
        pads.drive(pin, drive)
    return pads.levels(pads.port_of(pin))[pin]


INPUT, OUTPUT, ALTERNATE, ANALOG = (mode << 10 for mode in range(4))
HIGH, LOW = 1 << 5, 0
UP, DOWN = 1 << 10, 2 << 10


@pytest.mark.parametrize(
    ("words", "seen"),
    [
        ({"MODER": OUTPUT, "IDR": HIGH, "ODR": HIGH}, 1),
        ({"MODER": OUTPUT, "IDR": LOW, "ODR": HIGH}, 0),  # something else is stronger
        ({"MODER": ALTERNATE, "IDR": HIGH}, 1),
        ({"MODER": INPUT | 1, "IDR": HIGH}, None),  # nothing drives it, whatever it reads
        ({"MODER": INPUT | 1, "IDR": HIGH, "PUPDR": UP}, 1),
        ({"MODER": INPUT | 1, "IDR": LOW, "PUPDR": DOWN}, 0),
        ({"MODER": ANALOG, "IDR": LOW}, None),
        ({"MODER": OUTPUT, "OTYPER": HIGH, "IDR": HIGH, "ODR": HIGH}, None),
        ({"MODER": OUTPUT, "OTYPER": HIGH, "IDR": HIGH, "ODR": HIGH, "PUPDR": UP}, 1),
        ({"MODER": OUTPUT, "OTYPER": HIGH, "IDR": LOW, "ODR": LOW}, 0),
    ],
)
def test_a_level_is_what_drives_the_pin(board, words, seen) -> None:
    assert level(board, **words) == seen


def test_a_pin_that_is_driven_from_outside_is_read_or_known(board) -> None:
    assert level(board, MODER=1, IDR=HIGH, wired=("PA5",), drive=1) == 1
    assert level(board, MODER=1, IDR=LOW, wired=("PA5",), drive=1) == 0  # it says otherwise
    assert level(board, MODER=1, IDR=HIGH, wired=("PA5",)) is None
    assert level(board, MODER=ANALOG, wired=("PA5",), drive=1) == 1  # it cannot be read


def test_a_port_without_a_clock_reads_as_nothing_and_is_taken_as_it_was(board) -> None:
    chip = Chip(MODER=OUTPUT, IDR=HIGH, ODR=HIGH)
    pads = Pads(board, chip)
    port = pads.port_of("PA5")
    assert pads.levels(port)["PA5"] == 1
    chip.gate(A=False)
    chip.words = {AHB1ENR: chip.words[AHB1ENR]}
    assert pads.levels(port)["PA5"] == 1
    fresh = Pads(board, chip)
    levels = fresh.levels(fresh.port_of("PA5"))
    assert levels["PA5"] is None
    assert (levels["PA13"], levels["PA14"], levels["PA15"]) == (1, 0, 1)  # pulls after reset
    assert levels["PA3"] == 1  # the console's line rests high
    assert fresh.levels(fresh.port_of("PC13"))["PC13"] == 1  # pulled up on the board
    fresh.drive("PC13", 0)
    assert fresh.levels(fresh.port_of("PC13"))["PC13"] == 0
    fresh.drive("PC13", None)
    assert fresh.levels(fresh.port_of("PC13"))["PC13"] == 1


def test_a_port_whose_registers_are_all_zero_though_its_clock_runs_floats(board) -> None:
    chip = Chip()
    chip.gate(C=True)
    pads = Pads(board, chip)
    levels = pads.levels(pads.port_of("PC13"))
    assert levels["PC13"] == 0  # pressed: the pull of the board is overcome
    assert levels["PC0"] is None


def test_what_the_probe_does_to_its_own_wires_is_not_seen(board) -> None:
    assert set(probe_pins(board)) == {"PA13", "PA14"}
    moder, pupdr = 0xA800_0000, 0x6400_0000
    for idr in (0, 1 << 13, 1 << 14):
        assert level(board, "PA13", MODER=moder, PUPDR=pupdr, IDR=idr) == 1
        assert level(board, "PA14", MODER=moder, PUPDR=pupdr, IDR=idr) == 0
    taken = moder & ~(3 << 26) | 1 << 26  # the firmware makes PA13 an output
    assert level(board, "PA13", MODER=taken, PUPDR=pupdr, IDR=0) == 0


def test_every_pin_is_on_a_port_and_one_read_has_it_all(board) -> None:
    ports = port_maps(board)
    assert {pin for port in ports for pin in port.pins} == set(board.chip.pins)
    assert all(port.size == 0x18 for port in ports)
