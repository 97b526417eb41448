"""Compiled firmware for the STM32F4DISCOVERY: DAC, ADC3, CAN; its faulty neighbours fail."""

from __future__ import annotations

import pytest

import fwgen.pipeline as line
from fwgen.board import load_board
from fwgen.trace import Gap
from tests.effort import LONG
from tests.firmware.build import PROGRAMS, compile_firmware, installed

BOARD = load_board("stm32f4-discovery")

pytestmark = pytest.mark.skipif(not installed(), reason="arm-none-eabi-gcc is not installed")

LEVELS = ["-O0", "-Os", "-O2"] if LONG else ["-Os"]

# Neighbours that silicon punishes: what the verdict must say.
WRONG = [
    ("dac_levels", ("-DTSEL=2u",), ""),  # TIM7, which stands still
    ("dac_levels", ("-DDAC_MODE=INPUT",), "dac-pin-mode"),
    ("dac_levels", ("-DDAC_MODE=OUTPUT",), "output-fight"),
    ("dac_levels", ("-DDAC_DMAEN=0",), ""),
    ("dac_levels", ("-DDAC_OFF",), "floating-input"),
    ("dac_levels", ("-DCHANNEL=4u",), "adc-channel"),  # PA4 is no channel of ADC3
    ("dac_levels", ("-DDHR=0x4000740Cu",), ""),  # left-aligned
    ("can_loop", ("-DMODES=BIT(31)",), "can-no-bus"),
    ("can_loop", ("-DIDENTIFIER=0x124u",), ""),
    ("can_loop", ("-DFINIT=1u",), ""),
    ("can_loop", ("-DBRP=1u",), "can-bit-rate"),
    ("can_loop", ("-DNOT_RELEASED",), "00000123 4 0 00000123 4 0"),
    ("can_loop", ("-DSCALE=0",), ""),
]  # fmt: skip


def prove(name, options, tmp_path):
    image = compile_firmware(name, options, tmp_path / "firmware.elf")
    return line.verify(image, BOARD, PROGRAMS / f"{name}.toml")


def told(proof):
    return "\n".join(
        f"{f.outcome.value}: {f.claim}: {f.text}" for f in proof.verdict.all if f.outcome.exit_code
    )


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("name", ["dac_levels", "can_loop"])
def test_right_firmware_passes(name, level, tmp_path):
    proof = prove(name, (level,), tmp_path)
    assert proof.passed, told(proof)
    assert not list(proof.trace.of(Gap))


@pytest.mark.parametrize("case", WRONG, ids=lambda case: f"{case[0]} {' '.join(case[1])}")
def test_its_faulty_neighbour_fails_and_is_told_why(case, tmp_path):
    name, options, why = case
    proof = prove(name, ("-Os", *options), tmp_path)
    assert proof.verdict.exit_code == 1, told(proof)
    assert why in told(proof)
