"""A score for people: the tables on the console; and as plain data."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from rich.text import Text

from fwgen.report.data import VERSION, Data
from fwgen.report.layout import Columns, Paragraph
from fwgen.score.summary import awake_per_second, by_level
from fwgen.score.task import LEVELS
from fwgen.score.trial import OUTCOMES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from fwgen.score.compare import Change
    from fwgen.score.summary import Entry, Score, Summary
    from fwgen.score.task import Task

STYLES = {
    "pass": "green", "fail": "bold red", "unsure": "bold yellow", "refused": "dim",
    "error": "bold red",
}  # fmt: skip
_FEW = 5  # tasks left out that are told one by one
_MOST = 72  # characters of a reason on the console; the page and the JSON have all


def show_score(console: Console, score: Score, changed: Sequence[Change] | None = None) -> None:
    """Every entry, the sums, and what changed."""
    console.print()
    console.print(Columns(_head(score), [_row(entry, score) for entry in score.entries]))
    if score.unproven:
        console.print("\n [dim]whose contract cannot tell enough yet: does not count:[/]\n")
        console.print(Columns(_head(score), [_row(entry, score) for entry in score.unproven]))
    console.print()
    if len(score.left_out) > _FEW:
        said = f"{len(score.left_out)} times a board lacks what a task is about: the page tells"
        console.print(Paragraph("left out", [said]))
    for text in score.left_out if len(score.left_out) <= _FEW else ():
        console.print(Paragraph("left out", [text]))
    console.print(Columns(*_sums(score)))
    for one in score.summaries:
        entries = [e for e in score.entries if (e.board, e.model) == (one.board, one.model)]
        levels = [
            f"{LEVELS[level]}: {percent(share)} of {count}"
            for level, (share, count) in by_level(entries).items()
        ]
        console.print()
        console.print(Paragraph(Text("by level", style="cyan"), [_named(one), *levels]))
    if changed is not None:
        show_changes(console, changed)


def show_changes(console: Console, changed: Sequence[Change]) -> None:
    """What is otherwise than in an earlier score."""
    console.print()
    if not changed:
        console.print(Paragraph("changed", ["nothing, compared with the earlier score"]))
        return
    styles = {"worse": "bold red", "better": "green"}
    rows = [
        (Text(one.kind, style=styles.get(one.kind, "dim")), one.entry.task.name, one.entry.model,
         _brief(one.said))
        for one in changed
    ]  # fmt: skip
    console.print(Columns(("changed", "task", "model", ""), rows))


def show_tasks(console: Console, tasks: Sequence[Task]) -> None:
    """The tasks, by level."""
    console.print()
    rows = [
        (Text(task.name, style="bold"), str(task.level), ", ".join((*task.tags, *_needs(task))),
         task.prompt)
        for task in tasks
    ]  # fmt: skip
    console.print(Columns(("task", "level", "tags", "prompt"), rows))
    console.print()


def _needs(task: Task) -> tuple[str, ...]:
    return tuple(f"needs {what}" for what in task.needs)


def percent(share: Fraction | None) -> str:
    """A share for people; "-" where there is none."""
    return "-" if share is None else f"{float(share) * 100:.1f} %"


def _head(score: Score) -> tuple[str, ...]:
    several = ("model", "board") if len(score.summaries) > 1 else ()
    return ("task", *several, "outcome", "bytes", "awake/s", "")


def _row(entry: Entry, score: Score) -> tuple[str | Text, ...]:
    best, outcome = entry.best, entry.outcome
    several = (entry.model, entry.board) if len(score.summaries) > 1 else ()
    many = f" {entry.passed}/{len(entry.measured)}" if entry.planned > 1 else ""
    cells = (
        Text(f"{outcome or 'not tried'}{many}", style=STYLES.get(outcome or "", "dim")),
        _number(best.flash_bytes if best else None),
        _number(awake_per_second(best) if best else None),
        _brief(_said(entry)),
    )
    return (Text(entry.task.name, style="bold"), *several, *cells)


def _said(entry: Entry) -> str:
    """Why not every sample passed; how many repairs the best one took."""
    best = entry.best
    if best is None:
        return ""
    if entry.passed < len(entry.records):
        first = next(record for record in entry.records if not record.passed)
        return first.said
    repairs = best.attempts - 1
    return f"{repairs} repair{'s' if repairs > 1 else ''}" if repairs > 0 else ""


def _brief(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _MOST else f"{line[: _MOST - 3]}..."


def _number(value: int | None) -> str:
    return "" if value is None else str(value)


def _sums(score: Score) -> tuple[tuple[str, ...], list[tuple[str | Text, ...]]]:
    """A row for each model on each board; columns that say nothing anywhere are left out."""
    tried_again = any(one.at_once != one.pass_at[1] or one.tokens_read for one in score.summaries)
    paid = any(one.cost is not None for one in score.summaries)
    boards = {one.board for one in score.summaries}
    rows = []
    for one in score.summaries:
        row: dict[str, str | Text] = {"model": Text(one.model, style="bold")}
        if len(boards) > 1:
            row["board"] = one.board
        row["tasks"] = _tasks(one)
        row |= {f"pass@{k}": Text(percent(one.pass_at[k]), style="bold") for k in score.ks}
        if tried_again:
            tokens = one.tokens_read + one.tokens_written
            row |= {
                "at once": percent(one.at_once),
                "repairs": "-" if one.repairs is None else f"{float(one.repairs):.2f}",
                "tokens": str(tokens) if tokens else "-",
            }
        if paid:
            row["cost"] = "-" if one.cost is None else f"${float(one.cost):.4f}"
        row["bytes"] = _number(one.flash_bytes) or "-"
        row["awake/s"] = _number(one.awake_per_second) or "-"
        row["samples"] = counted(one)
        rows.append(row)
    return tuple(rows[0]), [tuple(row.values()) for row in rows]


def _tasks(one: Summary) -> str:
    return str(one.tasks) if one.measured == one.tasks else f"{one.measured} of {one.tasks}"


def counted(one: Summary) -> str:
    """How the samples came out: "38 pass, 3 refused"."""
    counts = [f"{count} {outcome}" for outcome, count in one.counts.items()]
    return ", ".join(counts + ([f"{one.missing} not tried"] if one.missing else [])) or "none"


def _named(one: Summary) -> str:
    return f"{one.model} on {one.board}"


# ---------------------------------------------------------------------------- data


def score_data(score: Score, changed: Sequence[Change] | None, exit_code: int) -> Data:
    """A score as ``--json`` prints it."""
    data: Data = {
        "fwgen_report": VERSION,
        "outcome": "scored" if score.complete else "incomplete",
        "exit_code": exit_code,
        "summaries": [_summary_data(one) for one in score.summaries],
        "entries": [_entry_data(e, counts=True) for e in score.entries]
        + [_entry_data(e, counts=False) for e in score.unproven],
        "left_out": list(score.left_out),
    }
    if changed is not None:
        data["changes"] = [
            {"kind": c.kind, "task": c.entry.task.name, "board": c.entry.board,
             "model": c.entry.model, "said": c.said}
            for c in changed
        ]  # fmt: skip
    return data


def tasks_data(tasks: Sequence[Task]) -> Data:
    """The tasks as ``--list --json`` prints them."""
    return {
        "fwgen_report": VERSION,
        "outcome": "listed",
        "exit_code": 0,
        "tasks": [
            {"name": t.name, "title": t.title, "prompt": t.prompt, "level": t.level,
             "tags": list(t.tags), "needs": list(t.needs), "origin": t.origin, "url": t.url}
            for t in tasks
        ],
    }  # fmt: skip


def _summary_data(one: Summary) -> Data:
    return {
        "board": one.board,
        "model": one.model,
        "tasks": one.tasks,
        "measured": one.measured,
        "counts": {outcome: one.counts.get(outcome, 0) for outcome in OUTCOMES},
        "not_tried": one.missing,
        "pass_at": [{"k": k, "share": _float(share)} for k, share in one.pass_at.items()],
        "at_once": _float(one.at_once),
        "repairs": _float(one.repairs),
        "tokens_read": one.tokens_read,
        "tokens_written": one.tokens_written,
        "cost": _float(one.cost),
        "flash_bytes": one.flash_bytes,
        "awake_cycles_per_second": one.awake_per_second,
    }


def _entry_data(entry: Entry, *, counts: bool) -> Data:
    return {
        "task": entry.task.name,
        "board": entry.board,
        "model": entry.model,
        "counts": counts,
        "outcome": entry.outcome,
        "passed": entry.passed,
        "samples": [
            {"outcome": r.outcome, "said": r.said, "attempts": r.attempts,
             "tokens_read": r.tokens_read, "tokens_written": r.tokens_written,
             "cost": None if r.cost is None else float(r.cost), "flash_bytes": r.flash_bytes,
             "ram_bytes": r.ram_bytes, "awake_cycles": r.awake_cycles, "span_ps": r.span_ps}
            for r in entry.records
        ],
    }  # fmt: skip


def _float(value: Fraction | None) -> float | None:
    return None if value is None else round(float(value), 6)
