"""One sample of a model: pass, fail, unsure, refused and error are told apart."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from fwgen.score.models import TRANSCRIPT
from fwgen.score.trial import OUTCOMES, Record, attempt
from tests.model.remote.brain import Brain, replaced
from tests.model.remote.server import Reply, error

from .making import BLINK, QUIET, a_cell, a_record, a_task

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.model.remote.server import Server

    Lab = Callable[..., Server]

WRONG = replaced('"CLK / 2 - 1"', '"CLK / 4 - 1"')
UNSOUND = [replaced('"CLK / 2 - 1"', f'"NOBODY{n} + 1"') for n in range(9)]


def test_the_embedded_model_passes() -> None:
    trial = attempt(a_cell())
    record = trial.record
    assert (record.outcome, record.said, record.attempts) == ("pass", "", 1)
    assert record.flash_bytes is not None
    assert 0 < record.flash_bytes < 1000
    assert record.awake_cycles is not None
    assert record.span_ps is not None
    assert record.span_ps > 10**12
    assert trial.files[".hex"].startswith(b":")


def test_the_task_s_own_contract_judges() -> None:
    """What the model reads out of the prompt does not matter."""
    record = attempt(a_cell(a_task(BLINK, contract=QUIET))).record
    assert record.outcome == "fail"
    assert "moves" in record.said


def test_what_the_embedded_model_does_not_understand_is_refused() -> None:
    record = attempt(a_cell(a_task("make some coffee", contract=QUIET))).record
    assert record.outcome == "refused"
    assert "coffee" in record.said


def test_a_pass_of_what_cannot_be_proven_is_unsure() -> None:
    record = attempt(a_cell(a_task(needs=("adc",)))).record
    assert record.outcome == "unsure"
    assert "adc" in record.said


def test_a_board_that_is_not_there_is_an_error() -> None:
    cell = a_cell()
    record = attempt(type(cell)(cell.task, "nowhere", "embedded", 1, cell.wishes)).record
    assert record.outcome == "error"
    assert "nowhere" in record.said


def test_a_remote_model_is_asked_for_code_only(lab: Lab) -> None:
    server = lab(Brain(BLINK))
    trial = attempt(a_cell(model="lab/m"))
    assert trial.record.outcome == "pass"
    assert len(server.asked) == 1, "no contract is asked for: the task has one"
    assert (trial.record.tokens_read, trial.record.tokens_written) == (100, 50)
    assert trial.record.cost == "0.000150"
    header = json.loads(trial.files[TRANSCRIPT].split(b"\n")[0])
    assert header["prompt"] == BLINK


def test_a_repair_is_counted(lab: Lab) -> None:
    lab(Brain(BLINK, [WRONG, UNSOUND[0]]))
    record = attempt(a_cell(model="lab/m")).record
    assert (record.outcome, record.attempts) == ("pass", 3)


def test_too_few_attempts_fail_with_what_was_seen(lab: Lab) -> None:
    lab(Brain(BLINK, [WRONG, WRONG]))
    record = attempt(a_cell(model="lab/m", attempts=1)).record
    assert (record.outcome, record.attempts) == ("fail", 1)
    assert "blinks" in record.said or "expected" in record.said


def test_an_emission_that_never_holds_together_fails(lab: Lab) -> None:
    lab(Brain(BLINK, UNSOUND))
    record = attempt(a_cell(model="lab/m", attempts=2)).record
    assert (record.outcome, record.attempts) == ("fail", 2)
    assert "NOBODY" in record.said
    assert record.flash_bytes is None


def refusing(_asked: object) -> Reply:
    message = {"role": "assistant", "content": None, "refusal": "that would be wrong"}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    return Reply([json.dumps({"id": "x", "object": "chat.completion", "created": 1, "model": "m",
                              "choices": [choice]}).encode()])  # fmt: skip


def test_a_model_that_will_not_is_told_from_one_that_cannot(lab: Lab) -> None:
    lab(refusing)
    record = attempt(a_cell(model="lab/m")).record
    assert record.outcome == "refused", record.said
    assert "that would be wrong" in record.said


def test_an_endpoint_that_rejects_is_an_error(lab: Lab) -> None:
    lab(lambda asked: error(401, "no such key"))
    record = attempt(a_cell(model="lab/m")).record
    assert record.outcome == "error"
    assert "no such key" in record.said


def test_an_endpoint_that_goes_away_between_repairs_is_an_error(lab: Lab) -> None:
    brain = Brain(BLINK, [WRONG])

    def dying(asked):
        return brain(asked) if brain.emitted == 0 else error(401, "expired")

    lab(dying)
    record = attempt(a_cell(model="lab/m")).record
    assert record.outcome == "error"
    assert "expired" in record.said
    assert record.tokens_read > 0


def test_a_budget_that_is_spent_is_the_model_s_own_doing(lab: Lab) -> None:
    lab(Brain(BLINK, UNSOUND))
    record = attempt(a_cell(model="lab/m", attempts=9, max_tokens=3200)).record
    assert record.outcome == "fail", record.said
    assert 0 < record.attempts < 9, record
    assert "limit of 3200 tokens" in record.said


def test_time_that_ran_out_before_any_answer_is_no_failure_of_the_model(lab: Lab) -> None:
    lab(lambda asked: Reply([b" "], hold=True))
    record = attempt(a_cell(model="lab/m", timeout_s=0.3)).record
    assert record.outcome == "error"
    assert record.attempts == 0


def test_samples_are_conversations_of_their_own(lab: Lab) -> None:
    server = lab(Brain(BLINK))
    attempt(a_cell(model="lab/m", number=1))
    attempt(a_cell(model="lab/m", number=2))
    seeds = [asked.body.get("seed") for asked in server.asked]
    assert len(set(seeds)) == 2


def test_a_transcript_gives_the_same_again_without_a_network(lab: Lab, tmp_path: Path) -> None:
    lab(Brain(BLINK, [WRONG]))
    first = attempt(a_cell(model="lab/m", number=2))
    folder = tmp_path / "transcripts"
    folder.mkdir()
    (folder / f"a nucleo-f401 lab-m 2{TRANSCRIPT}").write_bytes(first.files[TRANSCRIPT])
    again = attempt(a_cell(model=f"replay:{folder}"))
    assert again.files[".hex"] == first.files[".hex"]
    same = ("outcome", "attempts", "tokens_read", "tokens_written", "cost", "flash_bytes")
    assert [getattr(again.record, f) for f in same] == [getattr(first.record, f) for f in same]


def test_a_transcript_of_something_else_is_an_error(lab: Lab, tmp_path: Path) -> None:
    lab(Brain(BLINK))
    kept = tmp_path / "t.jsonl"
    kept.write_bytes(attempt(a_cell(model="lab/m")).files[TRANSCRIPT])
    other = a_task("blink LED at 3 Hz")
    assert attempt(a_cell(other, model=f"replay:{kept}")).record.outcome == "error"


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_a_record_survives_its_file(outcome) -> None:
    record = a_record(a_cell(), outcome, cost="0.5", said='a "line"\n')
    assert Record.of(json.loads(json.dumps(record.data()))) == record


@pytest.mark.parametrize("change", [{"outcome": "won"}, {"fwgen_score": 99}, {"more": 1}])
def test_what_is_no_record_is_refused(change) -> None:
    with pytest.raises(ValueError, match="no record"):
        Record.of(a_record(a_cell()).data() | change)
