"""What the commands for a real board share: which rig, which probe, how far it is."""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from fwgen.errors import RigError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import Console
    from rich.progress import TaskID

    from fwgen.board.types import Board
    from fwgen.rig.flash import Programmed
    from fwgen.rig.probes import Probe

ProbeOption = Annotated[
    str,
    typer.Option(
        "--probe",
        metavar="UID",
        help="Serial number of the probe, or a part of it; or remote:HOST:PORT.",
    ),
]


def the_probe(board: Board, wanted: str) -> Probe:
    """The probe that is meant; at a terminal, who has several is asked.

    Raises RigError when there is none, or several and nobody to ask.
    """
    from fwgen.rig.probes import REMOTE, choose_probe, find_probes

    if wanted.startswith(REMOTE):
        return choose_probe(board, wanted)
    found = find_probes()
    try:
        return choose_probe(board, wanted or None, found)
    except RigError:
        matching = [probe for probe in found if wanted.casefold() in probe.uid.casefold()]
        at_terminal = sys.stdin.isatty() and sys.stderr.isatty()
        chosen = _ask(matching) if at_terminal and len(matching) > 1 else None
        if chosen is None:
            raise
        return chosen


def _ask(probes: Sequence[Probe]) -> Probe | None:
    """Which of them is meant; None when the answer is the end of the input."""
    for number, probe in enumerate(probes, 1):
        typer.echo(f" {number}  {probe}", err=True)
    while True:
        typer.echo("which one? ", nl=False, err=True)
        line = sys.stdin.readline()
        said = line.strip()
        if said.isdigit() and 1 <= int(said) <= len(probes):
            return probes[int(said) - 1]
        if not line:
            return None


class Bar:
    """How far a flash is, as a bar that goes when it is done; nothing where nobody looks."""

    def __init__(self, console: Console) -> None:
        from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

        columns = (TextColumn(" {task.description:<10}"), BarColumn(), DownloadColumn())
        self._bar = Progress(
            *columns, console=console, transient=True, disable=not console.is_terminal
        )
        self._tasks: dict[str, TaskID] = {}

    def __call__(self, what: str, done: int, total: int) -> None:
        """Hear how far it is."""
        if not self._tasks:
            self._bar.start()
        if what not in self._tasks:
            self._tasks[what] = self._bar.add_task(what, total=total)
        self._bar.update(self._tasks[what], completed=done, total=total)

    def close(self) -> None:
        """Take the bar away; whatever is printed next stands where it was."""
        if self._tasks:
            self._bar.stop()
            for task in self._tasks.values():
                self._bar.remove_task(task)
            self._tasks.clear()


@contextlib.contextmanager
def progress(console: Console) -> Iterator[Bar]:
    """A bar while it lasts, where somebody looks."""
    bar = Bar(console)
    try:
        yield bar
    finally:
        bar.close()


def programmed_data(done: Programmed, board: Board, probe: Probe) -> dict[str, object]:
    """What a flash did, for programs."""
    from fwgen.report.data import VERSION

    identity = done.identity
    return {
        "fwgen_report": VERSION,
        "outcome": "flashed",
        "exit_code": 0,
        "board": board.name,
        "probe": probe.uid,
        "chip": {
            "name": identity.name,
            "idcode": identity.idcode,
            "flash_bytes": identity.flash_bytes,
            "unique_id": identity.unique_id,
        },
        "erased": list(done.erased),
        "programmed": list(done.programmed),
        "skipped": list(done.skipped),
        "bytes": done.bytes,
        "backup": done.backup.name if done.backup else None,
        "notes": list(done.notes),
    }


def show_programmed(console: Console, done: Programmed, board: Board, probe: Probe) -> None:
    """What a flash did, for people."""
    from rich.text import Text

    from fwgen.report.console import section
    from fwgen.report.layout import LABEL

    console.print(section("probe", str(probe)))
    console.print(section("chip", f"{board.chip.title}, unique id {done.identity.unique_id}"))
    if done.backup:
        what = "all of the flash" if done.backup.kind == "whole" else "what is replaced"
        console.print(
            section("kept", f"{what}, as it was: fwgen restore {done.backup.name}"),
            soft_wrap=True,
        )
        # One line however long it is: what is to be copied must not be broken up.
        console.print(Text(f"{' ' * (LABEL + 2)}{done.backup.path}", style="dim"), soft_wrap=True)
    for note in done.notes:
        console.print(section("note", note, style="yellow"))
    console.print(section("flash", *_told(done)))


def show_running(console: Console) -> None:
    """That the board was let go, and runs what it holds now."""
    from rich.text import Text

    from fwgen.report.layout import Paragraph

    console.print()
    console.print(Paragraph(Text("✔", style="green"), ["the board runs it"], width=1, hang=0))
    console.print()


def _told(done: Programmed) -> list[str]:
    if not done.programmed:
        return ["nothing to do: the chip holds it already"]
    lines = [
        f"{done.bytes} bytes programmed, read back and compared in {done.seconds:.2f} s",
        f"{_counted(done.erased)} erased" + (
            f", {_counted(done.skipped)} held it already" if done.skipped else ""
        ),
    ]  # fmt: skip
    if not done.erased:
        lines[1] = "nothing had to be erased"
    return lines


def _counted(sectors: Sequence[int]) -> str:
    listed = ", ".join(map(str, sectors))
    return f"sector {listed}" if len(sectors) == 1 else f"sectors {listed}"
