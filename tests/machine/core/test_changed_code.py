"""Code that was written anew costs what it costs now, whoever wrote it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fwgen.machine import Machine
from fwgen.trace import Edge, Fault
from tests.machine.core.firmware import GPIOA, assemble, firmware

if TYPE_CHECKING:
    from fwgen.board.types import Board

US = 10**6
PLACE = 0x2000_0100
QUICK, _ = assemble("nop\n nop\n nop\n nop\n bx lr", PLACE)
SLOW, _ = assemble("udiv r3, r3, r4\n udiv r3, r3, r4\n bx lr", PLACE)
WAYS = ({}, {"native": False}, {"accelerate": False})


def stores(code: bytes) -> str:
    padded = code + bytes(-len(code) % 4)
    return "\n".join(
        f"ldr r7, ={int.from_bytes(padded[at : at + 4], 'little'):#x}\n str r7, [r6, #{at}]"
        for at in range(0, len(padded), 4)
    )


def copying(first: bytes, second: bytes) -> str:
    """Calls code in RAM, stores other code there, calls that, and raises PA5."""
    call = "dsb\n isb\n blx r5"
    return f"""
    start: movs r4, #1
        ldr r3, =0xffffffff
        ldr r5, ={PLACE | 1:#x}
        ldr r6, ={PLACE:#x}
        {stores(first)}
        {call}
        {stores(second)}
        {call}
        {GPIOA}
        movs r1, #32
        str r1, [r0, #24]
    stop: b stop
    """


@pytest.mark.parametrize("slice_us", [100, 1], ids=["in one go", "in slices"])
@pytest.mark.parametrize("ways", WAYS)
def test_code_that_the_firmware_stored_over_other_code_costs_its_own(
    board: Board, ways: dict[str, bool], slice_us: int
) -> None:
    def raised(first: bytes, second: bytes) -> int:
        with Machine(board, **ways) as machine:
            machine.load(firmware(copying(first, second)))
            for until_us in range(slice_us, 101, slice_us):
                machine.advance(until_us * US)
            return [edge.t_ps for edge in machine.trace().of(Edge) if edge.level][-1]

    assert len(QUICK) == len(SLOW)
    assert raised(QUICK, SLOW) == raised(SLOW, QUICK) > raised(QUICK, QUICK)


def test_code_that_another_wrote_is_looked_at_anew_by_the_compiled_hook_too(board: Board) -> None:
    text = f"""
    start: movs r4, #1
        ldr r3, =0xffffffff
        ldr r5, ={PLACE | 1:#x}
    again: blx r5
        b again
    """
    stood = []
    for ways in WAYS:
        with Machine(board, **ways) as machine:
            machine.load(firmware(text))
            machine.core.memory.program(PLACE, QUICK)
            machine.advance(100 * US)
            machine.core.memory.program(PLACE, SLOW)
            machine.advance(200 * US)
            stood.append((machine.core.cycle, machine.core.next_pc))
    assert len(set(stood)) == 1


@pytest.mark.parametrize("ways", WAYS)
def test_code_that_replaced_an_ldrd_may_have_odd_numbers_in_its_registers(
    board: Board, ways: dict[str, bool]
) -> None:
    """What was watched at an address was the old instruction's base register."""
    pair, _ = assemble("ldrd r1, r2, [r3]\n bx lr", PLACE)
    plain, _ = assemble("add.w r1, r4, #1\n bx lr", PLACE)
    text = copying(pair, plain).replace("ldr r3, =0xffffffff", "ldr r3, =0x20000000")
    text = text.replace("movs r4, #1", "movs r4, #41")
    second = text.rindex("dsb")
    text = text[:second] + "movs r3, #1\n" + text[second:]
    with Machine(board, **ways) as machine:
        machine.load(firmware(text))
        machine.advance(100 * US)
        trace = machine.trace()
    assert not list(trace.of(Fault))
    assert [edge.level for edge in trace.of(Edge)][-1] == 1
