"""A score as one HTML page that needs nothing else: no script, no font, no network."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from fwgen.report.score import counted, percent
from fwgen.score.summary import awake_per_second, by_level
from fwgen.score.task import LEVELS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from fwgen.score.compare import Change
    from fwgen.score.summary import Entry, Score, Summary
    from fwgen.score.task import Task
    from fwgen.score.trial import Record

MARKS = {"pass": "✔", "fail": "✘", "unsure": "?", "refused": "·", "error": "!"}
_STYLE = """
:root { color-scheme: light dark; --line: #8884; --pass: #1a7f37; --fail: #cf222e;
  --error: #bc4c00; --unsure: #9a6700; --refused: #6e7781 }
body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 80rem; padding: 0 1rem }
table { border-collapse: collapse; width: 100%; margin: 0 0 1.5rem }
th, td { border-bottom: 1px solid var(--line); padding: .35rem .6rem; text-align: left;
  vertical-align: top }
td.n, th.n { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums }
.pass, .better { color: var(--pass) } .fail, .worse { color: var(--fail) }
.error { color: var(--error) } .unsure { color: var(--unsure) }
.refused, .quiet { color: var(--refused) }
h2 { font-size: 1.05rem; margin: 2rem 0 .4rem }
pre { overflow-x: auto; border: 1px solid var(--line); padding: .6rem; font-size: 13px }
summary { cursor: pointer }
"""


def to_html(score: Score, changed: Sequence[Change] | None = None) -> str:
    """The page: the sums, what changed, every task with what came of it and its contract."""
    return "".join(_page(score, changed))


def _page(score: Score, changed: Sequence[Change] | None) -> Iterator[str]:
    yield '<!doctype html>\n<html lang="en"><meta charset="utf-8">'
    yield '<meta name="viewport" content="width=device-width">'
    yield f"<title>fwgen score</title><style>{_STYLE}</style>\n<h1>fwgen score</h1>\n"
    yield from _sums(score)
    yield from _levels(score)
    if changed is not None:
        yield from _changes(changed)
    yield from _entries("tasks", score.entries, score)
    if score.unproven:
        yield from _entries(
            "whose contract cannot tell enough yet: does not count", score.unproven, score
        )
    if score.left_out:
        yield "<h2>left out</h2><ul>"
        yield "".join(f"<li>{escape(text)}</li>" for text in score.left_out)
        yield "</ul>\n"
    yield "<h2>what was asked</h2>\n"
    for task in dict.fromkeys(entry.task for entry in (*score.entries, *score.unproven)):
        yield _asked(task)
    yield "</html>\n"


def _sums(score: Score) -> Iterator[str]:
    yield "<table><thead><tr><th>model</th><th>board</th>"
    heads = ["tasks", *(f"pass@{k}" for k in score.ks), "at once", "repairs", "tokens read",
             "tokens written", "cost", "bytes", "awake cycles/s"]  # fmt: skip
    yield "".join(f'<th class="n">{head}</th>' for head in heads)
    yield "<th>samples</th></tr></thead>\n<tbody>"
    for one in score.summaries:
        cells = [
            f"{one.measured} of {one.tasks}",
            *(percent(one.pass_at[k]) for k in score.ks),
            percent(one.at_once),
            "-" if one.repairs is None else f"{float(one.repairs):.2f}",
            _number(one.tokens_read or None),
            _number(one.tokens_written or None),
            "-" if one.cost is None else f"${float(one.cost):.4f}",
            _number(one.flash_bytes),
            _number(one.awake_per_second),
        ]
        yield f"<tr><td><b>{escape(one.model)}</b></td><td>{escape(one.board)}</td>"
        yield "".join(f'<td class="n">{cell}</td>' for cell in cells)
        yield f"<td>{counted(one)}</td></tr>\n"
    yield "</tbody></table>\n"


def _levels(score: Score) -> Iterator[str]:
    yield "<h2>pass@1 by level</h2><table><thead><tr><th>level</th>"
    yield "".join(f'<th class="n">{escape(_named(one))}</th>' for one in score.summaries)
    yield "</tr></thead>\n<tbody>"
    found = [by_level(_of(score, one)) for one in score.summaries]
    for level in sorted({level for levels in found for level in levels}):
        yield f"<tr><td>{level}: {escape(LEVELS[level])}</td>"
        for levels in found:
            share, count = levels.get(level, (None, 0))
            yield f'<td class="n">{percent(share)} of {count}</td>'
        yield "</tr>\n"
    yield "</tbody></table>\n"


def _changes(changed: Sequence[Change]) -> Iterator[str]:
    yield "<h2>changed</h2>"
    if not changed:
        yield "<p>Nothing, compared with the earlier score.</p>\n"
        return
    yield "<table><tbody>"
    for one in changed:
        yield f'<tr><td class="{one.kind}">{one.kind}</td><td>{escape(one.entry.task.name)}</td>'
        yield f"<td>{escape(one.entry.model)}</td><td>{escape(one.said)}</td></tr>\n"
    yield "</tbody></table>\n"


def _entries(title: str, entries: Sequence[Entry], score: Score) -> Iterator[str]:
    several = len(score.summaries) > 1
    yield f"<h2>{title}</h2><table><thead><tr><th>task</th><th>level</th>"
    yield "<th>model</th><th>board</th>" if several else ""
    yield '<th>samples</th><th class="n">bytes</th><th class="n">awake cycles/s</th>'
    yield "<th>why not</th></tr></thead>\n<tbody>"
    for entry in entries:
        best = entry.best
        yield f'<tr><td><a href="#{escape(entry.task.name)}">{escape(entry.task.name)}</a></td>'
        yield f"<td>{entry.task.level}</td>"
        if several:
            yield f"<td>{escape(entry.model)}</td><td>{escape(entry.board)}</td>"
        yield f"<td>{'<br>'.join(map(_mark, entry.records)) or 'not tried'}</td>"
        yield f'<td class="n">{_number(best.flash_bytes if best else None)}</td>'
        yield f'<td class="n">{_number(awake_per_second(best) if best else None)}</td>'
        said = dict.fromkeys(record.said for record in entry.records if record.said)
        yield f"<td>{'<br>'.join(map(escape, said))}</td></tr>\n"
    yield "</tbody></table>\n"


def _mark(record: Record) -> str:
    repairs = record.attempts - 1
    more = f" ({repairs} repaired)" if record.passed and repairs > 0 else ""
    return f'<span class="{record.outcome}">{MARKS[record.outcome]} {record.outcome}{more}</span>'


def _asked(task: Task) -> str:
    needs = f" Needs {escape(', '.join(task.needs))}." if task.needs else ""
    return (
        f'<details id="{escape(task.name)}"><summary><b>{escape(task.name)}</b>: '
        f"{escape(task.prompt)}</summary><p>{escape(task.title)}. The idea is from "
        f'<a href="{escape(task.url)}">{escape(task.origin)}</a>.{needs}</p>'
        f"<pre>{escape(task.contract)}</pre></details>\n"
    )


def _of(score: Score, one: Summary) -> list[Entry]:
    return [e for e in score.entries if (e.board, e.model) == (one.board, one.model)]


def _named(one: Summary) -> str:
    return f"{one.model} on {one.board}"


def _number(value: int | None) -> str:
    return "-" if value is None else str(value)
