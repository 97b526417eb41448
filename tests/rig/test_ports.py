"""Serial ports: found by a probe's number, opened with clear errors."""

from __future__ import annotations

import errno
import os
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
import serial

from fwgen.rig.ports import (
    Port,
    PortBusyError,
    PortDeniedError,
    PortError,
    PortMissingError,
    explain,
    find_port,
    find_ports,
    open_port,
    port_named,
)
from fwgen.units import PS_PER_MS
from tests.virtual.serial import firmware
from tests.virtual.serial.boards import PoweredBoard

from .ends import Cable, needs_pty

if TYPE_CHECKING:
    from collections.abc import Callable

    from fwgen.image.types import Image


# ---------------------------------------------------------------------------- finding

LISTED = (
    Port("/dev/ttyACM0", "STM32 STLink", "066DFF515055", 0x0483),
    Port("/dev/ttyUSB0", "FT232R", "A10KZP", 0x0403),
    Port("/dev/ttyS0", "ttyS0"),
)


def test_a_probes_port_is_the_one_with_its_serial_number() -> None:
    assert find_port("066dff515055", LISTED).device == "/dev/ttyACM0"


def test_a_probe_without_a_port_is_told_with_what_there_is() -> None:
    with pytest.raises(PortMissingError) as caught:
        find_port("0671", LISTED)
    assert "belongs to the probe 0671" in str(caught.value)
    assert "/dev/ttyACM0 (STM32 STLink, 066DFF515055)" in str(caught.value)
    assert "ttyS0" not in str(caught.value)
    with pytest.raises(PortMissingError, match="not only power"):
        find_port("0671", ())
    with pytest.raises(PortMissingError):  # not the port that has no number
        find_port("", LISTED)


def test_latency_depends_on_what_lies_between() -> None:
    assert [port.latency_ps for port in LISTED] == [2 * PS_PER_MS, 18 * PS_PER_MS, 2 * PS_PER_MS]
    assert Port("rfc2217://host:1", "").latency_ps == 100 * PS_PER_MS


def test_plugged_virtual_boards_are_found_like_real_ones(
    virtual: Callable[[Image], tuple[PoweredBoard, str]],
) -> None:
    board, url = virtual(firmware.echo())
    found = find_port(board.uid)
    assert found.device == url
    assert found in find_ports()
    assert found.latency_ps == 2 * PS_PER_MS
    assert port_named(url) == found


def test_a_virtual_boards_probe_and_port_are_plugged_and_pulled_together() -> None:
    from fwgen.rig.probes import find_probes

    with PoweredBoard(firmware.echo()) as board:
        for _ in range(2):
            with board.plugged():
                assert board.uid in [probe.uid for probe in find_probes()]
                port = open_port(find_port(board.uid).device, baud=115_200, timeout_s=0.1)
                port.read(1)
                port.write(b"x")
                assert port.read(1) == b"x"
            assert board.uid not in [probe.uid for probe in find_probes()]
            with pytest.raises(PortMissingError):
                find_port(board.uid)
            with pytest.raises(serial.SerialException):
                port.read(1)
            port.close()


@needs_pty
def test_a_port_that_is_not_listed_is_taken_as_it_is(cable: Cable) -> None:
    assert port_named(cable.device) == Port(cable.device, cable.device)


# ---------------------------------------------------------------------------- opening


@needs_pty
def test_a_port_that_is_open_elsewhere_is_busy_and_says_by_whom(cable: Cable) -> None:
    first = open_port(cable.device, baud=115_200)
    with pytest.raises(PortBusyError) as caught:
        open_port(cable.device, baud=115_200)
    assert cable.device in str(caught.value)
    if sys.platform == "linux":
        assert "in use by this fwgen" in str(caught.value)
    first.close()
    open_port(cable.device, baud=115_200).close()


@needs_pty
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_another_process_is_named(cable: Cable) -> None:
    code = (
        "import serial, sys\n"
        f"port = serial.Serial({cable.device!r}, exclusive=True)\n"
        "print('open', flush=True)\n"
        "sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"open\n"
        with pytest.raises(PortBusyError, match=rf"python.* \(process {child.pid}\)"):
            open_port(cable.device, baud=115_200)
        assert child.stdin is not None
        child.stdin.close()


def test_a_port_that_is_not_there_is_told_with_what_there_is(
    virtual: Callable[[Image], tuple[PoweredBoard, str]],
) -> None:
    _, url = virtual(firmware.echo())
    with pytest.raises(PortMissingError, match="no such serial port") as caught:
        open_port("/dev/ttyNONE7", baud=115_200)
    assert "there is " in str(caught.value)
    assert url in str(caught.value)
    with pytest.raises(PortMissingError, match="did you mean"):
        open_port(url + "0", baud=115_200)


@needs_pty
def test_a_port_that_we_may_not_use_says_which_group_may(tmp_path: object) -> None:
    refused = serial.SerialException(
        errno.EACCES, "could not open port /dev/null: [Errno 13] Permission denied"
    )
    error = explain(refused, "/dev/null")
    assert isinstance(error, PortDeniedError)
    import grp
    from pathlib import Path

    group = grp.getgrgid(Path("/dev/null").stat().st_gid).gr_name
    if group == "root":
        assert "ask whoever" in str(error)
    else:
        assert f"usermod -aG {group} $USER" in str(error)


@needs_pty
@pytest.mark.skipif(os.name == "posix" and os.geteuid() == 0, reason="root may everything")
def test_a_device_without_permission_is_denied(cable: Cable) -> None:
    os.chmod(cable.device, 0)  # noqa: PTH101
    with pytest.raises(PortDeniedError):
        open_port(cable.device, baud=115_200)


def test_a_file_is_no_port(tmp_path: object) -> None:
    path = f"{tmp_path}/file"
    with open(path, "w", encoding="ascii"):  # noqa: PTH123
        pass
    with pytest.raises(PortError, match="does not work") as caught:
        open_port(path, baud=115_200)
    assert path in str(caught.value)


@pytest.mark.parametrize(
    ("url", "says"),
    [("nonsense://x", "the URL is not possible"), ("loop://?x=1", "the URL is not possible")],
)
def test_urls_that_do_not_work_are_told(url: str, says: str) -> None:
    with pytest.raises(PortError, match=says):
        open_port(url, baud=115_200)


def test_a_setting_that_is_not_possible_is_told() -> None:
    with pytest.raises(PortError, match="a setting is not possible"):
        open_port("loop://", baud=115_200, parity="X")


def test_a_server_that_is_not_there_is_told() -> None:
    with socket.socket() as taken:  # has the port, so that nobody else can, and does not listen
        taken.bind(("127.0.0.1", 0))
        number = taken.getsockname()[1]
        with pytest.raises(PortMissingError, match=r"cannot be reached.*does its server run"):
            open_port(f"socket://127.0.0.1:{number}", baud=115_200)
