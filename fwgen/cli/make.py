"""``fwgen PROMPT``: the main job."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fwgen.cli.options import BoardOption, ContractOption, JsonOption, the_board
from fwgen.cli.output import put_json, screen
from fwgen.cli.plugged import ProbeOption
from fwgen.cli.rigs import FlashOption, RigNameOption, check_rig, confirmed_on

if TYPE_CHECKING:
    from fwgen.board.types import Board
    from fwgen.pipeline import Result

OUT = "fwgen-out"


def make(
    prompt: Annotated[list[str], typer.Argument(help="What the board should do, in words.")],
    *,
    board: BoardOption = "",
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", "-o", metavar="DIR", help=f"Output folder. [default: {OUT}/<prompt>-<board>]"
        ),
    ] = None,
    contract: ContractOption = None,
    model: Annotated[
        str, typer.Option("--model", "-m", metavar="M", help="Which model emits.")
    ] = "embedded",
    attempts: Annotated[
        int, typer.Option(min=1, metavar="N", help="How often the model may try.")
    ] = 3,
    flash: FlashOption = False,
    rig: RigNameOption = "",
    probe: ProbeOption = "",
    as_json: JsonOption = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only read: show the contract, emit nothing.")
    ] = False,
) -> int:
    """Make a firmware for a prompt and prove it (also: fwgen "PROMPT" --board B).

    Exit codes: 0 pass, 1 fail, 2 error, 3 unsure.
    """
    said = " ".join(prompt)
    the = the_board(board)
    if dry_run:
        return _dry_run(said, the, model, contract, as_json=as_json)
    folder = _folder(said, the, out)
    where: tuple[str, str] | None = None
    if flash or rig or probe:
        check_rig(the, rig)
        where = rig, probe
    if as_json:
        return _json(said, the, model, contract, folder, attempts, where)
    return _show(said, the, board, model, contract, folder, attempts, where)


def _folder(prompt: str, board: Board, out: Path | None) -> Path:
    """Where the files will go; refused now, not after the work, where they could not."""
    from fwgen.report.folder import check_folder, folder_name

    folder = out if out is not None else Path(OUT) / folder_name(prompt, board.name)
    check_folder(folder)
    return folder


def _show(
    prompt: str, board: Board, called: str, model: str, contract: Path | None, folder: Path,
    attempts: int, where: tuple[str, str] | None,
) -> int:  # fmt: skip
    from rich.text import Text

    from fwgen.image.emission import Emission
    from fwgen.model.protocol import Reading
    from fwgen.pipeline import Proof, generate
    from fwgen.report import console as show
    from fwgen.report.folder import contents, save

    console = screen()
    # Text, not str: Rich would load its emoji to look for some.
    with console.status(Text("reading the prompt")) as status:

        def observe(stage: object) -> None:
            match stage:
                case Reading():
                    show.show_title(console, board, model)
                    show.show_reading(console, stage)
                    status.update(Text("emitting machine code"))
                case Emission():
                    show.show_plan(console, stage.plan)
                    status.update(Text("running it in the machine"))
                case Proof():
                    show.show_image(console, stage)
                    show.show_verdict(console, stage)
                case _:
                    pass

        result = generate(
            prompt, board, model=model, contract=contract, attempts=attempts, observe=observe
        )
        status.update(Text("writing the files"))
        files = contents(result)
        save(files, folder)
    code = result.proof.verdict.exit_code
    if where is not None and result.passed:
        from fwgen.cli.plugged import progress
        from fwgen.report.rig import show_confirmed

        # What was made is saved already, whatever the rig says.
        with progress(screen(stderr=True)) as tell:
            confirmed = confirmed_on(result.proof, where[0], probe=where[1], progress=tell)
        show_confirmed(console, confirmed)
        files = contents(result, confirmed)
        save(files, folder)
        code = confirmed.outcome.exit_code
    elif where is not None:
        console.print("\n [dim]not flashed: it did not pass in the machine[/]")
    console.print()
    show.show_files(console, str(folder), list(files))
    console.print()
    show.show_next(console, _next_steps(folder, result, called))
    return code


def _json(
    prompt: str, board: Board, model: str, contract: Path | None, folder: Path, attempts: int,
    where: tuple[str, str] | None,
) -> int:  # fmt: skip
    from fwgen.pipeline import generate
    from fwgen.report.data import result_data
    from fwgen.report.folder import REPORT, contents, save

    result = generate(prompt, board, model=model, contract=contract, attempts=attempts)
    files = contents(result)
    save(files, folder)
    code = result.proof.verdict.exit_code
    confirmed = None
    if where is not None and result.passed:
        confirmed = confirmed_on(result.proof, where[0], probe=where[1])
        files = contents(result, confirmed)
        save(files, folder)
        code = confirmed.outcome.exit_code
    others = {name: content for name, content in files.items() if name != REPORT}
    put_json(result_data(result, others, confirmed) | {"folder": str(folder)})
    return code


def _dry_run(prompt: str, board: Board, model: str, contract: Path | None, *, as_json: bool) -> int:
    from fwgen.pipeline import read
    from fwgen.report import console as show

    reading = read(prompt, board, model=model, contract=contract)
    if as_json:
        from fwgen.report.data import reading_data

        put_json(reading_data(reading, model))
        return 0
    console = screen()
    show.show_title(console, board, model)
    show.show_reading(console, reading)
    console.print("\n [dim]dry run: nothing was emitted, nothing was written[/]\n")
    return 0


def _next_steps(folder: Path, result: Result, board: str) -> list[tuple[str, str]]:
    from fwgen.report.folder import LISTING

    def at(name: str) -> str:
        return shlex.quote(str(folder / name))

    # Typed as this one was: "uv run fwgen" where uv runs it.
    fwgen = "uv run fwgen" if "UV_RUN_RECURSION_DEPTH" in os.environ else "fwgen"
    on = f"--board {shlex.quote(board)}"
    steps = []
    if result.passed:
        drive = result.proof.board.probe.get("drive", "that the board shows when plugged in")
        steps.append(("flash", f"copy {at('firmware.bin')} onto the drive {drive}"))
        steps.append(("watch", f"{fwgen} run {at('firmware.elf')} {on}"))
    steps += [
        ("read", f"less {at(LISTING)}"),
        ("pins", f"gtkwave {at('trace.vcd')}"),
        ("verify", f"{fwgen} verify {at('firmware.hex')} {on} --contract {at('contract.toml')}"),
    ]
    return steps
