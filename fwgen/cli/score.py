"""``fwgen score``: how many tasks a model gets right, and what that takes."""

from __future__ import annotations

import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fwgen.cli.options import JsonOption
from fwgen.cli.output import put_json, screen
from fwgen.errors import InputError
from fwgen.score.task import BOARD

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from concurrent.futures import Executor

    from fwgen.score.cell import Cell, Plan
    from fwgen.score.compare import Change
    from fwgen.score.ledger import Ledger
    from fwgen.score.summary import Score
    from fwgen.score.task import Task
    from fwgen.score.trial import Record

OUT = Path("fwgen-out", "score")


def score(
    *,
    tasks: Annotated[
        list[str] | None,
        typer.Option(
            "--tasks",
            "-t",
            metavar="WORD",
            help='Only tasks of this name or tag; "blink*" is fine. May be repeated.',
        ),
    ] = None,
    task_set: Annotated[
        Path | None,
        typer.Option("--set", metavar="DIR", help="Tasks of your own: a folder with one for each."),
    ] = None,
    model: Annotated[
        list[str] | None,
        typer.Option(
            "--model",
            "-m",
            metavar="M",
            help="embedded, PROVIDER/NAME, replay:FILE or FOLDER; repeat. [default: embedded]",
        ),
    ] = None,
    board: Annotated[
        list[str] | None,
        typer.Option(
            "--board",
            "-b",
            envvar="FWGEN_BOARD",
            metavar="B",
            help=f"Board name, a board's TOML file, or all; repeat. [default: {BOARD}]",
        ),
    ] = None,
    samples: Annotated[
        int, typer.Option(min=1, metavar="N", help="How often each task is asked for anew.")
    ] = 1,
    k: Annotated[
        list[int] | None,
        typer.Option("--k", min=1, metavar="K", help="Also tell pass@K. [default: N]"),
    ] = None,
    attempts: Annotated[
        int, typer.Option(min=1, metavar="N", help="How often a model may try within a sample.")
    ] = 3,
    max_tokens: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Most tokens of a sample.")
    ] = None,
    max_cost: Annotated[
        str | None, typer.Option(metavar="USD", help="Most US dollars of a sample.")
    ] = None,
    timeout: Annotated[
        float | None,
        typer.Option(min=0.001, metavar="S", help="Most seconds of a sample. [default: 900]"),
    ] = None,
    total_cost: Annotated[
        str | None,
        typer.Option(metavar="USD", help="Begin nothing more once so many US dollars are spent."),
    ] = None,
    pure: Annotated[
        bool, typer.Option("--pure", help="Every byte is the model's own: no proven blocks.")
    ] = False,
    jobs: Annotated[
        int | None,
        typer.Option("--jobs", "-j", min=1, metavar="N", help="Processes. [default: one a core]"),
    ] = None,
    dask: Annotated[
        str, typer.Option("--dask", metavar="ADDRESS", help="Have a dask cluster do the work.")
    ] = "",
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="DIR", help="Folder that it is kept in.")
    ] = OUT,
    again: Annotated[
        bool, typer.Option("--again", help="Do anew what is kept there already.")
    ] = False,
    compare: Annotated[
        Path | None,
        typer.Option("--compare", metavar="OLD", help="Tell what changed since these results."),
    ] = None,
    min_pass: Annotated[
        float | None,
        typer.Option(min=0, max=1, metavar="X", help="Exit with 1 where pass@1 is below this."),
    ] = None,
    listed: Annotated[bool, typer.Option("--list", help="Only list the tasks.")] = False,
    as_json: JsonOption = False,
) -> int:
    """Have models do tasks, prove what they make, and tell how many pass.

    What is done is kept: end it whenever you like, and run it again to go on. Exit codes: 0 done,
    1 below --min-pass or worse than --compare, 2 error, or something could not be measured.
    """
    from fwgen.score.task import list_tasks

    chosen = list_tasks(tasks or (), task_set)
    if listed:
        return _list(chosen, as_json=as_json)
    from fwgen.score.cell import Wishes, plan
    from fwgen.score.compare import changes
    from fwgen.score.ledger import load_records, open_ledger
    from fwgen.score.summary import score as sum_up

    before = load_records(compare) if compare is not None else None  # before anything is asked
    wishes = Wishes(attempts, max_tokens, _dollars(max_cost, "--max-cost"), timeout, pure)
    the_plan = plan(
        chosen, _boards(board or [BOARD]), model or ["embedded"], samples=samples, wishes=wishes
    )
    if not the_plan.cells:
        raise InputError("there is nothing to try", hint="no model has anything on these tasks")
    with open_ledger(out) as ledger:
        work = _Work(the_plan, ledger, jobs, dask, _dollars(total_cost, "--total-cost"))
        left = work.do(again=again, quiet=as_json)
        the_score = sum_up(the_plan, ledger.records, k or (samples,))
        changed = None if before is None else changes(the_score, before)
        page = _write_page(ledger, the_score, changed)
    code = _exit_code(the_score, changed, min_pass)
    if as_json:
        from fwgen.report.score import score_data

        put_json(score_data(the_score, changed, code) | {"folder": str(out), "html": str(page)})
    else:
        _show(the_score, changed, out, page, work, left)
    return code


