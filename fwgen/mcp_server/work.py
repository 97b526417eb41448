"""Long work in a thread: progress while it goes on, an end when the client cancels.

A run of the machine ends at once: its worker process is killed. Work on a board ends while it
only reads; once something is erased or programmed it is carried through, because half a firmware
is worse than a late answer.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from typing import TYPE_CHECKING, Any, TypeVar

import anyio
import anyio.to_thread

from fwgen.errors import FwgenError

if TYPE_CHECKING:
    from collections.abc import Callable

    from mcp.server.mcpserver import Context

    from fwgen.board.types import Board
    from fwgen.machine.confined import ConfinedMachine

_T = TypeVar("_T")
LOOK_S = 0.1
TELL_S = 1.0  # between two words of progress in which nothing new is said
READING = frozenset({"read", "check", "back up"})  # what a flash does before it changes anything
MACHINES = max(1, (os.cpu_count() or 2) // 2)  # that run at once, whoever asks


class CancelledWorkError(FwgenError):
    """The client wants it no more."""


class Phase:
    """What is being done now, told by the thread that does it."""

    def __init__(self, said: str) -> None:
        self.said = said
        self.began = time.monotonic()
        self.cancelled = threading.Event()
        self.writes = False  # something on the board was changed

    def __call__(self, said: str) -> None:
        """Say what comes now. Raises CancelledWorkError when nobody wants it any more."""
        self._leave()
        self.said = said

    def flash(self, what: str, done: int, total: int) -> None:
        """Progress of a flash, as ``fwgen.rig.flash`` tells it."""
        if what in READING and not self.writes:
            self._leave()
        else:
            self.writes = True
        self.said = f"{what}: {done} of {total} bytes"

    def _leave(self) -> None:
        if self.cancelled.is_set() and not self.writes:
            raise CancelledWorkError("cancelled; nothing was written to the board")


async def _tell(ctx: Context[Any, Any], phase: Phase) -> None:
    """Progress notifications, where the client asked for them: seconds so far, and what is done."""
    said, last = "", -TELL_S
    while True:
        passed = time.monotonic() - phase.began
        if phase.said != said or passed - last >= TELL_S:
            said, last = phase.said, passed
            with contextlib.suppress(anyio.ClosedResourceError, anyio.BrokenResourceError):
                await ctx.report_progress(round(passed, 1), None, said)
        await anyio.sleep(LOOK_S)


async def _heed(phase: Phase) -> None:
    """Let the thread know that it is cancelled: it is waited for all the same."""
    try:
        await anyio.sleep_forever()
    finally:
        phase.cancelled.set()


async def in_machine(
    ctx: Context[Any, Any],
    board: Board,
    run_s: float,
    slots: anyio.CapacityLimiter,
    work: Callable[[ConfinedMachine, Phase], _T],
) -> _T:
    """Do some work with a confined machine of its own.

    Raises what ``work`` raises, where that is a FwgenError.
    """
    from fwgen.machine.confined import ConfinedMachine

    phase = Phase("waiting for other runs to end" if slots.available_tokens < 1 else "starting")
    failed: FwgenError | None = None
    made: list[_T] = []

    def run(machine: ConfinedMachine) -> None:
        made.append(work(machine, phase))

    async with anyio.create_task_group() as group:
        group.start_soon(_tell, ctx, phase)
        with ConfinedMachine(board, patience_s=run_s) as machine:
            try:
                async with slots:
                    await anyio.to_thread.run_sync(run, machine, abandon_on_cancel=True)
            except FwgenError as error:
                failed = error
            finally:
                machine.end()
        group.cancel_scope.cancel()
    if failed is not None:
        raise failed
    return made[0]


async def on_board(
    ctx: Context[Any, Any], alone: anyio.Lock, said: str, work: Callable[[Phase], _T]
) -> _T:
    """Do some work on what is plugged in, one at a time.

    Raises what ``work`` raises, where that is a FwgenError.
    """
    phase = Phase(said)
    failed: FwgenError | None = None
    made: list[_T] = []

    def run() -> None:
        made.append(work(phase))

    async with alone, anyio.create_task_group() as group:
        group.start_soon(_tell, ctx, phase)
        group.start_soon(_heed, phase)
        try:
            await anyio.to_thread.run_sync(run)
        except FwgenError as error:
            failed = error
        group.cancel_scope.cancel()
    if failed is not None:
        raise failed
    return made[0]
