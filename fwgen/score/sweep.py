"""Hands the cells that are still to do to an executor, and keeps what comes back as it comes."""

from __future__ import annotations

from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Future, wait
from fractions import Fraction
from typing import TYPE_CHECKING

from fwgen.errors import BenchError
from fwgen.score.trial import attempt

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from concurrent.futures import Executor

    from fwgen.score.cell import Cell
    from fwgen.score.ledger import Ledger
    from fwgen.score.trial import Record, Trial


def to_do(cells: Sequence[Cell], ledger: Ledger, *, again: bool = False) -> list[Cell]:
    """The cells of which nothing is known yet; an error is nothing known. ``again``: all."""
    if again:
        return list(cells)
    known = {key for key, record in ledger.records.items() if record.measured}
    return [cell for cell in cells if cell.key not in known]


def spent(ledger: Ledger, cells: Sequence[Cell]) -> Fraction:
    """US dollars that these cells took, as far as it is known."""
    records = (ledger.records.get(cell.key) for cell in cells)
    return sum((Fraction(r.cost) for r in records if r and r.cost), Fraction(0))


def sweep(
    cells: Sequence[Cell],
    ledger: Ledger,
    executor: Executor,
    *,
    width: int = 4,
    may_go_on: Callable[[], bool] = lambda: True,
    tell: Callable[[Cell, Record], None] = lambda cell, record: None,
) -> int:
    """Try cells, at most ``width`` of them under way at a time; returns how many were not begun.

    ``may_go_on`` is asked before each is begun. What is under way when something is raised
    (KeyboardInterrupt) is given up; what came before is kept. Raises OutputError, and BenchError
    where a worker ended for no reason that it could tell.
    """
    waiting = list(reversed(cells))
    under_way: dict[Future[Trial], Cell] = {}
    try:
        while waiting or under_way:
            while waiting and len(under_way) < width and may_go_on():
                cell = waiting.pop()
                under_way[executor.submit(attempt, cell)] = cell
            if not under_way:
                break
            for done in wait(under_way, return_when=FIRST_COMPLETED).done:
                cell = under_way.pop(done)
                trial = done.result()
                ledger.keep(cell, trial)
                tell(cell, trial.record)
    except BrokenExecutor:
        raise BenchError(
            "a worker ended in the middle of its work (out of memory?)",
            hint="what was done is kept: run it again, with fewer --jobs",
        ) from None
    finally:
        for future in under_way:
            future.cancel()
    return len(waiting)
