"""``fwgen flash``: a firmware onto the board."""

from __future__ import annotations

from typing import Annotated

import typer

from fwgen.cli.options import BoardOption, ImageArgument, JsonOption, the_board
from fwgen.cli.output import put_json, screen
from fwgen.cli.plugged import (
    ProbeOption,
    programmed_data,
    progress,
    show_programmed,
    show_running,
)
from fwgen.cli.rigs import RigNameOption, reached


def flash(
    image: ImageArgument,
    *,
    board: BoardOption = "",
    probe: ProbeOption = "",
    backup: Annotated[
        bool | None,
        typer.Option(
            "--backup/--no-backup",
            help="Keep the whole flash first, or nothing of it. "
            "[default: the whole the first time, later what is erased]",
        ),
    ] = None,
    keep: Annotated[
        bool, typer.Option("--keep", help="Keep what lies beside the image in its sectors.")
    ] = False,
    force: Annotated[
        bool,
        typer.Option(
            "--force",
            help="Also firmware that fwgen marked as failed, and sectors that hold it already.",
        ),
    ] = False,
    rig: RigNameOption = "",
    as_json: JsonOption = False,
) -> int:
    """Put a firmware onto the board: erase, program, read back, compare, reset, run.

    Another chip than the board's is refused before anything is written. Exit codes: 0 flashed,
    2 error.
    """
    from fwgen.image.load import load_image
    from fwgen.report.folder import refuse_failed

    the = the_board(board)
    if not force:
        refuse_failed(image)
    loaded = load_image(image, the)
    with progress(screen(stderr=True)) as tell, reached(the, rig, probe=probe) as there:
        from fwgen.rig.flash import program

        done = program(
            there.connection, loaded, backup=backup, keep=keep, force=force, progress=tell
        )  # fmt: skip
    if as_json:
        put_json(programmed_data(done, the, there.probe))
        return 0
    console = screen()
    console.print()
    show_programmed(console, done, the, there.probe)
    show_running(console)
    return 0
