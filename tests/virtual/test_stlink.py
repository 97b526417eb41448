from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

import pytest
from pyocd.core import exceptions
from pyocd.core.target import Target as PyocdTarget

from fwgen.virtual.stlink import V2, V3, Firmware, StLink
from fwgen.virtual.usb import plugged
from fwgen.virtual.wire import FaultAnswerError, NoAnswerError, WaitAnswerError
from tests.virtual.hosts import NO_DEVICE, Pipes, only_session, probes, session
from tests.virtual.target import DPIDR, FLASH, IDR, RAM, Target

if TYPE_CHECKING:
    from pathlib import Path

SERIAL = "0667FF495087534867095439"
UNKNOWN, ALIGNMENT, COMMAND_ERROR, OK, BAD_AP = 0x42, 0x0A, 0x08, 0x80, 0x1D


@pytest.fixture
def target() -> Target:
    return Target()


def _memory_command(number: int, address: int, length: int, ap: int = 0) -> bytes:
    return struct.pack("<BBIHB", 0xF2, number, address, length, ap)


def _status(pipes: Pipes) -> tuple[int, int]:
    status, _, address, _ = struct.unpack("<HHII", pipes.ask(0xF2, 0x3E))
    return status, address


@pytest.fixture
def pipes(target: Target) -> Any:
    """The probe in debug mode, by its endpoints."""
    with plugged(StLink(target, serial=SERIAL)):
        opened = Pipes(SERIAL)
        assert opened.ask(0xF2, 0x30, 0xA3) == b"\x80\x00"
        yield opened
        opened.close()


# Sessions through pyOCD's own classes.


def test_pyocd_names_the_board_from_the_identifiers(target: Target) -> None:
    with plugged(StLink(target, serial=SERIAL, board_id="0720")):
        (probe,) = probes()
        assert probe.unique_id == SERIAL
        assert probe.description == "STM32 STLink"
        assert probe.associated_board_info.name == "NUCLEO-F401RE"
        assert probe.associated_board_info.target == "stm32f401retx"


