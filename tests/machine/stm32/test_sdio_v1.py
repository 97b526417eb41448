"""SDIO with an empty slot, without a core. RM0368 §21."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fwgen.machine.stm32.sdio_v1 import frame
from tests.machine.stm32.alone import MHZ, US, Requests, gaps, soc_with

if TYPE_CHECKING:
    from fwgen.machine.soc import Soc

CTIMEOUT, CMDSENT, CMDACT = 1 << 2, 1 << 7, 1 << 11
SHORT, CPSMEN, WAITINT, WAITPEND = 1 << 6, 1 << 10, 1 << 8, 1 << 9
CLKEN, BYPASS = 1 << 8, 1 << 10
SLOW = CLKEN | 118  # 48 MHz / 120 = 400 kHz
CK = 2_500_000  # picoseconds


def slot(*, pull: int | None = 1, clkcr: int = SLOW, power: int = 3) -> Soc:
    soc = soc_with("SDIO")
    soc.clock("PLL48").set(48 * MHZ, 0)
    pad = soc.fabric.pads["PD2"]
    pad.connect(0, soc.fabric.output("SDIO_CMD"), open_drain=False, pull=pull)
    soc.fabric.input("SDIO_CMD").connect(0, pad)
    soc.write("SDIO", "POWER", power)
    soc.write("SDIO", "CLKCR", clkcr)
    return soc


def test_go_idle_is_the_frame_of_the_sd_specification() -> None:
    # SD physical layer specification §4.5: CMD0 ends in 0x95, CMD8 with 0x1AA in 0x87.
    assert frame(0, 0) == 0x40_0000_0000_95
    assert frame(8, 0x1AA) == 0x48_0000_01AA_87


def test_a_command_without_a_response_is_sent() -> None:
    soc = slot()
    soc.write("SDIO", "CMD", CPSMEN)
    assert soc.read("SDIO", "STA") == CMDACT
    soc.run_until(49 * CK)
    assert soc.read("SDIO", "STA") == CMDSENT
    soc.write("SDIO", "ICR", CMDSENT)
    assert soc.read("SDIO", "STA") == 0
    assert gaps(soc) == []


def test_a_response_is_waited_for_64_periods_and_no_longer() -> None:
    soc = slot()
    soc.write("SDIO", "ARG", 0x1AA)
    soc.write("SDIO", "CMD", CPSMEN | SHORT | 8)
    soc.run_until((48 + 63) * CK)
    assert soc.read("SDIO", "STA") == CMDACT
    soc.run_until((48 + 65) * CK)
    assert soc.read("SDIO", "STA") == CTIMEOUT
    assert soc.read("SDIO", "RESP1") == 0
    assert gaps(soc) == []


@pytest.mark.parametrize(("clkcr", "period"), [(SLOW, 120), (CLKEN, 2), (CLKEN | BYPASS, 1)])
def test_the_timeout_counts_sdio_ck(clkcr: int, period: int) -> None:
    soc = slot(clkcr=clkcr)
    heard = Requests(soc)
    soc.write("SDIO", "MASK", CTIMEOUT)
    soc.write("SDIO", "CMD", CPSMEN | SHORT)
    soc.run_until(400 * US)
    t_ps, _, level = heard.changes[0]
    assert level
    assert t_ps == (1 + 112 * period) * 10**12 // (48 * MHZ)  # from the next edge of SDIOCLK on
    soc.write("SDIO", "ICR", CTIMEOUT)
    assert [level for _, _, level in heard.changes] == [True, False]


def test_the_next_command_leaves_eight_periods() -> None:
    soc = slot()
    soc.write("SDIO", "CMD", CPSMEN)
    soc.run_until(49 * CK)
    soc.write("SDIO", "ICR", CMDSENT)
    soc.write("SDIO", "CMD", CPSMEN)
    soc.run_until((48 + 8 + 47) * CK)
    assert soc.read("SDIO", "STA") == CMDACT
    soc.run_until((48 + 8 + 49) * CK)
    assert soc.read("SDIO", "STA") == CMDSENT


def test_the_frame_is_on_the_line_and_the_clock_beside_it() -> None:
    soc = slot()
    levels = []
    soc.write("SDIO", "CMD", CPSMEN)
    start = 10**12 // (48 * MHZ)
    for n in range(48):
        soc.run_until(start + n * CK + CK // 2)
        levels.append(soc.fabric.output("SDIO_CMD").level(soc.now_ps))
    assert int("".join(map(str, levels)), 2) == frame(0, 0)
    soc.run_until(60 * CK)
    assert soc.fabric.output("SDIO_CMD").level(soc.now_ps) is None
    wave = soc.fabric.output("SDIO_CK").wave
    assert wave is not None
    assert wave.first_ps + wave.second_ps == CK


def test_an_interrupt_is_waited_for_without_end() -> None:
    soc = slot()
    soc.write("SDIO", "CMD", CPSMEN | SHORT | WAITINT)
    soc.run_until(1000 * CK)
    assert soc.read("SDIO", "STA") == CMDACT


@pytest.mark.parametrize(
    "how", [{"pull": None}, {"pull": 0}, {"power": 0}, {"clkcr": 118}], ids=str
)
def test_what_nobody_can_foretell_is_a_gap(how: dict[str, int]) -> None:
    soc = slot(**how)  # type: ignore[arg-type]
    soc.write("SDIO", "CMD", CPSMEN | SHORT)
    soc.run_until(200 * CK)
    assert gaps(soc) == ["SDIO.CMD"]


def test_so_is_a_clock_that_changes_within_a_command() -> None:
    soc = slot()
    soc.write("SDIO", "CMD", CPSMEN | SHORT)
    soc.run_until(10 * CK)
    soc.write("SDIO", "CLKCR", CLKEN)
    assert gaps(soc) == ["SDIO.CLKCR"]


def test_the_data_path_is_a_gap() -> None:
    soc = slot()
    soc.write("SDIO", "DTIMER", 1000)
    soc.write("SDIO", "DLEN", 512)
    assert gaps(soc) == []
    soc.write("SDIO", "DCTRL", 1)
    assert gaps(soc) == ["SDIO.DCTRL.DTEN"]


def test_a_reset_takes_the_command_off_the_line() -> None:
    soc = slot()
    soc.write("SDIO", "CMD", CPSMEN | SHORT)
    soc.run_until(10 * CK)
    soc.reset(soc.now_ps, "SFTRSTF")
    soc.run_until(300 * CK)
    assert soc.read("SDIO", "STA") == 0
    assert soc.fabric.output("SDIO_CK").level(soc.now_ps) is None
