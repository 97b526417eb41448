from __future__ import annotations

import struct
import time
from typing import TYPE_CHECKING, Any, Literal

import pytest
import usb.core
from pyocd.core import exceptions
from pyocd.core.target import Target as PyocdTarget
from pyocd.probe.pydapaccess.interface.pyusb_backend import PyUSB
from pyocd.probe.pydapaccess.interface.pyusb_v2_backend import PyUSBv2

from fwgen.virtual.cmsis_dap import CmsisDap, Names
from fwgen.virtual.swj import Protocol, SwjPort
from fwgen.virtual.usb import plugged
from fwgen.virtual.wire import FaultAnswerError, NoAnswerError, WaitAnswerError
from tests.virtual.hosts import Pipes, only_session, probes, session
from tests.virtual.target import DPIDR, FLASH, IDR, RAM, Target

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Version = Literal[1, 2]
SERIAL = "07200221066807465B57A1F2"
versions = pytest.mark.parametrize("version", [1, 2])

# Transfer requests.
READ_DPIDR, READ_IDR = 0x02, 0x0F
WRITE_SELECT, WRITE_TAR = 0x08, 0x05
MATCH, MASK = 0x10, 0x20
OK, WAIT, FAULT, NO_ACK, MISMATCH = 1, 2, 4, 7, 0x11
TO_SWD = (51, (1 << 51) - 1), (16, 0xE79E), (51, (1 << 51) - 1), (8, 0)


@pytest.fixture
def target() -> Target:
    return Target()


def _word(value: int) -> bytes:
    return value.to_bytes(4, "little")


def _select(pipes: Pipes, select: int) -> None:
    assert pipes.ask(0x05, 0, 1, WRITE_SELECT, _word(select)) == bytes((5, 1, OK))


def _connect(pipes: Pipes) -> Pipes:
    assert pipes.ask(0x02, 1)[:2] == b"\x02\x01"
    for count, bits in TO_SWD:
        assert pipes.ask(0x12, count, bits.to_bytes(7, "little"))[:2] == b"\x12\x00"
    return pipes


@pytest.fixture
def pipes(target: Target) -> Iterator[Pipes]:
    """A version 2 probe on which SWD is selected, by its endpoints."""
    with plugged(CmsisDap(target, serial=SERIAL)):
        opened = _connect(Pipes(SERIAL))
        yield opened
        opened.close()


# Sessions through pyOCD's own classes.


@versions
def test_pyocds_own_interface_classes_run(target: Target, version: Version) -> None:
    with plugged(CmsisDap(target, serial=SERIAL, version=version)):
        (probe,) = probes()
        assert type(probe._link._interface) is {1: PyUSB, 2: PyUSBv2}[version]
        assert probe.unique_id == SERIAL


@versions
def test_the_board_by_its_serial_number_and_by_what_the_probe_says(
    target: Target, version: Version
) -> None:
    with plugged(CmsisDap(target, serial=SERIAL, version=version)):
        assert probes()[0].associated_board_info.target == "stm32f401retx"
    names = Names(board_vendor="Acme", board="Blinker", target_vendor="ST", target="STM32F103RB")
    probe = CmsisDap(target, serial="X1", version=version, names=names, vid=0x1209, pid=0x1234)
    with plugged(probe):
        info = probes()[0].associated_board_info
        assert (info.vendor, info.name, info.target) == ("Acme", "Blinker", "stm32f103rb")


