"""``fwgen restore``: what was on the chip, put back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from fwgen.cli.options import BoardOption, JsonOption, the_board
from fwgen.cli.output import put_json, screen
from fwgen.cli.plugged import (
    ProbeOption,
    programmed_data,
    progress,
    show_programmed,
    show_running,
)
from fwgen.cli.rigs import RigNameOption, reached

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fwgen.rig.backup import Backup


def restore(
    backup: Annotated[
        str,
        typer.Argument(
            help='Name of a backup, "last" for what the last flash replaced, or a .zip. '
            "[default: the whole flash as it was first seen]"
        ),
    ] = "",
    *,
    board: BoardOption = "",
    probe: ProbeOption = "",
    listed: Annotated[
        bool, typer.Option("--list", "-l", help="Only list what is kept; no board is needed.")
    ] = False,
    backed: Annotated[
        bool,
        typer.Option("--backup/--no-backup", help="Keep what is on the chip now, or not."),
    ] = True,
    rig: RigNameOption = "",
    as_json: JsonOption = False,
) -> int:
    """Put back what was on the chip before fwgen wrote to it, or list what is kept.

    Exit codes: 0 restored, 2 error.
    """
    if listed:
        return _list(as_json=as_json)
    the = the_board(board)
    with progress(screen(stderr=True)) as tell, reached(the, rig, probe=probe) as there:
        from fwgen.rig.backup import Store, choose_backup
        from fwgen.rig.flash import restore as put_back

        store = Store(there.connection.identity.unique_id or there.probe.uid)
        found = choose_backup(store.backups(), backup or None)
        done = put_back(there.connection, found, keep=backed, progress=tell)
    if as_json:
        data = programmed_data(done, the, there.probe)
        put_json(data | {"outcome": "restored", "restored": found.name})
        return 0
    from fwgen.report.console import section

    console = screen()
    console.print()
    console.print(section("restored", _describe(found)), soft_wrap=True)
    show_programmed(console, done, the, there.probe)
    show_running(console)
    return 0


def _list(*, as_json: bool) -> int:
    from fwgen.rig.backup import all_backups

    found = all_backups()
    if as_json:
        from fwgen.report.data import VERSION

        put_json(
            {
                "fwgen_report": VERSION,
                "outcome": "listed",
                "exit_code": 0,
                "backups": [_data(backup) for backup in found],
            }
        )
        return 0
    console = screen()
    console.print()
    if not found:
        console.print(" nothing is kept yet: the first flash of a board keeps what was on it\n")
        return 0
    from rich.text import Text

    from fwgen.report.layout import Columns

    rows: Sequence[tuple[Text | str, ...]] = [
        (Text(b.name, style="bold"), b.board, b.unique_id, f"{b.size // 1024} KB", _why(b))
        for b in found
    ]
    console.print(Columns(("backup", "board", "unique id", "size", "why"), rows))
    console.print("\n [dim]fwgen restore BACKUP --board B   puts one back[/]\n")
    return 0


def _describe(backup: Backup) -> str:
    return f"{backup.name}: {backup.size // 1024} KB of {backup.board}, {_why(backup)}"


def _why(backup: Backup) -> str:
    return f"{backup.why}; left by an interrupted flash" if backup.interrupted else backup.why


def _data(backup: Backup) -> dict[str, object]:
    return {
        "name": backup.name,
        "file": str(backup.path),
        "made": backup.made.isoformat(),
        "kind": backup.kind,
        "why": backup.why,
        "interrupted": backup.interrupted,
        "board": backup.board,
        "chip": backup.chip,
        "unique_id": backup.unique_id,
        "bytes": backup.size,
    }
