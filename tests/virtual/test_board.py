"""A board in software: its time, its supply, what it keeps, what can be wrong with it."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from fwgen.errors import BenchError
from fwgen.trace import Edge, Reset
from fwgen.units import PS_PER_MS, PS_PER_S
from fwgen.virtual.faults import Faults
from tests.machine.core.firmware import GPIOA, firmware

from .conftest import session

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from fwgen.image.types import Image
    from fwgen.trace import Event
    from fwgen.virtual.board import VirtualBoard

KEYR, CR, SR, OPTCR = 0x4002_3C04, 0x4002_3C10, 0x4002_3C0C, 0x4002_3C14
BSY, WRPERR = 1 << 16, 1 << 4
FLASH, COUNT = 0x0800_0000, 0x2000_0100
BLINK = GPIOA + "again: ldr r2, =4000\nwait: subs r2, #1\nbne wait\n"


def unlock(board: VirtualBoard) -> None:
    board.machine.core.debugger.write(0xE000_EDF0, 4, 0xA05F_0003)
    for key in (0x4567_0123, 0xCDEF_89AB):
        board.machine.core.debugger.write(KEYR, 4, key)


def test_time_passes_only_when_asked_to(make: Callable[..., VirtualBoard], counts: Image) -> None:
    board = make(counts)
    assert board.now_ps == 0
    board.sleep(3 * PS_PER_MS)
    assert board.now_ps == pytest.approx(3 * PS_PER_MS, abs=PS_PER_MS // 1000)
    assert not board.free_running


def test_every_board_has_a_uid_of_its_own(make: Callable[..., VirtualBoard]) -> None:
    assert make().uid != make().uid
    assert make(uid="MINE").uid == "MINE"


def test_events_are_told_as_they_come_and_not_kept(make: Callable[..., VirtualBoard]) -> None:
    board = make(firmware("start:" + GPIOA + "movs r1, #32\nstr r1, [r0, #0x18]\nhere: b here\n"))
    heard: list[Event] = []
    board.listen(heard.append)
    board.sleep(PS_PER_MS)
    assert [e.pin for e in heard if isinstance(e, Edge) and e.level == 1] == ["PA5"]
    assert board.machine.soc.recorder.events == []


def test_the_flash_outlives_reset_and_power_and_ram_does_not(
    make: Callable[..., VirtualBoard], counts: Image
) -> None:
    board = make(counts)
    noise = board.machine.core.memory.word(COUNT)
    board.sleep(PS_PER_MS)
    counted = board.machine.core.memory.word(COUNT)
    assert counted != noise
    before, heard = board.flash(), []
    board.listen(heard.append)
    board.reset_line(True)
    board.sleep(PS_PER_MS)
    assert board.machine.core.memory.word(COUNT) == counted
    board.reset_line(False)
    then = board.now_ps
    board.power_cycle()
    assert board.machine.core.memory.word(COUNT) == noise
    assert board.now_ps >= then
    board.sleep(PS_PER_MS)
    assert board.machine.core.memory.word(COUNT) == counted
    assert board.flash() == before
    assert [e.cause for e in heard if isinstance(e, Reset)] == ["PINRSTF", "PORRSTF"]


def test_a_board_that_runs_by_itself_follows_the_wall(
    make: Callable[..., VirtualBoard], counts: Image
) -> None:
    board = make(counts)
    began = time.monotonic()
    board.start_free_running(pace=5.0)
    assert board.free_running
    board.sleep(PS_PER_S // 4)
    board.stop()
    passed_s = time.monotonic() - began
    assert board.now_ps >= PS_PER_S // 4
    assert board.now_ps <= 5.0 * passed_s * PS_PER_S
    still = board.now_ps
    time.sleep(0.01)
    assert board.now_ps == still


def test_what_ends_a_board_that_runs_by_itself_is_raised_where_it_is_used(
    make: Callable[..., VirtualBoard], counts: Image
) -> None:
    board = make(counts)

    def broken(_t_ps: int) -> None:
        raise RuntimeError("a model of ours is broken")

    board.machine.soc.scheduler.at(PS_PER_MS, broken)
    board.start_free_running()
    deadline = time.monotonic() + 20
    while board.free_running and time.monotonic() < deadline:
        time.sleep(0.002)
    with pytest.raises(RuntimeError, match="a model of ours"):
        board.check()


def test_many_threads_may_use_a_board_at_once(
    make: Callable[..., VirtualBoard], counts: Image
) -> None:
    board = make(counts)
    board.start_free_running()
    failed: list[BaseException] = []

    def look() -> None:
        try:
            for _ in range(200):
                with board.lock:
                    assert board.machine.core.debugger.read(0xE004_2000, 4) == 0x1000_6433
                board.flash()
        except BaseException as error:  # noqa: BLE001 - told by the test
            failed.append(error)

    threads = [threading.Thread(target=look) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    board.stop()
    assert not failed


def test_a_probe_that_there_is_not(make: Callable[..., VirtualBoard]) -> None:
    with pytest.raises(BenchError, match="no probe 'jlink'") as told, make().plugged("jlink"):
        pass
    assert "stlink" in str(told.value.hint)


# ------------------------------------------------------------------ faults


def test_the_wrong_chip(make: Callable[..., VirtualBoard], tmp_path: Path) -> None:
    with session(make(faults=Faults(idcode=0x1001_6413)), tmp_path) as pyocd:
        assert pyocd.target.read32(0xE004_2000) == 0x1001_6413
        pyocd.target.reset_and_halt()
        assert pyocd.target.read32(0xE004_2000) == 0x1001_6413


def test_write_protected_sectors_refuse(make: Callable[..., VirtualBoard]) -> None:
    board = make(faults=Faults(write_protected=frozenset({2, 5})))
    bus = board.machine.core.debugger
    assert bus.read(OPTCR, 4) >> 16 & 0xFF == 0xFF & ~(1 << 2 | 1 << 5)
    for sector, refused in ((2, True), (1, False)):
        unlock(board)
        bus.write(SR, 4, WRPERR)
        bus.write(CR, 4, 1 << 16 | sector << 3 | 2)
        assert bool(bus.read(SR, 4) & WRPERR) == refused
        board.sleep(PS_PER_S)


def test_a_flash_that_stays_busy(make: Callable[..., VirtualBoard]) -> None:
    board = make(faults=Faults(stuck_busy=1))
    bus = board.machine.core.debugger
    unlock(board)
    for stuck in (False, True):
        bus.write(CR, 4, 1 << 16 | 2)
        board.sleep(5 * PS_PER_S)
        assert bool(bus.read(SR, 4) & BSY) == stuck


def test_the_supply_goes_in_the_middle_of_an_erase(
    make: Callable[..., VirtualBoard], counts: Image, tmp_path: Path
) -> None:
    from pyocd.core.exceptions import TransferError

    board = make(counts, faults=Faults(power_fails_after=0))

    def erase() -> None:
        with session(board, tmp_path) as pyocd:
            for key in (0x4567_0123, 0xCDEF_89AB):
                pyocd.target.write32(KEYR, key)
            pyocd.target.write32(CR, 1 << 16 | 2)
            pyocd.target.read32(SR)

    with pytest.raises(TransferError):
        erase()
    assert board.flash()[:16] == b"\xff" * 16
    assert not board.powered
    board.power_cycle()
    with session(board, tmp_path) as pyocd:
        assert pyocd.target.read32(FLASH) == 0xFFFF_FFFF


def test_read_out_protection_shuts_the_debugger_out_until_the_flash_is_erased(
    make: Callable[..., VirtualBoard], counts: Image
) -> None:
    board = make(counts, faults=Faults(read_protected=True))
    bus = board.machine.core.debugger
    assert bus.read(FLASH, 4) is None
    assert bus.read_block(FLASH, 64) is None
    assert bus.read(0x2000_0000, 4) is not None
    for key in (0x0819_2A3B, 0x4C5D_6E7F):
        bus.write(0x4002_3C08, 4, key)
    bus.write(OPTCR, 4, 0x0FFF_AAEC | 2)
    board.sleep(10 * PS_PER_S)
    assert bus.read(FLASH, 4) == 0xFFFF_FFFF


def test_bits_that_flip_on_the_wires_are_the_same_each_time(
    make: Callable[..., VirtualBoard], counts: Image, tmp_path: Path
) -> None:
    def wrong(seed: int) -> list[int]:
        board = make(counts, faults=Faults(bit_errors=0.05, seed=seed))
        board.dap.write_dp(4, 1 << 28)
        data = board.dap.read_memory(FLASH, 4, 256)
        good = board.flash()[:1024]
        return [n for n in range(1024) if data[n] != good[n]]

    assert wrong(1) == wrong(1)
    assert 4 <= len(wrong(1)) <= 30
    assert wrong(1) != wrong(2)


@pytest.mark.parametrize("probe", ["plain", "stlink", "cmsis-dap"])
@pytest.mark.parametrize("replug", [True, False])
def test_a_cable_that_is_pulled(
    make: Callable[..., VirtualBoard], tmp_path: Path, probe: str, *, replug: bool
) -> None:
    from pyocd.core import exceptions
    from pyocd.probe.aggregator import DebugProbeAggregator
    from usb.core import USBError

    board = make(faults=Faults(drop_after=300, replug=replug))

    def read_on() -> None:
        with session(board, tmp_path, probe) as pyocd:
            for _ in range(1000):
                pyocd.target.read32(0xE004_2000)

    with pytest.raises((exceptions.Error, USBError)):
        read_on()
    if replug:
        with session(board, tmp_path, probe) as pyocd:
            assert pyocd.target.read32(0xE004_2000) == 0x1000_6433
    else:
        with board.plugged(probe):
            # Nothing of it is on the bus; the plain probe has none, and says so when opened.
            again = DebugProbeAggregator.get_probe_with_id(board.uid)
        if again is not None:
            with pytest.raises((exceptions.Error, USBError)):
                read_on()


def test_a_slow_probe_takes_longer(make: Callable[..., VirtualBoard], tmp_path: Path) -> None:
    took = []
    for latency in (1, 10):
        board = make(faults=Faults(latency=latency))
        with session(board, tmp_path):
            took.append(board.now_ps)
    assert took[1] > 8 * took[0]


@pytest.mark.parametrize("probe", ["plain", "stlink", "cmsis-dap"])
def test_the_serial_port_hangs_on_the_same_cable(
    make: Callable[..., VirtualBoard], tmp_path: Path, probe: str
) -> None:
    import serial
    from pyocd.core import exceptions
    from pyocd.probe.aggregator import DebugProbeAggregator
    from usb.core import USBError

    from fwgen.virtual.serial import comports

    board = make(faults=Faults(drop_after=200))
    url = f"fwgen://{board.uid}"
    gone = exceptions.Error, USBError

    def read_on(target: Any) -> None:
        for _ in range(1000):
            target.read32(0xE004_2000)

    with suppress(*gone), session(board, tmp_path, probe) as pyocd:  # which cannot be closed
        port = serial.serial_for_url(url, timeout=0.01)
        assert port.read(1) == b""
        with pytest.raises(gone):
            read_on(pyocd.target)
        with pytest.raises(serial.SerialException, match="unplugged"):
            port.read(1)
        assert comports() == []
        with pytest.raises(serial.SerialException, match="could not open"):
            serial.serial_for_url(url)
        again = DebugProbeAggregator.get_probe_with_id(board.uid)
        if probe == "plain":  # on no bus: it is looked for when it is opened
            again.open()
        serial.serial_for_url(url).close()