@pytest.mark.parametrize(
    ("version", "packet_bytes", "deferred"),
    [(1, 64, True), (1, 64, False), (2, 512, True), (2, 64, True), (2, 512, False)],
)
def test_memory_in_every_width_and_at_every_alignment(
    target: Target, tmp_path: Path, version: Version, packet_bytes: int, deferred: bool
) -> None:
    probe = CmsisDap(target, serial=SERIAL, version=version, packet_bytes=packet_bytes)
    options = {"cmsis_dap.deferred_transfers": deferred}
    with plugged(probe), only_session(tmp_path, **options) as pyocd:
        core = pyocd.target
        core.write32(RAM, 0x11223344)
        core.write16(RAM + 6, 0x5566)
        core.write8(RAM + 5, 0x77)
        core.flush()
        assert target.memory[RAM][:8] == bytes.fromhex("44332211 00776655")
        assert (core.read8(RAM + 3), core.read16(RAM + 2)) == (0x11, 0x1122)
        for start in (0, 1, 3):
            for length in (1, 4, 65, 2500):
                content = bytes((start + length + n * 7) & 0xFF for n in range(length))
                core.write_memory_block8(RAM + start, content)
                core.flush()
                assert target.memory[RAM][start : start + length] == content
                assert bytes(core.read_memory_block8(RAM + start, length)) == content


@versions
def test_registers_of_core_debug_port_and_access_port(
    target: Target, tmp_path: Path, version: Version
) -> None:
    with (
        plugged(CmsisDap(target, serial=SERIAL, version=version)),
        only_session(tmp_path) as pyocd,
    ):
        core = pyocd.target
        core.halt()
        assert core.get_state() == PyocdTarget.State.HALTED
        core.write_core_register("r3", 0x1234)
        assert core.read_core_register("r3") == 0x1234
        core.resume()
        assert core.get_state() == PyocdTarget.State.RUNNING
        assert core.dp.read_dp(0x0) == DPIDR
        assert core.dp.read_dp(0x14) == 0x1234_0001
        assert core.dp.read_dp(0x4) & 0xF000_0000 == 0xF000_0000
        assert core.dp.read_ap(0xFC) == IDR
        assert core.dp.read_ap(0x0100_00FC) == 0


@versions
@pytest.mark.parametrize("kind", ["hw", "sysresetreq"])
def test_resets(target: Target, tmp_path: Path, version: Version, kind: str) -> None:
    with (
        plugged(CmsisDap(target, serial=SERIAL, version=version)),
        only_session(tmp_path, reset_type=kind) as pyocd,
    ):
        before = target.resets
        pyocd.target.reset()
        assert target.resets == before + 1
        assert target.nrst == ([True, False] if kind == "hw" else [])
        pyocd.target.reset_and_halt()
        assert pyocd.target.get_state() == PyocdTarget.State.HALTED
        pyocd.probe.assert_reset(True)
        assert pyocd.probe.is_reset_asserted()
    assert target.nrst[-1] is False, "let go when the host left"


@versions
def test_a_second_session_finds_the_port_in_swd(
    target: Target, tmp_path: Path, version: Version
) -> None:
    with plugged(CmsisDap(target, serial=SERIAL, version=version)):
        for dormant in (False, True, True):
            with only_session(tmp_path, **{"dap_swj_use_dormant": dormant}) as pyocd:
                assert pyocd.target.read32(RAM) == 0


# What goes wrong on the wire.


@versions
def test_faults_waits_and_silence_are_pyocds_own(
    target: Target, tmp_path: Path, version: Version
) -> None:
    with (
        plugged(CmsisDap(target, serial=SERIAL, version=version)),
        only_session(tmp_path) as pyocd,
    ):
        dp = pyocd.target.dp
        with pytest.raises(exceptions.TransferFaultError):
            pyocd.target.read32(0x4000_0000)
        assert pyocd.target.read32(RAM) == 0, "and it does not stick"
        target.faults.extend([WaitAnswerError()] * 20)
        assert dp.read_ap(0xFC) == IDR, "a few are waited for"
        for fault, count, raised in (
            (FaultAnswerError(), 1, exceptions.TransferFaultError),
            (WaitAnswerError(), 200, exceptions.TransferTimeoutError),
            (NoAnswerError(), 1, exceptions.TransferError),
        ):
            target.faults.extend([fault] * count)
            with pytest.raises(raised):
                dp.read_ap(0xFC)
            target.faults.clear()
            assert dp.read_ap(0xFC) == IDR


