"""The three blinks that need no compiler wait each in its own way, and all blink at 2 Hz."""

from __future__ import annotations

import firmware
import pytest

from fwgen import pipeline
from fwgen.board import load_board
from fwgen.contract import Blinks, Contract
from fwgen.trace import Sleep

BOARD = load_board("nucleo-f401")
PS = 10**12


@pytest.mark.parametrize("name", firmware.WAITS)
def test_blinks_at_two_hertz_and_waits_as_it_says(name):
    contract = Contract("2 Hz", BOARD.name, 3 * PS, (), (Blinks("LED", PS // 2),))
    image = firmware.blink(firmware.WAITS[name], BOARD)
    proof = pipeline.prove(image, BOARD, contract, cycles="typical")
    assert proof.passed, [f.text for f in proof.verdict.all]
    # What a delay loop takes is a range; what the SysTick keeps is not.
    assert pipeline.prove(image, BOARD, contract).passed is (name != "delay loop")
    assert any(isinstance(event, Sleep) for event in proof.trace.events) is (name == "WFI")
