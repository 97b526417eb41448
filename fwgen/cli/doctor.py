"""``fwgen doctor``: what stands between this computer and the board."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

from fwgen.cli.options import BoardOption, JsonOption
from fwgen.cli.output import put_json, screen
from fwgen.cli.plugged import ProbeOption
from fwgen.cli.rigs import RigNameOption, lent_to_us, spec_of

if TYPE_CHECKING:
    from rich.console import Console

    from fwgen.board.types import Board
    from fwgen.rig.doctor import Check
    from fwgen.rig.rigs import RigSpec

MARKS = {"ok": ("✔", "green"), "problem": ("✘", "bold red"), "unknown": ("?", "bold yellow")}


def doctor(
    *,
    board: BoardOption = "",
    probe: ProbeOption = "",
    rig: RigNameOption = "",
    as_json: JsonOption = False,
) -> int:
    """Look at everything between this computer and the board, and say what to do about it.

    With --rig what its file names is looked for: its probe, port, wires and logic analyser.
    Nothing is written to the chip. Exit codes: 0 all is well, 1 something is not, 2 error.
    """
    from fwgen.board import load_board

    the = load_board(board) if board else None
    spec = spec_of(rig, the)
    if the is None and spec.board:
        the = load_board(spec.board)
    with ExitStack() as held:
        if spec.labgrid is not None:
            spec = lent_to_us(held, spec)
            the = the or load_board(spec.board)
        if spec.virtual:
            from fwgen.virtual.board import VirtualBoard

            assert the is not None
            made = held.enter_context(VirtualBoard(the))
            held.enter_context(made.plugged())
            probe = probe or made.uid
        return _examine(the, probe, spec, as_json=as_json)


def _examine(board: Board | None, probe: str, rig: RigSpec, *, as_json: bool) -> int:
    from fwgen.board import board_of_probe
    from fwgen.rig.doctor import Surroundings, examine

    checks = []
    console = screen()
    if not as_json:
        console.print()
    known = rig if rig.where else None
    for check in examine(board, probe or None, Surroundings(boards=board_of_probe), known):
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