@versions
def test_nobody_on_the_wire(target: Target, tmp_path: Path, version: Version) -> None:
    target.silent = True
    with plugged(CmsisDap(target, serial=SERIAL, version=version)):
        pyocd = session(probes()[0], tmp_path)
        with pytest.raises(exceptions.Error):
            pyocd.open()
        pyocd.close()
        target.silent = False
        with only_session(tmp_path) as pyocd:
            assert pyocd.target.read32(RAM) == 0


# The cable.


@versions
def test_a_cable_pulled_at_any_transfer_is_an_error_and_never_silence(
    target: Target, tmp_path: Path, version: Version
) -> None:
    """PyOCD 0.46 lets pyusb's error of a write through as it is, and wraps that of a read."""
    probe = CmsisDap(target, serial=SERIAL, version=version)
    cut_at, finished = 0, False
    while not finished:
        assert cut_at < 400
        with plugged(probe):
            pyocd = session(probes()[0], tmp_path)
            pyocd.open()
            probe.unplug_after(cut_at)
            try:
                pyocd.target.write_memory_block32(RAM, list(range(1, 1000)))
                pyocd.target.read_memory_block32(FLASH, 500)
                pyocd.target.reset()
                pyocd.target.flush()
            except (exceptions.ProbeError, usb.core.USBError):
                assert not probe.attached
                assert probes() == []
            else:
                finished = True
            _close(pyocd)
        probe.plug()
        with plugged(probe), only_session(tmp_path) as pyocd:
            assert pyocd.target.read32(FLASH) == 0
        cut_at += 5
    assert cut_at > 10


def _close(pyocd: Any) -> None:
    """As far as it goes: closing a probe that is not there any more fails, too."""
    try:
        pyocd.close()
    except (usb.core.USBError, exceptions.Error):
        pyocd.probe._link._interface.closed = True


# Packets that pyOCD never sends so.


def test_reads_that_wait_for_a_value(pipes: Pipes, target: Target) -> None:
    """DAP_Transfer: a read with Value Match is repeated, and adds no data to the answer."""
    _select(pipes, 0xF0)
    assert pipes.ask(0x04, 0, b"\0\0", struct.pack("<H", 3)) == b"\x04\x00"
    mask = bytes((MASK,)) + _word(0xFFFF0000)
    hit = bytes((READ_DPIDR | MATCH,)) + _word(DPIDR & 0xFFFF0000)
    miss = bytes((READ_IDR | MATCH,)) + _word(0x12340000)
    assert pipes.ask(0x05, 0, 3, mask, hit, READ_DPIDR) == b"\x05\x03\x01" + _word(DPIDR)
    target.faults.extend([None] * 3)
    answer = pipes.ask(0x05, 0, 3, hit, miss, READ_DPIDR)
    assert answer == bytes((5, 1, MISMATCH))
    assert not target.faults, "once, and three times more"
    # The mask stays until it is set anew.
    assert pipes.ask(0x05, 0, 1, hit) == b"\x05\x01\x01"


def test_a_failed_transfer_ends_the_command_and_says_how_far_it_came(
    pipes: Pipes, target: Target
) -> None:
    target.faults.extend([None, FaultAnswerError()])
    tar = bytes((WRITE_TAR,)) + _word(RAM)
    answer = pipes.ask(0x05, 0, 5, READ_DPIDR, tar, READ_IDR, tar, READ_DPIDR)
    assert answer == bytes((5, 2, FAULT)) + _word(DPIDR)
    assert pipes.ask(0x05, 0, 1, tar) == bytes((5, 0, FAULT)), "sticky"
    assert pipes.ask(0x08, 0, _word(0x1E)) == b"\x08\x00"
    assert pipes.ask(0x05, 0, 1, tar) == bytes((5, 1, OK))


