"""pyocd's own code on a virtual board, through each kind of probe: all the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from .conftest import session

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from fwgen.image.types import Image
    from fwgen.virtual.board import VirtualBoard

PROBES = ("plain", "stlink", "cmsis-dap")
RAM = 0x2000_0000
EACH = pytest.mark.parametrize("probe", PROBES)


def names(image: Image) -> dict[str, int]:
    return {s.name: s.address for s in image.symbols}


@EACH
def test_it_is_listed_while_it_is_plugged(make: Callable[..., VirtualBoard], probe: str) -> None:
    from pyocd.probe.aggregator import DebugProbeAggregator

    first, second = make(), make()

    def listed() -> set[str]:
        return {p.unique_id for p in DebugProbeAggregator.get_all_connected_probes()}

    with first.plugged(probe):
        assert first.uid in listed()
        with second.plugged(probe):
            assert {first.uid, second.uid} <= listed()
            found = DebugProbeAggregator.get_all_connected_probes(second.uid)
            assert [p.unique_id for p in found] == [second.uid]
        assert second.uid not in listed()
    assert first.uid not in listed()


@EACH
def test_pyocd_discovers_a_cortex_m4(
    make: Callable[..., VirtualBoard], tmp_path: Path, probe: str
) -> None:
    with session(make(), tmp_path, probe) as pyocd:
        target = pyocd.target
        core = target.cores[0]
        assert target.dp.dpidr.idr == 0x2BA0_1477
        assert target.aps[0].idr == 0x2477_0011
        assert core.has_fpu
        assert core.architecture.name == "ARMv7M"
        assert core.fpb.nb_code == 6
        assert core.dwt.watchpoint_count == 4
        table = target.first_ap.rom_table
        assert [c.address for c in table.components] == [
            0xE000_E000, 0xE000_1000, 0xE000_2000, 0xE000_0000, 0xE004_0000, 0xE004_1000,
        ]  # fmt: skip
        assert [c.name for c in table.components] == [
            "SCS", "DWT", "FPB", "ITM", "TPIU", "ETM",
        ]  # fmt: skip


@EACH
@pytest.mark.parametrize("mode", ["halt", "attach", "pre-reset", "under-reset"])
def test_every_way_to_connect(
    make: Callable[..., VirtualBoard], counts: Image, tmp_path: Path, probe: str, mode: str
) -> None:
    board = make(counts)
    board.sleep(10**9)
    with session(board, tmp_path, probe, connect_mode=mode) as pyocd:
        core = pyocd.target.cores[0]
        halted = core.get_state() is core.State.HALTED
        assert halted == (mode != "attach")
        if mode == "under-reset":
            assert core.read_core_register("pc") == counts.entry & ~1


@EACH
def test_memory_of_every_width_and_at_every_place(
    make: Callable[..., VirtualBoard], tmp_path: Path, probe: str
) -> None:
    data = bytes((7 * n + 3) & 0xFF for n in range(9001))
    with session(make(), tmp_path, probe) as pyocd:
        target = pyocd.target
        target.write_memory_block8(RAM + 1, data)
        assert bytes(target.read_memory_block8(RAM + 1, len(data))) == data
        target.write8(RAM + 3, 0x5A)
        target.write16(RAM + 0x12, 0xBEEF)
        target.write32(RAM + 0x20, 0xDEAD_BEEF)
        assert (target.read8(RAM + 3), target.read16(RAM + 0x12)) == (0x5A, 0xBEEF)
        assert target.read8(RAM + 0x22) == 0xAD
        assert target.read_memory_block32(RAM + 0x20, 1) == [0xDEAD_BEEF]


@EACH
def test_what_is_not_there_is_a_transfer_fault_and_no_more(
    make: Callable[..., VirtualBoard], tmp_path: Path, probe: str
) -> None:
    from pyocd.core.exceptions import TransferFaultError

    with session(make(), tmp_path, probe) as pyocd:
        for touch in (
            lambda: pyocd.target.read32(0x3000_0000),
            lambda: pyocd.target.write32(0x3000_0000, 1),
            lambda: pyocd.target.read_memory_block32(0x2001_7FF0, 16),
            lambda: pyocd.target.write_memory_block32(0x2001_7FF0, [1] * 16),
        ):
            with pytest.raises(TransferFaultError):
                _done(pyocd, touch)
        assert pyocd.target.read32(0xE004_2000) == 0x1000_6433


def _done(pyocd: Any, touch: Callable[[], object]) -> None:
    """A CMSIS-DAP may write later."""
    touch()
    pyocd.target.flush()


@EACH
def test_registers_breakpoints_steps_and_reset(
    make: Callable[..., VirtualBoard], counts: Image, tmp_path: Path, probe: str
) -> None:
    work = names(counts)["work"]
    with session(make(counts), tmp_path, probe) as pyocd:
        core = pyocd.target.cores[0]
        core.reset_and_halt()
        assert core.read_core_register("pc") == counts.entry & ~1
        core.set_breakpoint(work)
        for count in (1, 2, 3):
            core.resume()
            while core.get_state() is core.State.RUNNING:
                pass
            assert core.get_halt_reason() is core.HaltReason.BREAKPOINT
            assert (core.read_core_register("pc"), core.read_core_register("r5")) == (work, count)
            core.remove_breakpoint(work)
            core.step()
            assert core.read_core_register("pc") == work + 2
            core.set_breakpoint(work)
        core.write_core_register("s7", 0x4048_F5C3)
        assert core.read_core_register("s7") == pytest.approx(3.14)
        core.set_watchpoint(0x2000_0100, 4, core.WatchpointType.WRITE)
        core.remove_breakpoint(work)
        core.resume()
        while core.get_state() is core.State.RUNNING:
            pass
        assert core.get_halt_reason() is core.HaltReason.WATCHPOINT
        assert core.read32(0x2000_0100) == 3


@EACH
def test_the_same_calls_give_the_same_outcome(
    make: Callable[..., VirtualBoard], counts: Image, tmp_path: Path, probe: str
) -> None:
    def seen() -> tuple[int, ...]:
        board = make(counts)
        with session(board, tmp_path, probe, connect_mode="attach") as pyocd:
            samples = [pyocd.target.read32(0x2000_0100) for _ in range(20)]
            pyocd.target.halt()
            return (*samples, pyocd.target.read_core_register("r5"), board.now_ps)

    assert seen() == seen()
