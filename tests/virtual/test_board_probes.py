"""The virtual board behind each emulated probe, through pyOCD's own classes."""

from __future__ import annotations

import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import pytest
import usb.core
from pyocd.core import exceptions
from pyocd.core.target import Target as PyocdTarget

from fwgen.board import load_board
from fwgen.virtual import cmsis_dap, stlink
from fwgen.virtual.board import VirtualBoard
from fwgen.virtual.faults import Faults
from tests.virtual.hosts import only_session, probes, session

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FLASH, RAM, RAM_END = 0x0800_0000, 0x2000_0000, 0x2001_8000
IDCODE, UNMAPPED = 0xE004_2000, 0x6000_0000
COUNT_FOR_EVER = bytes.fromhex("0020 0130 fde7")  # movs r0, #0; adds r0, #1; b -1


KINDS: dict[str, Any] = {
    "V2": lambda board: stlink.plugged(board, kind=stlink.V2),
    "V2-1": stlink.plugged,
    "V3": lambda board: stlink.plugged(board, kind=stlink.V3),
    "CMSIS-DAP v1": lambda board: cmsis_dap.plugged(board, version=1),
    "CMSIS-DAP v2": cmsis_dap.plugged,
}
every_probe = pytest.mark.parametrize("plug", KINDS.values(), ids=KINDS)


@contextmanager
def _opened(
    plug: Any, folder: Path, faults: Faults | None = None, **options: object
) -> Iterator[tuple[VirtualBoard, Any]]:
    with (
        VirtualBoard(load_board("nucleo-f401"), faults=faults) as board,
        plug(board),
        only_session(folder, **options) as pyocd,
    ):
        yield board, pyocd


@every_probe
def test_a_session(plug: Any, tmp_path: Path) -> None:
    with _opened(plug, tmp_path) as (board, pyocd):
        assert [probe.unique_id for probe in probes()] == [board.uid]
        core = pyocd.target
        assert core.read32(IDCODE) & 0xFFF == 0x433
        for start, length in ((0, 1), (1, 1), (3, 6), (2, 300), (0, 9000), (5, 5001)):
            content = bytes((start + n * 7) & 0xFF for n in range(length))
            core.write_memory_block8(RAM + start, content)
            assert bytes(core.read_memory_block8(RAM + start, length)) == content
        core.write16(RAM + 6, 0xBEEF)
        assert core.read16(RAM + 6) == 0xBEEF
        core.write8(RAM + 3, 0x5A)
        assert core.read32(RAM) >> 24 == 0x5A
        assert set(core.read_memory_block8(FLASH, 5000)) == {0xFF}, "from the factory"


@every_probe
def test_code_runs_halts_and_resets(plug: Any, tmp_path: Path) -> None:
    with _opened(plug, tmp_path) as (_board, pyocd):
        core = pyocd.target
        core.reset_and_halt()
        core.write_memory_block8(RAM, COUNT_FOR_EVER)
        core.write_core_register("pc", RAM)
        core.step()
        assert core.read_core_register("pc") == RAM + 2
        core.resume()
        assert core.get_state() == PyocdTarget.State.RUNNING
        core.halt()
        assert core.get_state() == PyocdTarget.State.HALTED
        assert core.read_core_register("r0") > 100
        assert RAM <= core.read_core_register("pc") < RAM + len(COUNT_FOR_EVER)


@every_probe
def test_connecting_under_reset(plug: Any, tmp_path: Path) -> None:
    with _opened(plug, tmp_path, connect_mode="under-reset") as (_board, pyocd):
        assert pyocd.target.get_state() == PyocdTarget.State.HALTED
        pyocd.target.write32(RAM, 0x1234)
        assert pyocd.target.read32(RAM) == 0x1234


@every_probe
def test_a_fault_of_the_bus_is_pyocds_and_over(plug: Any, tmp_path: Path) -> None:
    with _opened(plug, tmp_path) as (_board, pyocd):
        core = pyocd.target
        for access in (
            lambda: core.read32(UNMAPPED),
            lambda: (core.write32(UNMAPPED, 1), core.flush()),  # posted: the flush tells
            lambda: core.read_memory_block8(UNMAPPED, 100),
        ):
            with pytest.raises(exceptions.TransferFaultError) as caught:
                access()
            assert caught.value.fault_address in (UNMAPPED, None)
            core.write32(RAM, 7)
            assert core.read32(RAM) == 7


def test_an_st_link_names_the_word_that_failed(tmp_path: Path) -> None:
    with _opened(stlink.plugged, tmp_path) as (_board, pyocd):
        with pytest.raises(exceptions.TransferFaultError) as caught:
            pyocd.target.read_memory_block32(RAM_END - 16, 10)
        assert caught.value.fault_address == RAM_END


def test_a_cmsis_dap_block_ends_where_the_bus_refused(tmp_path: Path) -> None:
    options = {"cmsis_dap.deferred_transfers": False}
    with _opened(cmsis_dap.plugged, tmp_path, **options) as (_board, pyocd):
        pyocd.target.write_memory_block32(RAM_END - 16, [0, 0, 0, 0])
        with pytest.raises(exceptions.TransferFaultError):
            pyocd.target.write_memory_block32(RAM_END - 16, list(range(1, 11)))
        assert pyocd.target.read_memory_block32(RAM_END - 16, 4) == [1, 2, 3, 4]