def test_the_first_transfer_that_fails_is_the_last_that_is_tried(
    pipes: Pipes, target: Target
) -> None:
    target.faults.extend([NoAnswerError(), NoAnswerError()])
    tar = bytes((WRITE_TAR,)) + _word(RAM)
    assert pipes.ask(0x05, 0, 2, tar, tar) == bytes((5, 0, NO_ACK))
    assert len(target.faults) == 1


def test_wait_is_retried_as_often_as_configured(pipes: Pipes, target: Target) -> None:
    _select(pipes, 0xF0)
    assert pipes.ask(0x04, 0, struct.pack("<HH", 2, 0)) == b"\x04\x00"
    target.faults.extend([WaitAnswerError()] * 2)
    assert pipes.ask(0x05, 0, 1, READ_IDR) == bytes((5, 1, OK)) + _word(IDR)
    target.faults.extend([WaitAnswerError()] * 3)
    assert pipes.ask(0x05, 0, 1, READ_IDR) == bytes((5, 0, WAIT))


def test_ap_transfers_go_where_select_points(pipes: Pipes, target: Target) -> None:
    select = bytes((WRITE_SELECT,)) + _word(0xF0)
    assert pipes.ask(0x05, 0, 2, select, READ_IDR)[3:] == _word(IDR)
    select = bytes((WRITE_SELECT,)) + _word(0x0100_00F0)
    assert pipes.ask(0x05, 0, 2, select, READ_IDR)[3:] == _word(0)


def test_blocks_of_one_register(pipes: Pipes, target: Target) -> None:
    words = [n * 0x01010101 for n in range(100)]
    csw, tar = bytes((0x01,)) + _word(0x2300_0012), bytes((WRITE_TAR,)) + _word(RAM)
    pipes.ask(0x05, 0, 2, csw, tar)
    block = struct.pack("<HB100I", 100, 0x0D, *words)
    assert pipes.ask(0x06, 0, block) == struct.pack("<BHB", 6, 100, OK)
    pipes.ask(0x05, 0, 1, tar)
    answer = pipes.ask(0x06, 0, struct.pack("<HB", 100, 0x0F))
    assert answer == struct.pack("<BHB100I", 6, 100, OK, *words)
    pipes.ask(0x05, 0, 1, tar)
    target.faults.extend([None, None, FaultAnswerError()])
    answer = pipes.ask(0x06, 0, struct.pack("<HB", 100, 0x0F))
    assert answer == struct.pack("<BHB2I", 6, 2, FAULT, *words[:2])


def test_a_block_is_never_longer_than_a_packet(pipes: Pipes) -> None:
    answer = pipes.ask(0x06, 0, struct.pack("<HB", 1000, READ_DPIDR))
    assert len(answer) == 512
    assert answer[:4] == struct.pack("<BHB", 6, 127, OK)


def test_nothing_is_transferred_before_connect_and_after_disconnect(target: Target) -> None:
    with plugged(CmsisDap(target, serial=SERIAL)):
        pipes = Pipes(SERIAL)
        assert pipes.ask(0x05, 0, 1, READ_DPIDR) == b"\x05\x00\x00"
        _connect(pipes)
        assert pipes.ask(0x05, 0, 1, READ_DPIDR)[:3] == b"\x05\x01\x01"
        assert pipes.ask(0x03) == b"\x03\x00"
        assert pipes.ask(0x06, 0, struct.pack("<HB", 1, READ_DPIDR)) == b"\x06\x00\x00\x00"
        assert pipes.ask(0x02, 2) == b"\x02\x00", "no JTAG"
        pipes.close()


def test_a_port_that_was_not_switched_to_swd_does_not_answer(target: Target) -> None:
    with plugged(CmsisDap(target, serial=SERIAL)):
        pipes = Pipes(SERIAL)
        pipes.ask(0x02, 1)
        assert pipes.ask(0x05, 0, 1, READ_DPIDR) == bytes((5, 0, NO_ACK))
        assert pipes.ask(0x08, 0, _word(0x1E)) == b"\x08\xff"
        _connect(pipes)
        assert pipes.ask(0x05, 0, 1, READ_DPIDR)[:3] == b"\x05\x01\x01"
        pipes.close()


