"""The random number generator, without a core. RM0090 §24."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fwgen.board import load_board
from fwgen.machine.soc import Soc
from tests.machine.stm32.alone import MHZ, US, Requests

DRDY, CECS, CEIS = 1, 2, 1 << 5
RNGEN, IE = 4, 8
EACH = 40 * 10**12 // (48 * MHZ)


def generator(*, chance: int = 0, kernel: int = 48 * MHZ) -> Soc:
    board = load_board("stm32f4-discovery")
    kept = {"RNG": board.chip.peripherals["RNG"]}
    soc = Soc(replace(board, chip=replace(board.chip, peripherals=kept)), chance=chance)
    soc.gated["RNG"] = True
    soc.clock("HCLK").set(168 * MHZ, 0)
    soc.clock("PLL48").set(kernel, 0)
    soc.reset(0, "PORRSTF")
    soc.recorder.started = True
    return soc


def numbers(soc: Soc, count: int) -> list[int]:
    soc.write("RNG", "CR", RNGEN)
    found = []
    for _ in range(count):
        soc.run_until(soc.now_ps + EACH + 1)
        assert soc.read("RNG", "SR") == DRDY
        found.append(soc.read("RNG", "DR"))
    return found


def test_a_number_takes_40_periods_of_its_clock() -> None:
    soc = generator()
    soc.write("RNG", "CR", RNGEN)
    soc.run_until(EACH - 1)
    assert soc.read("RNG", "SR") == 0
    assert soc.read("RNG", "DR") == 0
    soc.run_until(EACH)
    assert soc.read("RNG", "SR") == DRDY
    assert soc.read("RNG", "DR") != 0
    assert soc.read("RNG", "SR") == 0


def test_numbers_differ_repeat_and_are_others_in_the_second_run() -> None:
    first = numbers(generator(), 20)
    assert len(set(first)) == 20
    assert first == numbers(generator(), 20)
    assert first != numbers(generator(chance=1), 20)


def test_the_interrupt_is_drdy() -> None:
    soc = generator()
    heard = Requests(soc)
    soc.write("RNG", "CR", RNGEN | IE)
    soc.run_until(2 * US)
    soc.read("RNG", "DR")
    assert [(irq, level) for _, irq, level in heard.changes] == [(80, True), (80, False)]


@pytest.mark.parametrize("kernel", [0, 10 * MHZ])
def test_a_clock_below_a_sixteenth_of_hclk_is_an_error(kernel: int) -> None:
    soc = generator(kernel=kernel)
    soc.write("RNG", "CR", RNGEN)
    soc.run_until(100 * US)
    assert soc.read("RNG", "SR") == CECS | CEIS
    soc.write("RNG", "SR", 0)
    assert soc.read("RNG", "SR") == CECS
    soc.clock("PLL48").set(48 * MHZ, soc.now_ps)
    soc.run_until(200 * US)
    assert soc.read("RNG", "SR") == DRDY


def test_off_it_gives_nothing() -> None:
    soc = generator()
    numbers(soc, 1)
    soc.write("RNG", "CR", 0)
    soc.run_until(soc.now_ps + 10 * EACH)
    assert soc.read("RNG", "SR") == 0
    assert soc.read("RNG", "DR") == 0
