"""What a contract wires to the board is there in a live run and on a virtual rig."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.firmware.build import PROGRAMS, compile_firmware, installed

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Ran

BOARD = ("--board", "nucleo-f401")
pytestmark = pytest.mark.skipif(not installed(), reason="arm-none-eabi-gcc is not installed")


@pytest.fixture(scope="module")
def thermometer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compile_firmware("tmp102", ("-Os",), tmp_path_factory.mktemp("wired") / "tmp102.elf")


def test_a_sensor_is_there_in_a_live_run_and_senses_what_the_contract_does(
    fwgen: Callable[..., Ran], thermometer: Path
) -> None:
    wired = PROGRAMS / "tmp102.toml"
    ran = fwgen("run", thermometer, *BOARD, "--for", "800ms", "-q", "--contract", wired)
    assert ran.code == 0
    assert ran.out.splitlines() == ["t 21500"] * 5 + ["t -10250"] * 3
    without = fwgen("run", thermometer, *BOARD, "--for", "300ms")
    assert "t 21500" not in without.out
    assert "i2c-no-pull-up" in without.err


# What is printed of a voltage has to be on time, which is told better than a port can hear it.
@pytest.mark.parametrize(("program", "outcome"), [("tmp102", "pass"), ("adc_print", "unsure")])
def test_sensors_and_voltages_are_on_a_virtual_rig_as_in_the_machine(
    fwgen: Callable[..., Ran], tmp_path: Path, program: str, outcome: str
) -> None:
    image = compile_firmware(program, ("-Os",), tmp_path / f"{program}.elf")
    ran = fwgen(
        "verify", image, *BOARD, "--contract", PROGRAMS / f"{program}.toml", "--rig", "virtual",
        "--json",
    )  # fmt: skip
    told = json.loads(ran.out)
    assert told["outcome"] == outcome
    assert "fail" not in {claim["machine"] for claim in told["rig"]["claims"]}
    claims = {claim["rig"] for claim in told["rig"]["claims"]}
    assert "fail" not in claims
    assert ran.code == {"pass": 0, "unsure": 3}[outcome], ran.out
    (done,) = [c for c in told["rig"]["claims"] if "was to be done" in c["claim"]]
    assert done["rig"] == "pass"


def test_a_contract_that_is_not_there_is_told(
    fwgen: Callable[..., Ran], thermometer: Path, tmp_path: Path
) -> None:
    for command in (("run", thermometer), ("virtual", "--for", "1s")):
        ran = fwgen(*command, *BOARD, "--contract", tmp_path / "none.toml")
        assert ran.code == 2
        assert "there is no such contract" in ran.err