def test_unknown_commands_and_cut_off_packets_are_answered_by_ff(pipes: Pipes) -> None:
    for packet in (b"\x14\x01\x01", b"\x80", b"\x05\x00\x02\x02", b"\x10\x00", b"\x11", bytes(513)):
        assert pipes.ask(packet) == b"\xff"


def test_several_commands_in_a_packet(pipes: Pipes, target: Target) -> None:
    pins = bytes((0x10, 0x00, 0x80)) + bytes(4)
    let_go = bytes((0x10, 0x80, 0x80)) + bytes(4)
    answer = pipes.ask(0x7F, 3, pins, b"\x09\x64\x00", let_go)
    assert answer == bytes((0x7F, 3, 0x10, 0x2F, 0x09, 0x00, 0x10, 0xAF))
    assert target.nrst == [True, False]


def test_queued_commands_wait_for_one_that_is_not(pipes: Pipes, target: Target) -> None:
    pipes.send(0x7E, 1, bytes((0x10, 0x00, 0x80)) + bytes(4))
    pipes.send(0x7E, 1, bytes((0x10, 0x80, 0x80)) + bytes(4))
    assert target.nrst == []
    pipes.send(0x01, 0, 1)
    assert target.nrst == [True, False]
    assert [pipes.fetch() for _ in range(3)] == [
        b"\x7f\x01\x10\x2f",
        b"\x7f\x01\x10\xaf",
        b"\x01\0",
    ]


def test_an_abort_has_no_answer(pipes: Pipes) -> None:
    pipes.send(0x07)
    assert pipes.ask(0x01, 0, 1) == b"\x01\x00"


def test_reset_target_pulses_the_line(pipes: Pipes, target: Target) -> None:
    assert pipes.ask(0x0A) == b"\x0a\x00\x01"
    assert target.nrst == [True, False]


def test_a_delay_costs_its_time(target: Target) -> None:
    spent: list[int] = []
    with plugged(CmsisDap(target, serial=SERIAL, elapse=spent.append)):
        pipes = Pipes(SERIAL)
        assert pipes.ask(0x09, struct.pack("<H", 2500)) == b"\x09\x00"
        pipes.close()
    assert spent == [2_500_000_000]


def test_a_clock_of_nothing_is_refused(pipes: Pipes) -> None:
    assert pipes.ask(0x11, _word(0)) == b"\x11\xff"
    assert pipes.ask(0x11, _word(4_000_000)) == b"\x11\x00"
    assert pipes.ask(0x13, 0) == b"\x13\x00"


def test_more_packets_than_the_probe_keeps_are_not_taken(target: Target) -> None:
    with plugged(CmsisDap(target, serial=SERIAL, packet_count=2)):
        pipes = Pipes(SERIAL)
        assert pipes.ask(0x00, 0xFE) == b"\x00\x01\x02"
        pipes.send(0x01, 0, 1)
        pipes.send(0x01, 0, 0)
        with pytest.raises(usb.core.USBTimeoutError):
            pipes.send(0x00, 0xFE)
        assert pipes.fetch() == b"\x01\x00"
        pipes.send(0x00, 0xFE)
        assert [pipes.fetch(), pipes.fetch()] == [b"\x01\x00", b"\x00\x01\x02"]
        pipes.close()


@versions
def test_what_the_probe_tells_of_itself(target: Target, version: Version) -> None:
    with plugged(CmsisDap(target, serial=SERIAL, version=version)):
        pipes = Pipes(SERIAL)

        def info(number: int) -> bytes:
            answer = pipes.ask(0x00, number)
            return answer[2 : 2 + answer[1]]

        assert info(0x03) == SERIAL.encode() + b"\0"
        assert info(0x04) == {1: b"1.3.0\0", 2: b"2.1.2\0"}[version]
        assert info(0x05) == b""
        assert info(0xF0) == b"\x15", "SWD, SWO over UART, atomic commands"
        assert info(0xFF) == {1: 64, 2: 512}[version].to_bytes(2, "little")
        assert info(0x42) == b""
        assert len(pipes.ask(0x00, 0x42)) == {1: 64, 2: 2}[version], "HID reports have one length"
        pipes.close()


