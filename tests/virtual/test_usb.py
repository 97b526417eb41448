from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Any

import libusb_package
import pytest
import usb.core
from pyocd.probe import aggregator, common
from pyocd.probe.cmsis_dap_probe import CMSISDAPProbe
from pyocd.probe.pydapaccess import dap_access_cmsis_dap
from pyocd.probe.stlink.usb import STLinkUSBInterface
from pyocd.probe.stlink_probe import StlinkProbe

from fwgen.errors import BenchError
from fwgen.virtual.cmsis_dap import CmsisDap
from fwgen.virtual.stlink import StLink
from fwgen.virtual.usb import plugged
from tests.virtual.hosts import Pipes, only_session, probes
from tests.virtual.target import Target

if TYPE_CHECKING:
    from pathlib import Path


def _ids() -> list[str]:
    return [probe.unique_id for probe in probes()]


@pytest.fixture(autouse=True)
def _no_real_bus(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing here may look at what is plugged into this computer."""

    def looked(*_args: object, **_kwargs: object) -> None:
        raise AssertionError("the real USB bus was searched")

    monkeypatch.setattr(libusb_package, "get_libusb1_backend", looked)
    monkeypatch.setattr("usb.backend.libusb1.get_backend", looked)


def test_pyocd_finds_what_is_plugged_and_nothing_else() -> None:
    link = StLink(Target(), serial="A1")
    dap1 = CmsisDap(Target(), serial="B1", version=1)
    dap2 = CmsisDap(Target(), serial="B2", version=2)
    with plugged(link, dap1, dap2):
        assert sorted(_ids()) == ["A1", "B1", "B2"]
        assert [probe.unique_id for probe in probes("b2")] == ["B2"]
        assert probes("nobody") == []
        assert {type(probe).__name__ for probe in probes()} == {"StlinkProbe", "CMSISDAPProbe"}


def test_an_empty_bus_has_no_probes() -> None:
    with plugged():
        assert probes() == []


def test_pyocds_own_usb_class_runs() -> None:
    with plugged(StLink(Target(), serial="A1")):
        (found,) = STLinkUSBInterface.get_all_connected_devices()
        assert type(found) is STLinkUSBInterface
        assert found.vendor_name == "STMicroelectronics"
        assert found.version_name == "V2-1"


def test_nested_boards_add_up_and_leave_one_by_one() -> None:
    with plugged(StLink(Target(), serial="A1")):
        with plugged(StLink(Target(), serial="A2")):
            assert _ids() == ["A1", "A2"]
        assert _ids() == ["A1"]


def test_everything_is_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    classes = {"cmsisdap": CMSISDAPProbe, "jlink": StlinkProbe, "stlink": StlinkProbe}
    monkeypatch.setattr(aggregator, "PROBE_CLASSES", dict(classes))  # with pylink installed
    before = (
        libusb_package.get_libusb1_backend,
        dap_access_cmsis_dap.USB_BACKEND,
        list(aggregator.PROBE_CLASSES),
        common.libusb_error_device_set,
        dict(StlinkProbe._mbed_board_id_cache),
    )
    with plugged(StLink(Target(), serial="A1", board_id="0720")):
        assert libusb_package.get_libusb1_backend is not before[0]
        assert "jlink" not in aggregator.PROBE_CLASSES
    with pytest.raises(ZeroDivisionError), plugged(StLink(Target(), serial="A1")):
        _ = 1 / 0
    after = (
        libusb_package.get_libusb1_backend,
        dap_access_cmsis_dap.USB_BACKEND,
        list(aggregator.PROBE_CLASSES),
        common.libusb_error_device_set,
        dict(StlinkProbe._mbed_board_id_cache),
    )
    assert after == before
    assert classes == aggregator.PROBE_CLASSES


def test_two_devices_with_one_serial_number_are_refused() -> None:
    with plugged(StLink(Target(), serial="A1")):
        twin = plugged(StLink(Target(), serial="A1"))
        with pytest.raises(BenchError, match="A1"), twin:
            pass
        assert _ids() == ["A1"]


def test_boards_in_threads_do_not_disturb_each_other(tmp_path: Path) -> None:
    failures: list[BaseException] = []
    together = threading.Barrier(4)

    def use(number: int) -> None:
        try:
            target = Target()
            link = StLink(target, serial=f"T{number}")
            for _ in range(5):
                with plugged(link):
                    together.wait(10)
                    (probe,) = (p for p in probes() if p.unique_id == f"T{number}")
                    probe._link.open()
                    probe._link.close()
                    together.wait(10)
        except BaseException as problem:  # noqa: BLE001 - told to the test below
            failures.append(problem)
            together.abort()

    threads = [threading.Thread(target=use, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    with plugged():
        assert probes() == []


def test_a_claimed_interface_is_busy_for_others() -> None:
    with plugged(StLink(Target(), serial="A1")):
        first, second = probes()[0], probes()[0]
        first._link.open()
        with pytest.raises(usb.core.USBError, match="Resource busy"):
            second._link.open()
        first._link.close()
        second._link.open()
        second._link.close()


def test_without_permission_pyocd_knows_of_the_udev_rule_each_time(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Of an ST-Link it says so at level DEBUG only: its CMSIS-DAP classes ask first."""
    for _ in range(2):
        link = StLink(Target(), serial="A1")
        link.permitted = False
        caplog.clear()
        with plugged(link), caplog.at_level(logging.DEBUG):
            assert probes() == []
        assert "udev rule" in caplog.text


def test_a_handle_dies_with_its_cable_even_if_the_cable_comes_back() -> None:
    link = StLink(Target(), serial="A1")
    with plugged(link):
        pipes = Pipes("A1")
        assert len(pipes.ask(0xF1)) == 6
        link.unplug()
        assert probes() == []
        with pytest.raises(usb.core.USBError, match="disconnected"):
            pipes.send(0xF1)
        link.plug()
        with pytest.raises(usb.core.USBError, match="disconnected"):
            pipes.send(0xF1)
        pipes.close()
        again = Pipes("A1")
        assert len(again.ask(0xF1)) == 6
        again.close()


def test_a_board_that_leaves_the_bus_leaves_dead_handles() -> None:
    link = StLink(Target(), serial="A1")
    with plugged(link):
        pipes = Pipes("A1")
    with plugged(link):
        with pytest.raises(usb.core.USBError, match="disconnected"):
            pipes.send(0xF1)
        Pipes("A1").close()


def test_a_reader_that_waits_hears_of_the_pulled_cable() -> None:
    link = StLink(Target(), serial="A1")
    heard: list[Any] = []
    with plugged(link):
        pipes = Pipes("A1")
        waits = threading.Event()

        def read() -> None:
            waits.set()
            try:
                pipes.back.read(64, 20_000)
            except usb.core.USBError as error:
                heard.append(error.errno)

        reader = threading.Thread(target=read)
        reader.start()
        waits.wait(5)
        link.unplug()
        reader.join(5)
        assert not reader.is_alive()
    assert heard == [19]


def test_the_board_hears_of_its_cable() -> None:
    moves: list[bool] = []
    link = StLink(Target(), serial="A1", cable_moved=moves.append)
    with plugged(link):
        link.unplug()
        link.unplug()
        link.plug()
    assert moves == [False, True]


def test_each_transfer_from_the_host_costs_its_latency(tmp_path: Path) -> None:
    spent: list[int] = []
    link = StLink(Target(), serial="A1", elapse=spent.append, latency_ps=125_000_000)
    with plugged(link), only_session(tmp_path):
        assert spent == [125_000_000] * link.transfers


def test_what_costs_time_costs_the_same_each_time(tmp_path: Path) -> None:
    def spent() -> tuple[int, list[str]]:
        target = Target()
        dap = CmsisDap(target, serial="B1")
        with plugged(dap), only_session(tmp_path) as session:
            session.target.write_memory_block8(0x2000_0001, bytes(3000))
            session.target.read_memory_block8(0x2000_0001, 3000)
        return dap.transfers, target.log

    assert spent() == spent()
