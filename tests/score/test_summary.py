"""pass@k is what drawing k samples would show; nothing else counts as passed."""

from __future__ import annotations

from fractions import Fraction
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fwgen.report.score import score_data
from fwgen.report.score_page import to_html
from fwgen.score.cell import Plan
from fwgen.score.compare import changes
from fwgen.score.summary import pass_at_k, score

from .making import a_cell, a_record, a_task

A, B, NEEDY = a_task(name="a"), a_task(name="b", level=3), a_task(name="n", needs=("adc",), level=5)


@given(st.lists(st.booleans(), min_size=1, max_size=8), st.integers(1, 8))
def test_pass_at_k_is_the_share_of_draws_that_hold_a_pass(samples: list[bool], k: int) -> None:
    found = pass_at_k(len(samples), sum(samples), k)
    draws = list(combinations(samples, k))
    if not draws:
        assert found is None
    else:
        assert found == Fraction(sum(any(draw) for draw in draws), len(draws))


@pytest.mark.parametrize(("n", "c", "k"), [(3, 4, 1), (3, -1, 1), (3, 1, 0)])
def test_numbers_that_make_no_sense(n: int, c: int, k: int) -> None:
    with pytest.raises(ValueError, match="samples"):
        pass_at_k(n, c, k)


def scored(outcomes, *, ks=(1,), tasks=(A, B, NEEDY), model="lab/m", **more):
    """A score of a model: for each task the outcomes of its samples, None: not tried."""
    cells, records = [], {}
    for task in tasks:
        for number, outcome in enumerate(outcomes.get(task.name, ()), 1):
            cell = a_cell(task, model, number)
            cells.append(cell)
            if outcome is not None:
                records[cell.key] = a_record(cell, outcome, **more)
    plan = Plan(tuple(tasks), (cells[0].board,), (model,), tuple(cells))
    return score(plan, records, ks), list(records.values())


def test_only_a_pass_counts_and_errors_count_nowhere() -> None:
    found, _ = scored({"a": ["pass", "fail", "unsure", "refused", "error"], "b": ["pass"] * 5})
    (one,) = found.summaries
    assert one.pass_at[1] == (Fraction(1, 4) + 1) / 2
    assert one.counts == {"pass": 6, "fail": 1, "unsure": 1, "refused": 1, "error": 1}
    assert not found.complete


def test_what_cannot_be_proven_is_told_and_not_counted() -> None:
    found, _ = scored({"a": ["pass"], "b": ["fail"], "n": ["unsure"]})
    assert found.summaries[0].pass_at[1] == Fraction(1, 2)
    assert found.summaries[0].tasks == 2
    assert [entry.task.name for entry in found.unproven] == ["n"]
    assert found.complete


def test_a_task_with_too_few_samples_has_no_pass_at_k() -> None:
    found, _ = scored({"a": ["pass", "fail", "fail"], "b": ["pass", "pass", None]}, ks=(2, 3))
    (one,) = found.summaries
    assert one.pass_at[2] == (1 - Fraction(1, 3) + 1) / 2
    assert one.pass_at[3] is None
    assert one.missing == 1


def test_repairs_and_cost_are_summed_up() -> None:
    found, _ = scored(
        {"a": ["pass", "fail"], "b": ["pass"]}, attempts=3, cost="0.25", tokens_read=7
    )
    (one,) = found.summaries
    assert (one.at_once, one.repairs) == (0, 2)
    assert (one.cost, one.tokens_read) == (Fraction(3, 4), 21)


def test_nothing_tried_is_nothing_known() -> None:
    found, _ = scored({"a": [None], "b": [None]})
    assert found.summaries[0].pass_at[1] is None
    assert found.summaries[0].missing == 2
    assert to_html(found)


def test_an_entry_shows_its_smallest_firmware() -> None:
    cells = [a_cell(A, "lab/m", number) for number in (1, 2, 3)]
    records = [
        a_record(cells[0], "pass", flash_bytes=90),
        a_record(cells[1], "pass", flash_bytes=80),
        a_record(cells[2], "fail", flash_bytes=10),
    ]
    plan = Plan((A,), (cells[0].board,), ("lab/m",), tuple(cells))
    found = score(plan, {r.key: r for r in records})
    assert found.entries[0].best == records[1]


# ---------------------------------------------------------------------------- changes


def test_what_got_worse_comes_first_with_its_reason() -> None:
    _, before = scored({"a": ["fail"], "b": ["pass"], "n": ["unsure"]})
    now, _ = scored({"a": ["pass"], "b": ["fail"], "n": ["unsure"]}, said="LD2 is off")
    found = changes(now, before)
    assert [(c.kind, c.entry.task.name) for c in found] == [("worse", "b"), ("better", "a")]
    assert "pass before, fail now: LD2 is off" in found[0].said


def test_the_same_is_no_change() -> None:
    now, before = scored({"a": ["pass", "fail"], "b": ["refused"]})
    assert changes(now, before) == ()


def test_an_error_is_no_regression() -> None:
    _, before = scored({"a": ["pass"], "b": ["pass"]})
    now, _ = scored({"a": ["error"], "b": ["pass"]})
    assert [c.kind for c in changes(now, before)] == ["not tried"]


def test_a_task_that_changed_is_not_compared() -> None:
    _, before = scored({"a": ["pass"]}, tasks=(A,))
    other = a_task("blink LED at 3 Hz", name="a")
    now, _ = scored({"a": ["fail"]}, tasks=(other,))
    assert [c.kind for c in changes(now, before)] == ["task changed"]


def test_a_larger_firmware_is_told() -> None:
    _, before = scored({"a": ["pass"]}, tasks=(A,), flash_bytes=64)
    now, _ = scored({"a": ["pass"]}, tasks=(A,), flash_bytes=68)
    (one,) = changes(now, before)
    assert (one.kind, one.said) == ("larger", "64 bytes before, 68 now")


def test_another_model_is_compared_with_the_only_one_there_was() -> None:
    _, before = scored({"a": ["pass"]}, tasks=(A,), model="embedded")
    now, _ = scored({"a": ["fail"]}, tasks=(A,))
    assert [c.kind for c in changes(now, before)] == ["worse"]


def test_the_last_word_on_a_sample_counts() -> None:
    cell = a_cell(A, "lab/m")
    before = [a_record(cell, "error"), a_record(cell, "fail"), a_record(cell, "pass")]
    now, _ = scored({"a": ["pass"]}, tasks=(A,))
    assert changes(now, before) == ()


# ---------------------------------------------------------------------------- the page


def test_the_page_needs_nothing_else_and_escapes_what_models_say() -> None:
    now, before = scored({"a": ["fail"], "b": ["pass"], "n": ["unsure"]}, said="<script>x</script>")
    page = to_html(now, changes(now, before))
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert 'src="' not in page
    assert "@import" not in page
    for task in (A, B, NEEDY):
        assert f'id="{task.name}"' in page
    assert "pass@1" in page
    assert score_data(now, None, 0)["outcome"] == "scored"