# Trace.


@pytest.mark.parametrize(("version", "pipe"), [(1, False), (2, False), (2, True)])
def test_trace_is_what_was_sent_after_it_was_started(
    target: Target, tmp_path: Path, version: Version, pipe: bool
) -> None:
    probe = CmsisDap(target, serial=SERIAL, version=version, trace_pipe=pipe)
    with plugged(probe), only_session(tmp_path) as pyocd:
        target.swo = b"before"
        pyocd.probe.swo_start(2_000_000)
        sent = bytes(n & 0xFF for n in range(1500))
        target.swo = sent
        got = b""
        patience = time.monotonic() + 10
        while len(got) < len(sent) and time.monotonic() < patience:
            got += pyocd.probe.swo_read()
            time.sleep(0.001)  # pyOCD fetches it in a thread
        assert got == sent
        pyocd.probe.swo_stop()
        target.swo = b"after"


def test_trace_buffer_overruns_and_says_so(pipes: Pipes, target: Target) -> None:
    assert pipes.ask(0x1A, 1) == b"\x1a\xff", "neither mode nor transport nor baud rate"
    assert pipes.ask(0x19, _word(1_000_000)) == b"\x19" + _word(1_000_000)
    for command in ((0x17, 1), (0x18, 1), (0x1A, 1)):
        assert pipes.ask(*command) == bytes((command[0], 0))
    assert pipes.ask(0x17, 0) == b"\x17\xff", "not while capturing"
    assert pipes.ask(0x19, _word(100_000_000)) == b"\x19" + _word(0)
    target.swo = bytes(5000)
    assert pipes.ask(0x1B) == struct.pack("<BBI", 0x1B, 0x81, 4096)
    assert pipes.ask(0x1C, b"\x05\x00") == b"\x1c\x81\x05\x00" + bytes(5)
    assert pipes.ask(0x1A, 0) == b"\x1a\x00"
    assert pipes.ask(0x1B) == struct.pack("<BBI", 0x1B, 0x80, 4091)
    assert pipes.ask(0x18, 2) == b"\x18\xff", "no Manchester"


# The two wires.


def test_switching_between_jtag_swd_and_dormant() -> None:
    port = SwjPort()
    ones = (1 << 50) - 1
    assert port.protocol is Protocol.JTAG
    port.clock(ones >> 1, 49)
    port.clock(0xE79E, 16)
    assert port.protocol is Protocol.JTAG, "not without fifty clocks of line reset"
    port.clock(ones, 50)
    port.clock(0xE79E, 16)
    assert port.protocol is Protocol.SWD
    port.clock(ones, 50)
    port.clock(0xE3BC, 16)
    assert port.protocol is Protocol.DORMANT
    port.clock(ones, 50)
    port.clock(0xE79E, 16)
    assert port.protocol is Protocol.DORMANT, "asleep"
    port.clock(0x19BC0EA2E3DDAFE986852D956209F392FF, 136)
    port.clock(0x01A0, 12)
    assert port.protocol is Protocol.SWD
    port.clock(ones, 50)
    port.clock(0xE73C, 16)
    assert port.protocol is Protocol.JTAG


def test_captured_swd_sequences_read_the_pull_up(pipes: Pipes, target: Target) -> None:
    assert pipes.ask(0x1D, 2, 0x85, 0x08, 0x00) == b"\x1d\x00\x1f"
    assert pipes.ask(0x05, 0, 1, READ_DPIDR)[2] == OK
    pipes.ask(0x1D, 2, 0x33, bytes([0xFF] * 7), 0x10, b"\x3c\xe7")
    assert pipes.ask(0x05, 0, 1, READ_DPIDR)[2] == NO_ACK, "switched to JTAG"
