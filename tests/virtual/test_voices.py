"""How firmware talks to a debugger: SWV, RTT, semihosting, each through pyocd's own code."""

from __future__ import annotations

import io
import time
from typing import TYPE_CHECKING, Any

import pytest

from fwgen.rig.targets import register
from tests.machine.core.firmware import firmware

from .conftest import session

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from fwgen.virtual.board import VirtualBoard

DBGMCU_CR, TRACE_IOEN = 0xE004_2004, 1 << 5
RTT = 0x2000_0200
PATIENCE_S = 20

SAYS_BY_ITM = """
start: ldr r0, =0xe0000000
    ldr r1, =text
next: ldrb r2, [r1, #0]
    cmp r2, #0
    beq start
full: ldr r3, [r0, #0]
    cmp r3, #0
    beq full
    strb r2, [r0, #0]
    adds r1, #1
    b next
text: .word 0x21206948
    .word 0x0000000a
"""

# The control block: its name, one channel each way, their descriptors.
TALKS_BY_RTT = """
start: ldr r0, =block
    ldr r1, =0x20000200
    movs r2, #18
copy: ldr r3, [r0, #0]
    str r3, [r1, #0]
    adds r0, #4
    adds r1, #4
    subs r2, #1
    bne copy
    ldr r4, =0x20000200
    ldr r5, =0x20000300
    movs r2, #72
    strb r2, [r5, #0]
    movs r2, #105
    strb r2, [r5, #1]
    movs r2, #2
    str r2, [r4, #36]
poll: ldr r2, [r4, #60]
    ldr r3, [r4, #64]
    cmp r2, r3
    beq poll
    ldr r6, =0x20000380
    ldrb r7, [r6, r3]
    adds r3, #1
    movs r0, #15
    ands r3, r0
    str r3, [r4, #64]
    ldr r2, [r4, #36]
    strb r7, [r5, r2]
    adds r2, #1
    movs r0, #63
    ands r2, r0
    str r2, [r4, #36]
    b poll
block: .word 0x47474553
    .word 0x52205245
    .word 0x00005454
    .word 0
    .word 1
    .word 1
    .word 0
    .word 0x20000300
    .word 64
    .word 0
    .word 0
    .word 0
    .word 0
    .word 0x20000380
    .word 16
    .word 0
    .word 0
    .word 0
"""

CALLS_THE_HOST = """
start: movs r0, #4
    ldr r1, =text
    bkpt #0xab
    movs r0, #3
    ldr r1, =letter
    bkpt #0xab
    bkpt #1
text: .word 0x6c6c6568
    .word 0x0000006f
letter: .word 0x21
"""


@pytest.mark.parametrize("probe", ["plain", "stlink", "cmsis-dap"])
def test_what_firmware_prints_by_itm_comes_out_of_swo(
    make: Callable[..., VirtualBoard], tmp_path: Path, probe: str
) -> None:
    from pyocd.trace.swv import SWVReader

    said = io.StringIO()
    with session(make(firmware(SAYS_BY_ITM)), tmp_path, probe) as pyocd:
        pyocd.target.write32(DBGMCU_CR, TRACE_IOEN)
        reader = SWVReader(pyocd)
        assert reader.init(16_000_000, 1_000_000, said)
        pyocd.target.resume()
        until = time.monotonic() + PATIENCE_S
        while said.getvalue().count("\n") < 3 and time.monotonic() < until:
            pyocd.target.get_state()  # lets the board's time pass
        reader.stop()
    # pyocd listens from some moment on until some other: whole lines are between.
    lines = said.getvalue().split("\n")[1:-1]
    assert lines == ["Hi !"] * len(lines)
    assert len(lines) >= 2


def test_a_target_of_ours_gives_the_pin_to_swo_when_trace_is_asked_for(
    make: Callable[..., VirtualBoard], tmp_path: Path
) -> None:
    board = make(firmware(SAYS_BY_ITM))
    name = register(board.board)
    for wanted in (False, True):
        with session(board, tmp_path, target=name, enable_swv=wanted) as pyocd:
            assert bool(pyocd.target.read32(DBGMCU_CR) & TRACE_IOEN) == wanted


def test_swo_at_another_rate_is_not_understood(make: Callable[..., VirtualBoard]) -> None:
    board = make(firmware(SAYS_BY_ITM))
    bus = board.machine.core.debugger
    for address, value in (
        (0xE000_EDFC, 1 << 24), (DBGMCU_CR, TRACE_IOEN), (0xE000_0FB0, 0xC5AC_CE55),
        (0xE000_0E80, 1), (0xE000_0E00, 1), (0xE004_00F0, 2), (0xE004_0304, 0),
        (0xE004_0010, 15),
    ):  # fmt: skip
        bus.write(address, 4, value)
    for baud, understood in ((1_000_000, True), (2_000_000, False)):
        board.trace_start(baud)
        board.sleep(10**9)
        assert bool(board.trace_read()) == understood


def test_a_port_that_is_off_says_nothing(make: Callable[..., VirtualBoard]) -> None:
    board = make(firmware(SAYS_BY_ITM.replace("full: ldr r3, [r0, #0]", "full: movs r3, #1")))
    board.trace_start(1_000_000)
    board.sleep(10**9)
    assert board.trace_read() == b""


@pytest.mark.parametrize("probe", ["plain", "stlink"])
def test_rtt_goes_both_ways(make: Callable[..., VirtualBoard], tmp_path: Path, probe: str) -> None:
    from pyocd.debug.rtt import RTTControlBlock

    board = make(firmware(TALKS_BY_RTT))
    board.sleep(10**9)
    with session(board, tmp_path, probe, connect_mode="attach") as pyocd:
        block = RTTControlBlock.from_target(pyocd.target, address=0x2000_0000, size=0x1000)
        block.start()
        assert block.up_channels[0].read() == b"Hi"
        echoed = b""
        for word in (b"abcdefgh", b"ijklmnop", b"qrstuvwx"):
            assert block.down_channels[0].write(word) == len(word)
            for _ in range(50):
                echoed += block.up_channels[0].read()
        assert echoed == b"abcdefghijklmnopqrstuvwx"
        assert pyocd.target.get_state() is pyocd.target.State.RUNNING


def test_semihosting_is_served_by_pyocd(make: Callable[..., VirtualBoard], tmp_path: Path) -> None:
    from pyocd.debug.semihost import SemihostAgent, SemihostIOHandler

    said: list[bytes] = []

    class Console(SemihostIOHandler):  # type: ignore[misc]
        def write(self, fd: int, ptr: int, length: int) -> int:
            said.append(bytes(self.agent.get_data(ptr, length)))
            return 0

    with session(make(firmware(CALLS_THE_HOST)), tmp_path) as pyocd:
        core = pyocd.target.cores[0]
        core.reset_and_halt()
        agent = SemihostAgent(pyocd.target.get_target_context(), console=Console())
        served = [_served(core, agent) for _ in range(3)]
    assert served == [True, True, False]
    assert b"".join(said) == b"hello!"


def _served(core: Any, agent: Any) -> bool:
    core.resume()
    while core.get_state() is core.State.RUNNING:
        pass
    return bool(agent.check_and_handle_semihost_request())