@pytest.mark.parametrize("board_id", ["0720", None])
def test_pyocd_names_the_board_from_the_drive_of_older_firmware(
    target: Target, board_id: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def looked() -> None:
        raise AssertionError("the real drives were searched")

    monkeypatch.setattr("pyocd.probe.stlink_probe.create_mbed_detector", looked)
    old = Firmware.parse("V2J33M25")
    with plugged(StLink(target, serial=SERIAL, firmware=old, board_id=board_id)):
        assert probes()[0].board_id == board_id


def test_a_probe_without_a_board_has_no_board_id(target: Target) -> None:
    with plugged(StLink(target, serial=SERIAL, kind=V2)):
        assert probes()[0].board_id is None


@pytest.mark.parametrize("kind", ["V2", "V2-1", "V3"])
def test_memory_in_every_width_and_at_every_alignment(
    target: Target, tmp_path: Path, kind: str
) -> None:
    kinds = {"V2": {"kind": V2}, "V2-1": {}, "V3": {"kind": V3}}[kind]
    with plugged(StLink(target, serial=SERIAL, **kinds)), only_session(tmp_path) as pyocd:  # type: ignore[arg-type]
        core = pyocd.target
        core.write32(RAM, 0x11223344)
        core.write16(RAM + 6, 0x5566)
        core.write8(RAM + 5, 0x77)
        assert target.memory[RAM][:8] == bytes.fromhex("44332211 00776655")
        assert (core.read8(RAM + 3), core.read16(RAM + 2)) == (0x11, 0x1122)
        for start in range(4):
            for length in (1, 3, 4, 63, 64, 65, 513, 6144, 6145, 13_001):
                content = bytes((start + length + n * 7) & 0xFF for n in range(length))
                core.write_memory_block8(RAM + start, content)
                assert target.memory[RAM][start : start + length] == content
                assert bytes(core.read_memory_block8(RAM + start, length)) == content


def test_old_firmware_without_halfwords_gets_bytes(target: Target, tmp_path: Path) -> None:
    link = StLink(target, serial=SERIAL, firmware=Firmware.parse("V2J24S4"))
    with plugged(link), only_session(tmp_path) as pyocd:
        pyocd.target.write16(RAM, 0xABCD)
        assert pyocd.target.read16(RAM) == 0xABCD
    assert target.memory[RAM][:2] == b"\xcd\xab"


def test_registers_of_core_debug_port_and_access_port(target: Target, tmp_path: Path) -> None:
    with plugged(StLink(target, serial=SERIAL)), only_session(tmp_path) as pyocd:
        core = pyocd.target
        core.halt()
        assert core.get_state() == PyocdTarget.State.HALTED
        core.write_core_register("r3", 0x1234)
        assert core.read_core_register("r3") == 0x1234
        core.resume()
        assert core.get_state() == PyocdTarget.State.RUNNING
        probe = pyocd.probe
        assert probe.read_dp(0x0) == DPIDR
        assert probe.read_dp(0x14) == 0x1234_0001, "bank 1 of register 4"
        assert probe.read_dp(0x4) & 0xF000_0000 == 0xF000_0000, "and bank 0 again after it"
        assert probe.read_ap(0xFC) == IDR
        assert probe.read_ap(0x0100_00FC) == 0, "there is no AP 1"
        probe.write_ap(0x04, RAM + 8)
        assert probe.read_ap(0x04) == RAM + 8


@pytest.mark.parametrize("kind", ["hw", "sysresetreq"])
def test_resets(target: Target, tmp_path: Path, kind: str) -> None:
    with plugged(StLink(target, serial=SERIAL)), only_session(tmp_path, reset_type=kind) as pyocd:
        before = target.resets
        pyocd.target.reset()
        assert target.resets == before + 1
        assert target.nrst == ([True, False] if kind == "hw" else [])
        pyocd.target.reset_and_halt()
        assert pyocd.target.get_state() == PyocdTarget.State.HALTED


def test_connecting_under_reset_holds_the_line_until_the_core_is_caught(
    target: Target, tmp_path: Path
) -> None:
    with (
        plugged(StLink(target, serial=SERIAL)),
        only_session(tmp_path, connect_mode="under-reset") as pyocd,
    ):
        assert target.nrst[0] is True
        assert target.nrst[-1] is False
        assert pyocd.target.get_state() == PyocdTarget.State.HALTED


def test_a_reset_line_is_let_go_when_the_host_leaves(target: Target, tmp_path: Path) -> None:
    with plugged(StLink(target, serial=SERIAL)):
        with only_session(tmp_path) as pyocd:
            pyocd.probe.assert_reset(True)
            assert target.nrst == [True]
        assert target.nrst[-1] is False


# What goes wrong on the wire.


def test_a_fault_names_its_address_and_does_not_stick(target: Target, tmp_path: Path) -> None:
    with plugged(StLink(target, serial=SERIAL)), only_session(tmp_path) as pyocd:
        for access in (
            lambda: pyocd.target.read_memory_block32(RAM + 0xFFF8, 4),
            lambda: pyocd.target.write_memory_block32(RAM + 0xFFF8, [1, 2, 3, 4]),
        ):
            with pytest.raises(exceptions.TransferFaultError) as caught:
                access()
            assert caught.value.fault_address == RAM + 0x1_0000
            assert pyocd.target.read32(RAM) == 0


def test_a_fault_of_a_register_is_pyocds_fault(target: Target, tmp_path: Path) -> None:
    with plugged(StLink(target, serial=SERIAL)), only_session(tmp_path) as pyocd:
        target.faults.append(FaultAnswerError())
        with pytest.raises(exceptions.TransferFaultError):
            pyocd.target.dp.read_ap(0xFC)
        assert pyocd.target.dp.read_ap(0xFC) == IDR


def test_a_few_waits_are_waited_for_and_many_time_out(target: Target, tmp_path: Path) -> None:
    with plugged(StLink(target, serial=SERIAL)), only_session(tmp_path) as pyocd:
        target.faults.extend([WaitAnswerError()] * 5)
        assert pyocd.target.read32(RAM) == 0
        for access in (
            lambda: pyocd.target.read32(RAM),
            lambda: pyocd.target.write32(RAM, 1),
            lambda: pyocd.target.dp.read_ap(0xFC),
        ):
            target.faults.extend([WaitAnswerError()] * 40)
            with pytest.raises(exceptions.TransferTimeoutError):
                access()
            target.faults.clear()


def test_silence_in_the_middle_is_a_transfer_error(target: Target, tmp_path: Path) -> None:
    with plugged(StLink(target, serial=SERIAL)), only_session(tmp_path) as pyocd:
        target.faults.append(NoAnswerError())
        with pytest.raises(exceptions.TransferError, match="AP error"):
            pyocd.target.read32(RAM)


def test_nobody_on_the_wire_is_an_idcode_error(target: Target, tmp_path: Path) -> None:
    target.silent = True
    with plugged(StLink(target, serial=SERIAL)):
        pyocd = session(probes()[0], tmp_path)
        with pytest.raises(exceptions.Error, match="Target not detected") as caught:
            pyocd.open()
        assert "Get IDCODE error" in str(caught.value.__cause__)
        pyocd.close()


def test_an_unpowered_target_measures_as_such_and_gives_no_answer(
    target: Target, tmp_path: Path
) -> None:
    target.supply_mv = 0
    with plugged(StLink(target, serial=SERIAL)):
        pyocd = session(probes()[0], tmp_path)
        with pytest.raises(exceptions.Error, match="Target not detected") as caught:
            pyocd.open()
        assert "Get IDCODE error" in str(caught.value.__cause__)
        assert pyocd.probe._link.target_voltage == 0
        pyocd.close()
        target.supply_mv = 3300
        with only_session(tmp_path) as pyocd:
            assert pyocd.probe._link.target_voltage == pytest.approx(3.3, abs=0.001)
            target.supply_mv = 0
            with pytest.raises(exceptions.TransferError):
                pyocd.target.read32(RAM)


@pytest.mark.parametrize("version", ["V2J23S4", "V2J17S4"])
def test_firmware_that_is_too_old_is_refused_by_pyocd(
    target: Target, tmp_path: Path, version: str
) -> None:
    link = StLink(target, serial=SERIAL, firmware=Firmware.parse(version))
    with plugged(link):
        (probe,) = probes()
        with pytest.raises(exceptions.ProbeError, match=f"older firmware version.*{version[:5]}"):
            session(probe, tmp_path).open()


def test_versions_are_read_as_st_writes_them() -> None:
    assert Firmware.parse("V2J45M31") == Firmware()
    assert Firmware.parse("V3J15M7B5S1") == V3.default
    with pytest.raises(ValueError, match=r"2\.45\.31"):
        Firmware.parse("2.45.31")


# The cable.


def _use(core: Any) -> None:
    core.write_memory_block32(RAM, list(range(1, 3000)))
    core.read_memory_block32(FLASH, 2000)
    core.reset()
    core.write_memory_block32(RAM, [0xFFFFFFFF] * 2000)


def test_a_cable_pulled_at_any_transfer_is_an_error_and_never_silence(
    target: Target, tmp_path: Path
) -> None:
    link = StLink(target, serial=SERIAL)
    cut_at, finished = 0, False
    before = set(range(3000)) | {0xFFFFFFFF}
    while not finished:
        assert cut_at < 200
        with plugged(link):
            (probe,) = probes()
            pyocd = session(probe, tmp_path)
            pyocd.open()
            link.unplug_after(cut_at)
            try:
                _use(pyocd.target)
            except exceptions.ProbeError as error:
                assert str(error) == f"USB Error: {NO_DEVICE}"  # noqa: PT017 - either is right
                assert not link.attached
                assert probes() == []
            else:
                finished = True
            pyocd.close()
        words = struct.unpack("<3000I", bytes(target.memory[RAM][:12_000]))
        assert set(words) <= before
        link.plug()
        with plugged(link), only_session(tmp_path) as pyocd:
            assert pyocd.target.read32(RAM) == words[0]
        cut_at += 1
    assert cut_at > 15


def test_a_cable_pulled_while_connecting(target: Target, tmp_path: Path) -> None:
    """PyOCD only logs it while it looks for cores or halts one: the next access tells."""
    link = StLink(target, serial=SERIAL)
    cut_at, opened, through = 0, 0, False
    while not through:
        assert cut_at < 100
        with plugged(link):
            pyocd = session(probes()[0], tmp_path)
            link.unplug_after(cut_at)
            try:
                pyocd.open()
                opened += 1
                pyocd.target.read_memory_block32(RAM, 1)
            except exceptions.Error as error:
                said = f"{error} {error.__cause__}"
                assert NO_DEVICE in said or "No cores were discovered" in said
                assert not link.attached
            else:
                assert link.attached
                through = True
            pyocd.close()
        link.plug()
        cut_at += 1
    assert cut_at > 40
    assert opened > 1


# Trace and clocks.


def test_trace_is_what_was_sent_after_it_was_started(target: Target, tmp_path: Path) -> None:
    with plugged(StLink(target, serial=SERIAL)), only_session(tmp_path) as pyocd:
        probe = pyocd.probe
        target.swo = b"before"
        probe.swo_start(2_000_000)
        assert probe.swo_read() == b""
        target.swo = b"hello"
        assert probe.swo_read() == b"hello"
        target.swo = bytes(5000)
        assert len(probe.swo_read()) == 4096, "the rest did not fit into the probe"
        probe.swo_stop()
        target.swo = b"after"
        assert probe.swo_read() == b""


def test_trace_faster_than_the_probe_can_is_refused(target: Target, tmp_path: Path) -> None:
    with (
        plugged(StLink(target, serial=SERIAL)),
        only_session(tmp_path) as pyocd,
        pytest.raises(exceptions.ProbeError, match="65"),
    ):
        pyocd.probe.swo_start(4_000_000)


def test_the_clock_is_the_fastest_that_is_not_faster(target: Target, tmp_path: Path) -> None:
    for kind, wanted, got in ((None, 1_000_000, 950_000), (V3, 4_000_000, 3_300_000)):
        link = StLink(target, serial=SERIAL, **({"kind": kind} if kind else {}))
        with plugged(link), only_session(tmp_path, frequency=wanted) as pyocd:
            assert link.swd_hz == got
            if kind is V3:
                stlink = pyocd.probe._link
                assert stlink.get_com_frequencies(stlink.Protocol.SWD)[1][0] == 24_000
            with pytest.raises(exceptions.ProbeError):
                pyocd.probe.set_clock(1)


# Commands that pyOCD never sends so.


def test_limits_of_memory_commands(pipes: Pipes, target: Target) -> None:
    refused: list[tuple[bytes, int]] = [
        (_memory_command(0x07, RAM + 2, 4), ALIGNMENT),
        (_memory_command(0x07, RAM, 6), ALIGNMENT),
        (_memory_command(0x47, RAM + 1, 2), ALIGNMENT),
        (_memory_command(0x07, RAM, 6148), COMMAND_ERROR),
        (_memory_command(0x0C, RAM, 65), COMMAND_ERROR),
        (_memory_command(0x07, RAM, 4, 1), BAD_AP),
    ]
    for command, status in refused:
        assert set(pipes.ask(command)) == {0}
        assert _status(pipes)[0] == status
    assert len(pipes.ask(_memory_command(0x07, RAM, 6144))) == 6144
    assert len(pipes.ask(_memory_command(0x0C, RAM, 64))) == 64
    assert len(pipes.ask(_memory_command(0x0C, RAM, 1))) == 2, "never less than two bytes"
    assert _status(pipes) == (OK, 0)


def test_a_refused_write_stores_nothing(pipes: Pipes, target: Target) -> None:
    for command, data in (
        (_memory_command(0x0D, RAM, 65), b"\x55" * 65),
        (_memory_command(0x08, RAM + 1, 4), b"\x55" * 4),
    ):
        pipes.send(command)
        pipes.send(data)
        assert _status(pipes)[0] in (COMMAND_ERROR, ALIGNMENT)
    assert not any(target.memory[RAM])
    pipes.send(_memory_command(0x0D, RAM, 2))
    pipes.send(b"\x55\x66")
    assert _status(pipes) == (OK, 0)
    assert target.memory[RAM][:3] == b"\x55\x66\x00"


@pytest.mark.parametrize(
    ("version", "command", "known"),
    [
        ("V2J24", 0x47, False),
        ("V2J26", 0x47, True),
        ("V2J35", 0x56, False),
        ("V2J36", 0x56, True),
        ("V2J45", 0x61, False),
        ("V3J5", 0x56, False),
        ("V3J6", 0x56, True),
        ("V3J6", 0x43, False),
        ("V3J6", 0x62, True),
    ],
)
def test_firmware_knows_the_commands_of_its_time(
    target: Target, version: str, command: int, known: bool
) -> None:
    with plugged(StLink(target, serial=SERIAL, firmware=Firmware.parse(version))):
        pipes = Pipes(SERIAL)
        assert (pipes.ask(0xF2, command)[0] != UNKNOWN) is known
        pipes.close()


def test_nothing_reaches_the_target_before_debug_mode(target: Target) -> None:
    with plugged(StLink(target, serial=SERIAL)):
        pipes = Pipes(SERIAL)
        assert pipes.ask(0xF5)[0] == 1, "mass storage, as after plugging in"
        assert pipes.ask(0xF2, 0x45, struct.pack("<HH", 0xFFFF, 0))[0] != OK
        pipes.ask(_memory_command(0x07, RAM, 4))
        assert _status(pipes)[0] != OK
        assert pipes.ask(0xF2, 0x30, 0xA3)[0] == OK
        assert pipes.ask(0xF5)[0] == 2
        assert pipes.ask(0xF2, 0x45, struct.pack("<HH", 0xFFFF, 0))[4:] == DPIDR.to_bytes(
            4, "little"
        )
        pipes.send(0xF2, 0x21)
        assert pipes.ask(0xF5)[0] == 1
        pipes.close()


def test_a_pulse_on_the_reset_line(pipes: Pipes, target: Target) -> None:
    assert pipes.ask(0xF2, 0x3C, 2)[0] == OK
    assert target.nrst == [True, False]
    assert pipes.ask(0xF2, 0x3C, 3)[0] == COMMAND_ERROR


def test_opening_an_ap_that_is_not_there(pipes: Pipes) -> None:
    assert pipes.ask(0xF2, 0x4B, 0)[0] == OK
    assert pipes.ask(0xF2, 0x4B, 3)[0] == BAD_AP


def test_an_answer_that_nobody_fetched_does_not_answer_the_next_command(pipes: Pipes) -> None:
    pipes.send(0xF1)
    assert pipes.ask(0xF5) == b"\x02\x00"


def test_unplugging_lets_the_reset_line_go(target: Target) -> None:
    link = StLink(target, serial=SERIAL)
    with plugged(link):
        pipes = Pipes(SERIAL)
        pipes.ask(0xF2, 0x3C, 0)
        link.unplug()
        assert target.nrst == [True, False]
        pipes.close()
