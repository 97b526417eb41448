"""Halting debug, register by register, as the Arm ARM's chapter C1 has it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fwgen.board import load_board
from fwgen.machine.machine import Machine
from fwgen.trace import Gap, Hazard, Reset, Wake
from fwgen.units import PS_PER_MS, PS_PER_US
from tests.machine.core.firmware import FLASH, TABLE, assemble, firmware

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fwgen.image.types import Image

DHCSR, DCRSR, DCRDR, DEMCR = 0xE000_EDF0, 0xE000_EDF4, 0xE000_EDF8, 0xE000_EDFC
DFSR, AIRCR = 0xE000_ED30, 0xE000_ED0C
FP_CTRL, FP_COMP = 0xE000_2000, 0xE000_2008
DWT_PCSR, DWT_COMP, DWT_MASK, DWT_FUNCTION = 0xE000_101C, 0xE000_1020, 0xE000_1024, 0xE000_1028
CYCCNT, SYST_CVR = 0xE000_1004, 0xE000_E018
KEY, DEBUGEN, HALT, STEP, MASKINTS = 0xA05F_0000, 1, 2, 4, 8
S_HALT, S_SLEEP, S_LOCKUP, S_RETIRE, S_RESET = 1 << 17, 1 << 18, 1 << 19, 1 << 24, 1 << 25
HALTED, BKPT, DWTTRAP, VCATCH = 1, 2, 4, 8
TRCENA, VC_CORERESET, VC_HARDERR, VC_STATERR = 1 << 24, 1, 1 << 10, 1 << 7
PC, XPSR, MSP, PSP, SPECIAL = 15, 16, 17, 18, 20
RAM = 0x2000_0000
CODE = FLASH + TABLE


class Debugged:
    """A machine with a debugger at its bus."""

    def __init__(self, image: Image | None = None) -> None:
        self.machine = Machine(load_board("nucleo-f401"), patience_s=None)
        self.machine.load(image)
        self.bus = self.machine.core.debugger

    def pass_time(self, ps: int = 10 * PS_PER_US) -> None:
        core = self.machine.core
        self.machine.advance(max(core.now_ps, core.until_ps) + ps)

    def read(self, address: int, size: int = 4) -> int:
        value = self.bus.read(address, size)
        assert value is not None
        return value

    def write(self, address: int, value: int) -> None:
        assert self.bus.write(address, 4, value)

    def control(self, bits: int) -> None:
        self.write(DHCSR, KEY | bits)

    def register(self, selector: int) -> int:
        self.write(DCRSR, selector)
        return self.read(DCRDR)

    def set(self, selector: int, value: int) -> None:
        self.write(DCRDR, value)
        self.write(DCRSR, 1 << 16 | selector)

    def program(self, text: str, at: int = RAM) -> dict[str, int]:
        """Put code into RAM and stand at its start."""
        code, labels = assemble(text, at)
        assert self.bus.write_block(at, code)
        self.set(PC, at)
        self.set(XPSR, 1 << 24)
        self.set(13, 0x2000_8000)
        return labels

    def step(self, bits: int = 0) -> int:
        self.control(DEBUGEN | STEP | bits)
        self.pass_time()
        return self.register(PC)

    def run(self, ps: int = PS_PER_MS) -> None:
        self.control(DEBUGEN)
        self.pass_time(ps)

    @property
    def halted(self) -> bool:
        return bool(self.read(DHCSR) & S_HALT)

    def breakpoint(self, n: int, address: int) -> None:
        half = 2 if address & 2 else 1
        self.write(FP_CTRL, 3)
        self.write(FP_COMP + 4 * n, address & 0x1FFF_FFFC | half << 30 | 1)

    def watch(self, n: int, address: int, function: int, mask: int = 0) -> None:
        self.write(DEMCR, TRCENA)
        self.write(DWT_COMP + 16 * n, address)
        self.write(DWT_MASK + 16 * n, mask)
        self.write(DWT_FUNCTION + 16 * n, function)


@pytest.fixture
def blank() -> Iterator[Debugged]:
    """A chip from the factory, halted."""
    made = Debugged()
    made.pass_time()
    made.control(DEBUGEN | HALT)
    yield made
    made.machine.close()


def debugged(text: str, vectors: dict[int, str] | None = None) -> Debugged:
    return Debugged(firmware(text, vectors))


LOOP = "start: movs r0, #0\nagain: adds r0, #1\nb again\n"


def test_a_blank_chip_locks_up_and_can_be_halted_out_of_it() -> None:
    lab = Debugged()
    lab.pass_time()
    assert lab.read(DHCSR) & S_LOCKUP
    lab.control(DEBUGEN | HALT)
    assert lab.read(DHCSR) & (S_LOCKUP | S_HALT) == S_HALT
    assert lab.register(PC) == 0xEFFF_FFFE


def test_without_the_key_nothing_halts() -> None:
    lab = debugged(LOOP)
    lab.write(DHCSR, DEBUGEN | HALT)
    assert not lab.halted


def test_halt_and_run_stop_and_resume_the_count() -> None:
    lab = debugged(LOOP)
    lab.pass_time(PS_PER_MS)
    lab.control(DEBUGEN | HALT)
    first = lab.register(0)
    lab.pass_time(PS_PER_MS)
    assert lab.register(0) == first > 1000
    assert lab.read(DFSR) == HALTED
    lab.run()
    lab.control(DEBUGEN | HALT)
    assert lab.register(0) == pytest.approx(2 * first, rel=0.01)


def test_clearing_debugen_lets_a_halted_core_go() -> None:
    lab = debugged(LOOP)
    lab.control(DEBUGEN | HALT)
    lab.control(0)
    assert lab.read(DHCSR) & (S_HALT | DEBUGEN | HALT) == 0


def test_reset_and_retire_are_sticky_until_read() -> None:
    lab = debugged(LOOP)
    assert lab.read(DHCSR) & S_RESET
    assert not lab.read(DHCSR) & S_RESET
    lab.pass_time()
    assert lab.read(DHCSR) & S_RETIRE
    assert not lab.read(DHCSR) & S_RETIRE
    lab.control(DEBUGEN | HALT)
    lab.write(AIRCR, 0x05FA_0004)
    lab.pass_time()
    assert lab.read(DHCSR) & S_RESET


def test_every_register_can_be_set_and_read_back(blank: Debugged) -> None:
    for n in (*range(13), 14, 33, *range(64, 96)):
        blank.set(n, 0x1000_0000 + n)
    for n in (*range(13), 14, 33, *range(64, 96)):
        assert blank.register(n) == (0x1000_0021 & 0xF7C0_009F if n == 33 else 0x1000_0000 + n)
    blank.set(XPSR, 0xA100_0000)
    assert blank.register(XPSR) == 0xA100_0000
    blank.set(PC, RAM + 0x40)
    assert blank.register(PC) == RAM + 0x40


def test_the_two_stacks_and_control(blank: Debugged) -> None:
    blank.set(XPSR, 1 << 24)
    blank.set(MSP, 0x2000_1000)
    blank.set(PSP, 0x2000_2000)
    assert blank.register(13) == 0x2000_1000
    blank.set(SPECIAL, 0x0200_0001)  # SPSEL, PRIMASK
    assert blank.register(13) == 0x2000_2000
    assert blank.register(SPECIAL) == 0x0200_0001
    blank.set(SPECIAL, 0x0301_4000)  # unprivileged, FAULTMASK, BASEPRI
    assert blank.register(SPECIAL) == 0x0301_4000
    assert (blank.register(MSP), blank.register(PSP)) == (0x2000_1000, 0x2000_2000)
    blank.set(SPECIAL, 0)  # and back, though Thread mode had no privilege
    assert blank.register(SPECIAL) == 0
    assert blank.register(13) == 0x2000_1000


def test_steps_go_one_instruction_at_a_time_also_within_an_it_block(blank: Debugged) -> None:
    blank.program("cmp r0, #0\nite eq\nmoveq r1, #1\nmovne r1, #2\nbl there\nnop\nthere: nop\n")
    blank.set(0, 5)
    blank.set(1, 0)
    seen = [(blank.step(), blank.register(1)) for _ in range(6)]
    assert seen == [
        (RAM + 2, 0), (RAM + 4, 0), (RAM + 6, 0), (RAM + 8, 2), (RAM + 14, 2), (RAM + 16, 2),
    ]  # fmt: skip
    assert blank.register(14) == RAM + 12 + 1
    assert blank.read(DFSR) == HALTED


def test_a_loop_that_ran_hot_can_still_be_stepped(blank: Debugged) -> None:
    labels = blank.program(LOOP)
    blank.run()
    blank.control(DEBUGEN | HALT)
    count, again = blank.register(0), labels["again"]
    places = [blank.step() for _ in range(4)]
    assert set(places) == {again, again + 2}
    assert blank.register(0) == count + 2


def test_a_step_takes_the_time_of_its_instruction() -> None:
    lab = debugged(
        "start: movs r0, #100\nmovs r1, #7\nudiv r0, r0, r1\nnop\nforever2: b forever2\n"
    )
    lab.write(DEMCR, TRCENA)
    lab.write(0xE000_1000, 1)
    lab.control(DEBUGEN | HALT)
    lab.write(CYCCNT, 0)
    counted = []
    for _ in range(3):
        lab.step()
        counted.append(lab.read(CYCCNT))
    assert counted[0] >= 1
    assert counted[2] - counted[1] >= 1
    lab.pass_time(PS_PER_MS)
    assert lab.read(CYCCNT) == counted[2]  # it stands still in debug state


def test_a_step_enters_the_handler_of_what_is_pending_unless_masked() -> None:
    lab = debugged("start: nop\nnop\nnop\nb start\ntick: nop\nbx lr\n", {14: "tick"})
    tick = next(s.address for s in lab.machine.core.image.symbols if s.name == "tick")
    lab.control(DEBUGEN | HALT)
    lab.write(0xE000_ED04, 1 << 28)  # PENDSVSET
    before = lab.register(PC)
    lab.control(DEBUGEN | HALT | MASKINTS)
    assert lab.step(MASKINTS) == before + 2
    lab.control(DEBUGEN | HALT)
    assert lab.step() == tick
    assert lab.register(XPSR) & 0x1FF == 14


def test_maskints_holds_for_a_run_too() -> None:
    lab = debugged("start: nop\nb start\ntick: movs r7, #1\nbx lr\n", {14: "tick"})
    lab.control(DEBUGEN | HALT)
    lab.set(7, 0)
    lab.write(0xE000_ED04, 1 << 28)
    lab.control(DEBUGEN | HALT | MASKINTS)
    lab.control(DEBUGEN | MASKINTS)
    lab.pass_time()
    lab.control(DEBUGEN | HALT | MASKINTS)
    assert lab.register(7) == 0
    lab.control(DEBUGEN | HALT)
    lab.control(DEBUGEN)
    lab.pass_time()
    lab.control(DEBUGEN | HALT)
    assert lab.register(7) == 1


def test_bkpt_halts_a_debugged_core_and_faults_another() -> None:
    text = "start: nop\nbkpt #0xab\nnop\nb start\nhard: b hard\n"
    lab = debugged(text, {3: "hard"})
    lab.control(DEBUGEN)
    lab.pass_time()
    assert lab.halted
    assert (
        lab.register(PC)
        == next(s.address for s in lab.machine.core.image.symbols if s.name == "start") + 2
    )
    assert lab.read(DFSR) == BKPT
    lab.set(PC, lab.register(PC) + 2)  # as semihosting goes on
    lab.run(PS_PER_US)
    assert lab.halted
    alone = debugged(text, {3: "hard"})
    alone.pass_time()
    assert not alone.halted
    assert alone.machine.core.exception == 3


def test_breakpoints_halt_before_the_instruction_in_either_halfword() -> None:
    lab = debugged(LOOP)
    start = lab.machine.core.image.symbols[1].address
    for address in (start + 2, start + 4):
        lab.control(DEBUGEN | HALT)
        lab.breakpoint(0, address)
        lab.run()
        assert lab.halted
        assert lab.register(PC) == address
        assert lab.read(DFSR) & BKPT
        count = lab.register(0)
        lab.run()
        assert (lab.register(PC), lab.register(0)) == (address, count)  # it matches again
    lab.write(FP_CTRL, 2)
    lab.run()
    assert not lab.halted


def test_a_breakpoint_in_a_loop_that_is_skipped_still_halts() -> None:
    lab = debugged("start: ldr r1, =100000\nwait: subs r1, #1\nbne wait\ndone: b start\n")
    places = {s.name: s.address for s in lab.machine.core.image.symbols}
    lab.control(DEBUGEN)
    lab.pass_time(PS_PER_MS)
    lab.breakpoint(5, places["wait"] + 2)
    lab.pass_time(PS_PER_US)
    assert lab.halted
    assert lab.register(PC) == places["wait"] + 2


def test_without_debugen_a_comparator_does_nothing() -> None:
    lab = debugged(LOOP)
    lab.breakpoint(0, lab.machine.core.image.symbols[1].address + 2)
    lab.pass_time()
    assert not lab.halted


@pytest.mark.parametrize(
    ("function", "mask", "at"),
    [(6, 0, "stored"), (7, 2, "loaded"), (5, 0, "loaded")],
)
def test_watchpoints_halt_after_the_access(
    blank: Debugged, function: int, mask: int, at: str
) -> None:
    labels = blank.program(
        "ldr r2, =0x20001000\nagain: ldr r3, [r2, #0]\nloaded: adds r3, #1\n"
        "str r3, [r2, #0]\nstored: b again\n"
    )
    blank.write(0x2000_1000, 41)
    blank.watch(1, 0x2000_1000, function, mask)
    blank.run()
    assert blank.halted
    assert blank.register(PC) == labels[at]
    assert blank.read(DFSR) & DWTTRAP
    assert blank.read(0x2000_1000) == (42 if at == "stored" else 41)
    blank.watch(1, 0, 0)
    blank.run()
    assert not blank.halted


def test_a_watchpoint_sees_peripherals() -> None:
    lab = debugged(
        "start: ldr r2, =0x40023830\nmovs r1, #1\nnop\nstr r1, [r2, #0]\nafter: nop\nnop\nb after\n"
    )
    after = {s.name: s.address for s in lab.machine.core.image.symbols}["after"]
    lab.control(DEBUGEN | HALT)
    lab.watch(0, 0x4002_3830, 6)
    lab.run()
    assert lab.halted
    assert lab.register(PC) == after
    assert lab.read(0x4002_3830) == 1


def test_a_watchpoint_sees_flash_being_read() -> None:
    lab = debugged("start: ldr r2, =0x08000000\nldr r3, [r2, #4]\nafter: b after\n")
    after = {s.name: s.address for s in lab.machine.core.image.symbols}["after"]
    lab.control(DEBUGEN | HALT)
    lab.watch(3, 0x0800_0004, 5)
    lab.run()
    assert lab.halted
    assert (lab.register(PC), lab.register(3)) == (after, lab.machine.core.image.entry)


def test_a_comparator_can_match_the_pc_in_ram_where_the_fpb_cannot(blank: Debugged) -> None:
    labels = blank.program("nop\nnop\nhere: nop\nb here\n")
    blank.watch(2, labels["here"], 4)
    blank.run()
    assert blank.halted
    assert blank.register(PC) == labels["here"]
    assert blank.read(DFSR) & DWTTRAP


def test_core_reset_is_caught_before_the_first_instruction() -> None:
    lab = debugged(LOOP)
    lab.control(DEBUGEN)
    lab.write(DEMCR, VC_CORERESET)
    lab.write(AIRCR, 0x05FA_0004)
    lab.pass_time()
    assert lab.halted
    assert lab.register(PC) == lab.machine.core.image.entry & ~1
    assert lab.register(13) == 0x2001_8000
    assert lab.read(DFSR) & VCATCH
    assert isinstance(lab.machine.soc.recorder.events[-1], Reset)


def test_a_system_reset_ends_the_halt_and_keeps_what_the_debugger_set_up() -> None:
    lab = debugged(LOOP)
    lab.control(DEBUGEN | HALT)
    lab.write(DEMCR, TRCENA)
    lab.breakpoint(3, 0x0800_0000)
    lab.write(AIRCR, 0x05FA_0004)
    lab.pass_time()
    status = lab.read(DHCSR)
    assert status & (DEBUGEN | HALT | S_HALT) == DEBUGEN
    assert lab.read(DEMCR) == TRCENA
    assert lab.read(FP_CTRL) & 1
    lab.machine.power_cycle()
    assert lab.read(DEMCR) == 0
    assert not lab.read(FP_CTRL) & 1
    assert not lab.read(DHCSR) & DEBUGEN


def test_vectreset_resets_the_core_and_leaves_the_peripherals() -> None:
    lab = debugged(LOOP)
    lab.control(DEBUGEN | HALT)
    lab.write(0x4002_3830, 1)
    lab.write(AIRCR, 0x05FA_0001)
    lab.pass_time()
    assert lab.read(DHCSR) & S_RESET
    assert lab.read(0x4002_3830) == 1


def test_faults_are_caught_at_their_vector() -> None:
    text = "start: nop\n.word 0xde00de00\nb start\nhard: b hard\n"
    lab = debugged(text, {3: "hard"})
    hard = {s.name: s.address for s in lab.machine.core.image.symbols}["hard"]
    for catch in (VC_HARDERR, VC_STATERR):
        lab.write(DEMCR, catch | VC_CORERESET)
        lab.control(DEBUGEN)
        lab.write(AIRCR, 0x05FA_0004)
        lab.pass_time()
        lab.write(DFSR, 0x1F)
        lab.run()
        assert lab.halted
        assert lab.register(PC) == hard
        assert lab.read(DFSR) == VCATCH


def test_a_sleeping_core_is_halted_where_it_slept_and_told_of() -> None:
    lab = debugged("start: wfi\nafter: b start\n")
    lab.pass_time()
    assert lab.read(DHCSR) & S_SLEEP
    lab.control(DEBUGEN | HALT)
    assert lab.read(DHCSR) & (S_SLEEP | S_HALT) == S_HALT
    assert lab.register(PC) == {s.name: s.address for s in lab.machine.core.image.symbols}["after"]
    assert lab.machine.soc.recorder.events[-1] == Wake(lab.machine.core.now_ps, "debug")


def test_systick_stands_still_while_halted() -> None:
    lab = debugged(
        "start: ldr r0, =0xe000e010\nldr r1, =999999\nstr r1, [r0, #4]\nmovs r1, #5\n"
        "str r1, [r0, #8]\nstr r1, [r0, #0]\nhere: b here\n"
    )
    lab.pass_time(PS_PER_MS)
    lab.control(DEBUGEN | HALT)
    count = lab.read(SYST_CVR)
    lab.pass_time(PS_PER_MS)
    assert lab.read(SYST_CVR) == count
    lab.run(PS_PER_MS)
    assert lab.read(SYST_CVR) == pytest.approx(count - 16_000, abs=50)


def test_power_off_and_on_ends_a_halt_for_systick_and_the_cycle_counter() -> None:
    lab = debugged(
        "start: ldr r0, =0xe000e010\nldr r1, =999999\nstr r1, [r0, #4]\nmovs r1, #5\n"
        "str r1, [r0, #8]\nstr r1, [r0, #0]\nldr r0, =0xe000edfc\nmov.w r1, #0x1000000\n"
        "str r1, [r0]\nldr r0, =0xe0001000\nmovs r1, #1\nstr r1, [r0]\nhere: b here\n"
    )
    lab.control(DEBUGEN | HALT)
    lab.pass_time(PS_PER_MS)
    lab.machine.core.power_cycle()
    lab.pass_time(PS_PER_MS)
    assert lab.read(CYCCNT) == pytest.approx(16_000, abs=200)
    assert lab.read(SYST_CVR) == pytest.approx(1_000_000 - 16_000, abs=200)


def test_the_watchdog_stands_still_while_halted_if_dbgmcu_says_so() -> None:
    text = (
        "start: ldr r0, =0x40003000\nldr r1, =0xcccc\nstr r1, [r0, #0]\nldr r1, =0x5555\n"
        "str r1, [r0, #0]\nmovs r1, #63\nstr r1, [r0, #8]\nldr r1, =0xaaaa\nhere: b here\n"
    )
    ends = {}
    for freeze in (0, 1 << 12):
        lab = debugged(text)
        lab.pass_time(PS_PER_MS)
        lab.write(0xE004_2008, freeze)
        lab.control(DEBUGEN | HALT)
        lab.pass_time(2000 * PS_PER_MS)
        ends[freeze] = any(isinstance(e, Reset) for e in lab.machine.soc.recorder.events)
    assert ends == {0: True, 1 << 12: False}


def test_a_timer_stands_still_while_halted_if_dbgmcu_says_so() -> None:
    text = (
        "start: ldr r0, =0x40023840\nmovs r1, #1\nstr r1, [r0, #0]\nldr r0, =0x40000000\n"
        "nop\nnop\nstr r1, [r0, #0]\nhere: b here\n"
    )
    for freeze in (0, 1):
        lab = debugged(text)
        lab.pass_time(PS_PER_MS)
        lab.write(0xE004_2008, freeze)
        lab.control(DEBUGEN | HALT)
        before = lab.read(0x4000_0024)
        lab.pass_time(PS_PER_MS)
        passed = lab.read(0x4000_0024) - before
        assert passed == (0 if freeze else pytest.approx(16_000, abs=2))
        lab.control(DEBUGEN)
        lab.pass_time(PS_PER_MS)
        gone = lab.read(0x4000_0024) - before - passed
        assert gone == pytest.approx(16_000, abs=20)


def test_the_reset_line_holds_the_chip_and_leaves_debug_reachable() -> None:
    lab = debugged(LOOP)
    core = lab.machine.core
    core.reset_line(asserted=True)
    assert lab.bus.read(RAM, 4) is None
    lab.control(DEBUGEN)
    lab.write(DEMCR, VC_CORERESET)
    lab.pass_time(PS_PER_MS)
    core.reset_line(asserted=False)
    assert lab.halted
    assert lab.register(PC) == core.image.entry & ~1
    assert lab.read(0x4002_3874) >> 26 & 1  # RCC_CSR.PINRSTF


def test_pc_samples_while_it_runs_and_none_while_halted() -> None:
    lab = debugged(LOOP)
    start = {s.name: s.address for s in lab.machine.core.image.symbols}["start"]
    assert lab.read(DWT_PCSR) == 0xFFFF_FFFF  # TRCENA is off
    lab.write(DEMCR, TRCENA)
    for _ in range(5):
        lab.pass_time(77777)
        assert start <= lab.read(DWT_PCSR) <= start + 4
    lab.control(DEBUGEN | HALT)
    assert lab.read(DWT_PCSR) == 0xFFFF_FFFF


def test_the_bus_refuses_what_is_not_there_and_tells_the_firmware_nothing() -> None:
    lab = debugged(LOOP)
    lab.pass_time()
    assert lab.bus.read(0x3000_0000, 4) is None
    assert not lab.bus.write(0x3000_0000, 4, 1)
    assert not lab.bus.write(0x1FFF_0000, 4, 1)  # system memory
    lab.read(0x4001_2000)  # ADC, its clock off and not modelled
    lab.write(0x4002_0000, 0xFFFF_FFFF)  # GPIOA, its clock off
    lab.read(0xE00F_F000)
    events = lab.machine.soc.recorder.events
    assert not [e for e in events if isinstance(e, Hazard | Gap)]


def test_reads_have_the_effects_that_silicon_has() -> None:
    lab = debugged(
        "start: ldr r0, =0xe000e010\nmovs r1, #99\nstr r1, [r0, #4]\nmovs r1, #5\n"
        "str r1, [r0, #8]\nstr r1, [r0, #0]\nhere: b here\n"
    )
    lab.pass_time(PS_PER_MS)
    assert lab.read(0xE000_E010) >> 16 & 1  # COUNTFLAG
    lab.control(DEBUGEN | HALT)
    lab.read(0xE000_E010)
    assert not lab.read(0xE000_E010) >> 16 & 1  # and reading clears it


def test_code_that_the_debugger_wrote_over_is_run_anew(blank: Debugged) -> None:
    blank.program("movs r0, #1\nhere: b here\n")
    blank.run()
    blank.control(DEBUGEN | HALT)
    assert blank.register(0) == 1
    blank.program("movs r0, #2\nhere: b here\n")
    blank.run()
    blank.control(DEBUGEN | HALT)
    assert blank.register(0) == 2


def test_the_debugger_programs_the_flash_through_its_controller(blank: Debugged) -> None:
    for address, value in ((0x4002_3C04, 0x4567_0123), (0x4002_3C04, 0xCDEF_89AB)):
        blank.write(address, value)
    blank.write(0x4002_3C10, 0x201)  # PG, x32
    blank.write(FLASH + 0x1000, 0x1234_5678)
    blank.pass_time(100 * PS_PER_US)
    assert blank.read(FLASH + 0x1000) == 0x1234_5678
    blank.write(0x4002_3C10, 0x8000_0000)
    blank.write(FLASH + 0x1004, 0)
    assert blank.read(FLASH + 0x1004) == 0xFFFF_FFFF


def test_firmware_sees_whether_a_debugger_is_there_and_cannot_pretend() -> None:
    lab = debugged(
        "start: ldr r0, =0xe000edf0\nldr r1, =0xa05f0003\nstr r1, [r0, #0]\nldr r2, [r0, #0]\n"
        "here: b here\n"
    )
    lab.pass_time()
    assert lab.machine.core.debug.register(2) & 3 == 0
    lab.control(DEBUGEN)
    lab.write(DEMCR, 0)
    lab.write(AIRCR, 0x05FA_0004)
    lab.pass_time()
    assert lab.halted  # with a debugger there, firmware may halt itself