class _Work:
    """What is to be done, and by whom."""

    def __init__(
        self, the_plan: Plan, ledger: Ledger, jobs: int | None, dask: str, most: str | None
    ) -> None:
        self.plan, self.ledger = the_plan, ledger
        self.jobs, self.dask, self.most = jobs or os.cpu_count() or 1, dask, most
        self.kept = self.done = 0

    def do(self, *, again: bool, quiet: bool) -> int:
        """Do what is not done yet; returns how many were not begun for want of money."""
        from fwgen.score.sweep import sweep, to_do

        cells = to_do(self.plan.cells, self.ledger, again=again)
        self.kept = len(self.plan.cells) - len(cells)
        if not cells:
            return 0
        try:
            with self._executor(len(cells)) as (executor, width), _told(len(cells), quiet) as tell:
                return sweep(
                    cells, self.ledger, executor, width=width, may_go_on=self._may_go_on,
                    tell=lambda cell, record: tell(self._count(), cell, record),
                )  # fmt: skip
        except KeyboardInterrupt:
            kept = f"{self.kept + self.done} of {len(self.plan.cells)} are kept"
            raise KeyboardInterrupt(
                f"{kept} in {self.ledger.folder}; the same command goes on from there"
            ) from None

    @contextmanager
    def _executor(self, cells: int) -> Iterator[tuple[Executor, int]]:
        if self.dask:
            from fwgen.score.cluster import cluster

            with cluster(self.dask) as (executor, cores):
                yield executor, 2 * cores
            return
        from fwgen.score.pool import pool

        jobs = min(self.jobs, cells)
        with pool(jobs) as executor:
            # One more is at hand when one is done; more would spend after the limit was reached.
            yield executor, jobs + (self.most is None)

    def _may_go_on(self) -> bool:
        from fractions import Fraction

        from fwgen.score.sweep import spent

        return self.most is None or spent(self.ledger, self.plan.cells) < Fraction(self.most)

    def _count(self) -> int:
        self.done += 1
        return self.done


@contextmanager
def _told(cells: int, quiet: bool) -> Iterator[Callable[[int, Cell, Record], None]]:
    """One line for how far it is, at a terminal; nothing elsewhere."""
    if quiet:
        yield lambda number, cell, record: None
        return
    from rich.text import Text

    console = screen(stderr=True)
    passed = 0
    with console.status(Text(f"0 of {cells}")) as status:

        def tell(number: int, cell: Cell, record: Record) -> None:
            nonlocal passed
            passed += record.passed
            last = f"{cell.task.name}: {record.outcome}"
            status.update(Text(f"{number} of {cells}, {passed} passed; last {last}"))

        yield tell


def _boards(named: list[str]) -> list[str]:
    """The boards that are meant; "all" are those of this installation."""
    if "all" not in named:
        return named
    from fwgen.board import list_boards

    return [known.name for known in list_boards()]


def _dollars(said: str | None, option: str) -> str | None:
    """An amount as it was typed. Raises InputError for what is none."""
    if said is None:
        return None
    try:
        amount = float(said)
    except ValueError:
        amount = -1.0
    if not 0 <= amount < 1e9 or "e" in said.casefold() or "_" in said:
        raise InputError(f"{said!r} is no amount of dollars", where=option, hint='such as "0.50"')
    return said.strip()


def _exit_code(the_score: Score, changed: tuple[Change, ...] | None, min_pass: float | None) -> int:
    """2 where something was not measured, 1 where it is not good enough."""
    if not the_score.complete:
        return 2
    if any(change.kind == "worse" for change in changed or ()):
        return 1
    if min_pass is None:
        return 0
    shares = [one.pass_at[1] for one in the_score.summaries]
    return int(any(share is None or share < min_pass for share in shares))


def _write_page(ledger: Ledger, the_score: Score, changed: tuple[Change, ...] | None) -> Path:
    from fwgen.image.write import write_atomic
    from fwgen.report.score_page import to_html
    from fwgen.score.ledger import PAGE

    return write_atomic(ledger.folder / PAGE, to_html(the_score, changed).encode())


def _show(
    the_score: Score,
    changed: tuple[Change, ...] | None,
    out: Path,
    page: Path,
    work: _Work,
    left: int,
) -> None:
    from fwgen.report.layout import Paragraph
    from fwgen.report.score import show_score
    from fwgen.score.ledger import RESULTS

    console = screen()
    show_score(console, the_score, changed)
    console.print()
    if work.kept:
        said = f"{work.kept} of {len(work.plan.cells)} were there already (--again does them anew)"
        console.print(Paragraph("kept", [said]))
    if left:
        said = f"{left} were not begun: --total-cost is spent; raise it to go on"
        console.print(Paragraph("stopped", [said]))
    if any("error" in one.counts for one in the_score.summaries):
        console.print(Paragraph("errors", ["the same command tries them again"]))
    console.print(Paragraph("results", [str(out / RESULTS)]), soft_wrap=True)
    console.print(Paragraph("page", [str(page)]), soft_wrap=True)
    console.print()


def _list(chosen: list[Task], *, as_json: bool) -> int:
    if as_json:
        from fwgen.report.score import tasks_data

        put_json(tasks_data(chosen))
    else:
        from fwgen.report.score import show_tasks

        show_tasks(screen(), chosen)
    return 0
