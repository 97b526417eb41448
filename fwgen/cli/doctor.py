"""``fwgen doctor``: what stands between this computer and the board."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwgen.cli.options import BoardOption, JsonOption
from fwgen.cli.output import put_json, screen
from fwgen.cli.plugged import ProbeOption, Rig, RigOption, plugged
from fwgen.errors import InputError

if TYPE_CHECKING:
    from rich.console import Console

    from fwgen.board.types import Board
    from fwgen.rig.doctor import Check

MARKS = {"ok": ("✔", "green"), "problem": ("✘", "bold red"), "unknown": ("?", "bold yellow")}


def doctor(
    *,
    board: BoardOption = "",
    probe: ProbeOption = "",
    rig: RigOption = Rig.REAL,
    as_json: JsonOption = False,
) -> int:
    """Look at everything between this computer and the board, and say what to do about it.

    Nothing is written to the chip. Exit codes: 0 all is well, 1 something is not, 2 error.
    """
    from fwgen.board import load_board

    the = load_board(board) if board else None
    if rig is Rig.REAL:
        return _examine(the, probe, as_json=as_json)
    if the is None:
        raise InputError("a virtual board needs a name", hint="add --board NAME")
    with plugged(the, rig) as virtual:
        return _examine(the, probe or (virtual.uid if virtual else ""), as_json=as_json)


def _examine(board: Board | None, probe: str, *, as_json: bool) -> int:
    from fwgen.board import board_of_probe
    from fwgen.rig.doctor import Surroundings, examine

    checks = []
    console = screen()
    if not as_json:
        console.print()
    for check in examine(board, probe or None, Surroundings(boards=board_of_probe)):
        checks.append(check)
        if not as_json:
            _show(console, check)
    problems = sum(check.state == "problem" for check in checks)
    if as_json:
        from fwgen.report.data import VERSION

        put_json(
            {
                "fwgen_report": VERSION,
                "outcome": "problems" if problems else "well",
                "exit_code": int(problems > 0),
                "checks": [
                    {"name": c.name, "state": c.state, "said": c.said, "cure": c.cure}
                    for c in checks
                ],
            }
        )
    else:
        console.print(f"\n {problems or 'no'} problem{'s' if problems != 1 else ''} found\n")
    return int(problems > 0)


def _show(console: Console, check: Check) -> None:
    from rich.text import Text

    from fwgen.report.layout import Paragraph

    mark, style = MARKS[check.state]
    label = Text.assemble((f"{mark} ", style), (check.name, "cyan"))
    console.print(Paragraph(label, [check.said], width=15))
    for line in check.cure.splitlines():
        if line.startswith("SUBSYSTEM"):
            # One line however long it is: what is to be copied must not be broken up.
            console.print(Text(line), soft_wrap=True)
        else:
            console.print(Paragraph("", [Text(line, style="yellow")], width=15))
