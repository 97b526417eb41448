"""Where the manuals give ranges of cycles: what holds at one value only is UNSURE."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from fwgen import pipeline
from fwgen.board import load_board
from fwgen.contract import Blinks, Contract, Says
from fwgen.machine.confined import ConfinedMachine
from fwgen.machine.machine import Machine
from fwgen.trace import Hazard, dump_trace, load_trace
from fwgen.units import PS_PER_MS
from fwgen.verdict import Outcome
from tests.machine.core.firmware import GPIOA, firmware

if TYPE_CHECKING:
    from collections.abc import Callable

    from fwgen.image.types import Image

BOARD = load_board("nucleo-f401")
PPM = 10_000  # in a per cent
MS = PS_PER_MS

# A pass of the loop takes 3 cycles of 16 MHz: 1 for subs, 1 for bne, and 1 to 3 for the refill.
BUSY = f"""
start: {GPIOA}
    movs r3, #0x20
again:
    str r3, [r0, #0x18]
    ldr r2, =533333
on: subs r2, #1
    bne on
    lsls r3, r3, #16
    str r3, [r0, #0x18]
    ldr r2, =533333
off: subs r2, #1
    bne off
    lsrs r3, r3, #16
    b again
"""
# Reading a special register takes 1 or 2: here the typical is the most.
MANY = "\n".join(["mrs r4, primask"] * 20)
SLOWER = BUSY.replace("subs r2, #1", f"subs r2, #1\n{MANY}").replace("533333", "37209")


def blinks(percent: int) -> Contract:
    expected = Blinks("LED", 200 * MS, tolerance_ppm=percent * PPM)
    return Contract("blinks", BOARD.name, 1000 * MS, (), (expected,))


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The cycle counts of each run of a machine."""
    told: list[str] = []
    run: Callable[..., object] = Machine.run

    def heard(self: Machine, *given: object) -> object:
        trace = run(self, *given)
        told.append(trace.cycles or "typical")
        return trace

    monkeypatch.setattr(Machine, "run", heard)
    return told


def test_a_busy_loop_that_must_be_exact_is_unsure(runs: list[str]) -> None:
    proof = pipeline.prove(firmware(BUSY), BOARD, blinks(2))
    assert proof.verdict.outcome is Outcome.UNSURE
    assert runs == ["typical", "most", "typical"]  # the last: it is not by luck
    (finding,) = proof.verdict.findings
    assert "holds with the typical cycle counts, not with the most" in finding.text
    assert "Cortex-M4 TRM" in finding.text
    assert "typically: " in finding.text
    assert finding.departure is not None
    assert proof.trace.cycles == "most"
    assert load_trace(dump_trace(proof.trace)) == proof.trace
    # What else was asked, or is implied, holds at both.
    assert [f.about for f in proof.verdict.all if f.outcome is not Outcome.PASS] == ["expectation"]


def test_a_busy_loop_with_room_passes_at_both_ends(runs: list[str]) -> None:
    proof = pipeline.prove(firmware(BUSY), BOARD, blinks(70))
    assert proof.passed
    assert runs == ["typical", "most", "least"]
    assert proof.trace.cycles == ""
    assert [h.code for h in proof.trace.of(Hazard)] == ["counted-time"]


def test_a_loop_that_may_be_quicker_is_unsure_too() -> None:
    proof = pipeline.prove(firmware(SLOWER), BOARD, blinks(15))
    (finding,) = proof.verdict.findings
    assert finding.outcome is Outcome.UNSURE
    assert "not with the fewest" in finding.text
    assert proof.trace.cycles == "least"


def test_what_fails_with_the_typical_counts_fails(runs: list[str]) -> None:
    proof = pipeline.prove(firmware(SLOWER), BOARD, replace(blinks(2), expectations=(
        Blinks("LED", 300 * MS),)))  # fmt: skip
    assert proof.verdict.outcome is Outcome.FAIL
    assert runs == ["typical"]


def test_text_that_is_paced_by_counting_is_unsure_as_well() -> None:
    text = f"""
start: {GPIOA}
    ldr r0, =0x40023840
    ldr r1, =0x20000
    str r1, [r0, #0]
    nop
    nop
    nop
    ldr r0, =0x40020000
    ldr r1, [r0, #0]
    orr r1, r1, #0x20
    str r1, [r0, #0]
    movw r1, #0x700
    str r1, [r0, #0x20]
    ldr r4, =0x40004400
    movs r1, #139
    str r1, [r4, #8]
    movw r1, #0x2008
    str r1, [r4, #12]
again:
    movs r1, #0x68
    str r1, [r4, #4]
    ldr r2, =533333
on: subs r2, #1
    bne on
    movs r1, #0x0a
    str r1, [r4, #4]
    ldr r2, =533333
off: subs r2, #1
    bne off
    b again
"""
    says = Says("console", "h", period_ps=200 * MS)
    contract = Contract("", BOARD.name, 1000 * MS, (), (says,))
    proof = pipeline.prove(firmware(text), BOARD, contract)
    assert [f.outcome for f in proof.verdict.findings] == [Outcome.UNSURE]


@pytest.mark.parametrize("prompt", ["blink LED at 2Hz", 'print "hello" every second'])
def test_what_timers_keep_passes_in_two_runs(prompt: str, runs: list[str]) -> None:
    result = pipeline.generate(prompt, BOARD)
    assert result.passed
    assert runs == ["typical", "most"]


def test_one_end_alone_can_be_asked_for(runs: list[str]) -> None:
    image = firmware(BUSY)
    outcomes = {
        pace: pipeline.prove(image, BOARD, blinks(2), cycles=pace).verdict.outcome
        for pace in ("least", "typical", "most")
    }
    assert outcomes == {"least": Outcome.PASS, "typical": Outcome.PASS, "most": Outcome.FAIL}
    assert runs == ["least", "typical", "most"]


def test_a_worker_runs_at_the_ends_as_well() -> None:
    image: Image = firmware(BUSY)
    with ConfinedMachine(BOARD) as confined:
        proof = pipeline.prove(image, BOARD, blinks(2), confined=confined)
    assert proof.verdict.outcome is Outcome.UNSURE
    assert proof.trace == pipeline.prove(image, BOARD, blinks(2)).trace
