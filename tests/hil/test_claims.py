"""The answer to a question: yes, no, or an error where nobody can tell."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import pytest

from fwgen.contract import Contract
from fwgen.hil.claims import Seen, UndecidedError
from fwgen.pipeline import Confirmed, Proof
from fwgen.verdict import Finding, Outcome, Verdict

if TYPE_CHECKING:
    from fwgen.board.types import Board
    from fwgen.image.types import Image
    from fwgen.trace import Trace

PASS, FAIL, UNSURE = Outcome.PASS, Outcome.FAIL, Outcome.UNSURE


def seen(
    board: Board, machine: Outcome, rig: Outcome, *, fault: Outcome = PASS, resets: Outcome = PASS
) -> Seen:
    """An answer from what either bench said of the claim, of faults, and of resets."""
    contract = Contract("a test", board.name, 10**12)

    def proof(name: str, outcome: Outcome) -> Proof:
        asked = Finding("expectation", "LD2 blinks", outcome, f"{name} saw LD2 {outcome.value}")
        implied = (
            Finding("faults", "no fault", fault, "it faults"),
            Finding("resets", "no reset", resets if name == "rig" else PASS, "it resets"),
        )
        verdict = Verdict(contract, (asked,), implied)
        return Proof(board, contract, cast("Image", None), cast("Trace", None), verdict)

    return Seen(Confirmed(proof("machine", machine), proof("rig", rig), ()), "desk")


def test_it_is_true_when_both_benches_saw_it(nucleo: Board) -> None:
    answer = seen(nucleo, PASS, PASS)
    assert answer
    assert str(answer) == "PASS on the rig desk: rig saw LD2 pass"


@pytest.mark.parametrize(
    ("machine", "rig", "said"),
    [
        (FAIL, FAIL, "rig saw LD2 fail"),
        (PASS, FAIL, "rig saw LD2 fail; the machine saw otherwise: machine saw LD2 pass"),
        (FAIL, PASS, "in the machine: machine saw LD2 fail; on the board: rig saw LD2 pass"),
    ],
)
def test_it_is_false_when_either_departs_and_tells_which(
    nucleo: Board, machine: Outcome, rig: Outcome, said: str
) -> None:
    answer = seen(nucleo, machine, rig)
    assert not answer
    assert str(answer) == f"FAIL on the rig desk: {said}"
    assert repr(answer) == f"<{answer}>"


@pytest.mark.parametrize(
    ("rig", "fault", "resets"),
    [
        (UNSURE, PASS, PASS),
        (PASS, FAIL, PASS),
        (FAIL, FAIL, PASS),
        (PASS, PASS, FAIL),
        (FAIL, PASS, FAIL),
        (PASS, UNSURE, PASS),
    ],
)
def test_it_is_neither_when_nobody_can_tell_or_the_firmware_went_wrong(
    nucleo: Board, rig: Outcome, fault: Outcome, resets: Outcome
) -> None:
    answer = seen(nucleo, PASS, rig, fault=fault, resets=resets)
    with pytest.raises(UndecidedError) as caught:
        bool(answer)
    with pytest.raises(UndecidedError):
        assert not answer
    assert str(caught.value).startswith(("UNSURE", "FAIL"))


def test_what_the_machine_is_unsure_of_a_board_decides(nucleo: Board) -> None:
    assert seen(nucleo, UNSURE, PASS)
