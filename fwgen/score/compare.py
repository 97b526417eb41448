"""What changed since an earlier score: tasks that passed and no longer do, and the other way."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fwgen.score.summary import Entry, Score
    from fwgen.score.trial import Record

Kind = Literal["worse", "better", "larger", "smaller", "task changed", "new", "not tried"]


@dataclass(frozen=True, slots=True)
class Change:
    """One entry that is not as it was. ``said`` tells it in figures."""

    kind: Kind
    entry: Entry
    said: str


def changes(now: Score, before: Iterable[Record]) -> tuple[Change, ...]:
    """Where a score departs from an earlier one, in the order of its table; worse ones first.

    An earlier score of one other model is compared with, too. What has not been measured both
    times is not compared, but told as "new" or "not tried".
    """
    last: dict[tuple[str, str, str, int], Record] = {}
    for record in before:
        last[record.task, record.board, record.model, record.number] = record
    old: dict[tuple[str, str, str], list[Record]] = defaultdict(list)
    for record in last.values():
        if record.measured:
            old[record.task, record.board, record.model].append(record)
    models = {model for _, _, model in old}
    found = []
    for entry in (*now.entries, *now.unproven):
        model = entry.model if entry.model in models or len(models) != 1 else next(iter(models))
        change = _change(entry, old.get((entry.task.name, entry.board, model), []))
        if change is not None:
            found.append(change)
    return tuple(sorted(found, key=lambda change: change.kind != "worse"))


def _change(entry: Entry, old: list[Record]) -> Change | None:
    new = entry.measured
    if not old:
        return Change("new", entry, _told(new)) if new else None
    if not new:
        return Change("not tried", entry, f"was {_told(old)}")
    said = f"{_told(old)} before, {_told(new)} now"
    if any(record.digest != entry.task.digest for record in old):
        return Change("task changed", entry, said)
    one, two = _rate(old), _rate(new)
    if one != two:
        why = next((f": {r.said}" for r in new if not r.passed and r.said), "") if two < one else ""
        return Change("worse" if two < one else "better", entry, said + why)
    was, now = _least(old), _least(new)
    if was is not None and now is not None and was != now:
        kind: Kind = "larger" if now > was else "smaller"
        return Change(kind, entry, f"{was} bytes before, {now} now")
    return None


def _rate(records: Iterable[Record]) -> Fraction:
    passed = [record.passed for record in records]
    return Fraction(sum(passed), len(passed))


def _told(records: Iterable[Record]) -> str:
    outcomes = [record.outcome for record in records]
    if len(outcomes) == 1:
        return outcomes[0]
    return f"{outcomes.count('pass')} of {len(outcomes)} passed"


def _least(records: Iterable[Record]) -> int | None:
    sizes = [r.flash_bytes for r in records if r.passed and r.flash_bytes is not None]
    return min(sizes, default=None)