@every_probe
def test_the_same_calls_take_the_same_virtual_time(plug: Any, tmp_path: Path) -> None:
    def spent() -> int:
        with _opened(plug, tmp_path) as (board, pyocd):
            pyocd.target.write_memory_block8(RAM + 1, bytes(3000))
            pyocd.target.read_memory_block8(RAM + 1, 3000)
            pyocd.target.reset_and_halt()
            return board.now_ps

    first = spent()
    assert first == spent()
    assert first > 10_000_000_000, "tens of milliseconds"


def test_a_slow_probe_takes_its_time(tmp_path: Path) -> None:
    def spent(latency: int) -> int:
        with _opened(stlink.plugged, tmp_path, Faults(latency=latency)) as (board, pyocd):
            begin = board.now_ps
            pyocd.target.read32(RAM)
            return board.now_ps - begin

    assert spent(8) == 8 * spent(1)


def test_a_nucleo_is_known_by_its_st_link(tmp_path: Path) -> None:
    with VirtualBoard(load_board("nucleo-f401")) as board, board.plugged("stlink"):
        assert probes()[0].associated_board_info.name == "NUCLEO-F401RE"
    with VirtualBoard(load_board("nucleo-f401")) as board, board.plugged("cmsis-dap"):
        info = probes()[0].associated_board_info
        assert (info.name, info.target) == ("ST NUCLEO-F401RE", "stm32f401retx")


def test_boards_behind_different_probes_at_once(tmp_path: Path) -> None:
    with (
        VirtualBoard(load_board("nucleo-f401")) as one,
        VirtualBoard(load_board("nucleo-f401")) as two,
        one.plugged("stlink"),
        two.plugged("cmsis-dap"),
    ):
        found = {probe.unique_id: probe for probe in probes()}
        assert found.keys() == {one.uid, two.uid}
        failures: list[BaseException] = []

        def use(uid: str, word: int) -> None:
            try:
                with session(found[uid], tmp_path) as pyocd:
                    for _ in range(20):
                        pyocd.target.write_memory_block32(RAM, [word] * 500)
                        assert pyocd.target.read_memory_block32(RAM, 500) == [word] * 500
            except BaseException as problem:  # noqa: BLE001 - told to the test below
                failures.append(problem)

        threads = [
            threading.Thread(target=use, args=(board.uid, word))
            for board, word in ((one, 0x11111111), (two, 0x22222222))
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not failures


@pytest.mark.parametrize("supply_mv", [0, 900])
def test_no_power_on_the_target(tmp_path: Path, supply_mv: int) -> None:
    with (
        VirtualBoard(load_board("nucleo-f401")) as board,
        stlink.plugged(board, supply_mv=supply_mv),
    ):
        pyocd = session(probes()[0], tmp_path)
        with pytest.raises(exceptions.Error, match="Target not detected"):
            pyocd.open()
        assert pyocd.probe._link.target_voltage == pytest.approx(supply_mv / 1000, abs=0.01)
        pyocd.close()


@every_probe
def test_a_cable_that_is_pulled_and_put_back(plug: Any, tmp_path: Path) -> None:
    faults = Faults(drop_after=120)
    with VirtualBoard(load_board("nucleo-f401"), faults=faults) as board, plug(board):
        pyocd = session(probes()[0], tmp_path)
        with pytest.raises((exceptions.ProbeError, usb.core.USBError)) as caught:
            _use_until_it_breaks(pyocd)
        assert "No such device" in f"{caught.value} {caught.value.__cause__}"
        _close(pyocd)
        with only_session(tmp_path) as pyocd:
            pyocd.target.write32(RAM, 5)
            assert pyocd.target.read32(RAM) == 5


def test_a_cable_that_stays_out(tmp_path: Path) -> None:
    faults = Faults(drop_after=120, replug=False)
    with VirtualBoard(load_board("nucleo-f401"), faults=faults) as board, board.plugged("stlink"):
        pyocd = session(probes()[0], tmp_path)
        with pytest.raises(exceptions.ProbeError):
            _use_until_it_breaks(pyocd)
        _close(pyocd)
        assert probes() == []


def test_a_nucleo_loses_its_power_with_its_cable(tmp_path: Path) -> None:
    with (
        VirtualBoard(load_board("nucleo-f401"), flash=COUNT_FOR_EVER) as board,
        stlink.plugged(board) as link,
    ):
        with only_session(tmp_path) as pyocd:
            pyocd.target.write_memory_block32(RAM, [0x5A5A5A5A] * 16)
        link.unplug()
        link.plug()
        with only_session(tmp_path) as pyocd:
            assert pyocd.target.read_memory_block32(RAM, 16) != [0x5A5A5A5A] * 16
            assert bytes(pyocd.target.read_memory_block8(FLASH, 6)) == COUNT_FOR_EVER


def _use_until_it_breaks(pyocd: Any) -> None:
    pyocd.open()
    for _ in range(200):
        pyocd.target.write_memory_block32(RAM, [1] * 100)
        pyocd.target.read_memory_block32(RAM, 100)


def _close(pyocd: Any) -> None:
    """Closing a probe that is not there any more fails in places, too."""
    with suppress(usb.core.USBError, exceptions.Error):
        pyocd.close()
