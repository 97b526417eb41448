"""What Records come to: pass@1, pass@k and what it took, for each model on each board.

Source: pass@k is the unbiased estimator of Chen et al., "Evaluating Large Language Models Trained
on Code" (2021), section 2.1: of n samples of a task of which c pass, the share of draws of k that
hold at least one that passes; then the mean over the tasks.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from fractions import Fraction
from math import comb
from statistics import median
from typing import TYPE_CHECKING

from fwgen.score.trial import OUTCOMES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from fwgen.score.cell import Plan
    from fwgen.score.task import Task
    from fwgen.score.trial import Outcome, Record


def pass_at_k(samples: int, passed: int, k: int) -> Fraction | None:
    """The chance that at least one of k samples drawn from these passes; None for fewer than k.

    Raises ValueError for numbers that make no sense.
    """
    if k < 1 or not 0 <= passed <= samples:
        raise ValueError(f"{passed} of {samples} samples, k = {k}")
    if samples < k:
        return None
    return 1 - Fraction(comb(samples - passed, k), comb(samples, k))


@dataclass(frozen=True, slots=True)
class Entry:
    """A model at a task on a board: the records of its samples, in order."""

    task: Task
    board: str
    model: str
    planned: int
    records: tuple[Record, ...]

    @property
    def measured(self) -> tuple[Record, ...]:
        """The samples that tell something about the model."""
        return tuple(record for record in self.records if record.measured)

    @property
    def passed(self) -> int:
        """How many samples passed."""
        return sum(record.passed for record in self.records)

    @property
    def outcome(self) -> Outcome | None:
        """The best that came; None where nothing was tried yet."""
        best: tuple[Outcome, ...] = ("pass", "unsure", "fail", "refused", "error")
        found = {record.outcome for record in self.records}
        return next((outcome for outcome in best if outcome in found), None)

    @property
    def best(self) -> Record | None:
        """The smallest that passed, of these the least awake; else one of the best outcome."""
        least = [r for r in self.records if r.outcome == self.outcome]
        return min(
            least, key=lambda r: (r.flash_bytes or 0, r.awake_cycles or 0), default=None
        )  # fmt: skip

    def pass_at(self, k: int) -> Fraction | None:
        """pass@k of this task; None where there are too few samples."""
        return pass_at_k(len(self.measured), self.passed, k)


@dataclass(frozen=True, slots=True)
class Summary:
    """A model on a board, over the tasks that can be proven.

    ``at_once`` is the share of samples that passed with no repair, ``repairs`` the mean number of
    repairs of those that passed. ``pass_at`` by k, None where a task has too few samples.
    ``flash_bytes`` and ``awake_per_second`` (core cycles) are medians over tasks that passed.
    """

    board: str
    model: str
    tasks: int
    measured: int
    counts: Mapping[Outcome, int]
    missing: int
    pass_at: Mapping[int, Fraction | None]
    at_once: Fraction | None
    repairs: Fraction | None
    tokens_read: int
    tokens_written: int
    cost: Fraction | None
    flash_bytes: int | None
    awake_per_second: int | None


@dataclass(frozen=True, slots=True)
class Score:
    """Entries in the order of the plan, and a Summary for each model on each board.

    ``unproven`` are the entries of tasks that need what the machine does not model: they are told,
    and count nowhere. ``left_out`` as in the Plan.
    """

    entries: tuple[Entry, ...]
    unproven: tuple[Entry, ...]
    summaries: tuple[Summary, ...]
    ks: tuple[int, ...]
    left_out: tuple[str, ...] = ()

    @property
    def complete(self) -> bool:
        """Whether every sample told something."""
        return all(len(e.measured) == e.planned for e in (*self.entries, *self.unproven))


def score(plan: Plan, records: Mapping[str, Record], ks: Iterable[int] = (1,)) -> Score:
    """Put records by their cells' keys into the order of a plan, and sum them up."""
    ks = tuple(sorted({1, *ks}))
    samples: dict[tuple[str, str, str], tuple[Task, list[Record | None]]] = {}
    for cell in plan.cells:
        place = samples.setdefault((cell.task.name, cell.board, cell.model), (cell.task, []))
        place[1].append(records.get(cell.key))
    entries = [
        Entry(task, board, model, len(found), tuple(r for r in found if r is not None))
        for (_, board, model), (task, found) in samples.items()
    ]
    proven = tuple(e for e in entries if not e.task.needs)
    summaries = tuple(
        _summary([e for e in proven if (e.board, e.model) == (board, model)], board, model, ks)
        for board in plan.boards
        for model in plan.models
    )
    unproven = tuple(e for e in entries if e.task.needs)
    return Score(proven, unproven, summaries, ks, plan.left_out)


def _summary(entries: Sequence[Entry], board: str, model: str, ks: Sequence[int]) -> Summary:
    records = [record for entry in entries for record in entry.records]
    measured = [record for record in records if record.measured]
    passed = [record for record in measured if record.passed]
    told = [entry for entry in entries if entry.measured]
    best = [entry.best for entry in told if entry.passed]
    costs = [Fraction(record.cost) for record in records if record.cost is not None]
    counts = Counter(record.outcome for record in records)
    return Summary(
        board=board,
        model=model,
        tasks=len(entries),
        measured=len(told),
        counts={outcome: counts[outcome] for outcome in OUTCOMES if counts[outcome]},
        missing=sum(entry.planned - len(entry.records) for entry in entries),
        pass_at={k: _mean([entry.pass_at(k) for entry in told]) for k in ks},
        at_once=_share(sum(r.attempts <= 1 for r in passed), len(measured)),
        repairs=_share(sum(r.attempts - 1 for r in passed), len(passed)),
        tokens_read=sum(record.tokens_read for record in records),
        tokens_written=sum(record.tokens_written for record in records),
        cost=sum(costs, Fraction(0)) if costs else None,
        flash_bytes=_median([r.flash_bytes for r in best if r and r.flash_bytes is not None]),
        awake_per_second=_median([a for r in best if r and (a := awake_per_second(r)) is not None]),
    )


def awake_per_second(record: Record) -> int | None:
    """Core cycles not spent asleep per second of the run."""
    if record.awake_cycles is None or not record.span_ps:
        return None
    return round(record.awake_cycles * 10**12 / record.span_ps)


def by_level(entries: Iterable[Entry]) -> dict[int, tuple[Fraction, int]]:
    """The mean of pass@1 at each level, and of how many tasks."""
    levels: dict[int, list[Fraction]] = {}
    for entry in entries:
        if (one := entry.pass_at(1)) is not None:
            levels.setdefault(entry.task.level, []).append(one)
    return {
        level: (sum(ones, Fraction(0)) / len(ones), len(ones))
        for level, ones in sorted(levels.items())
    }


def _mean(values: Sequence[Fraction | None]) -> Fraction | None:
    known = [value for value in values if value is not None]
    if not known or len(known) < len(values):
        return None
    return sum(known, Fraction(0)) / len(known)


def _share(part: int, whole: int) -> Fraction | None:
    return Fraction(part, whole) if whole else None


def _median(values: Sequence[int]) -> int | None:
    return round(median(values)) if values else None
