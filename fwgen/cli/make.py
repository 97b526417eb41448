"""``fwgen PROMPT``: the main job."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fwgen.cli.options import BoardOption, ContractOption, JsonOption, the_board

if TYPE_CHECKING:
    from fwgen.board.types import Board
    from fwgen.pipeline import Result

OUT = "fwgen-out"


def make(
    prompt: Annotated[list[str], typer.Argument(help="What the board should do, in words.")],
    *,
    board: BoardOption = "",
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help=f"Output folder. [default: {OUT}/<prompt>]")
    ] = None,
    contract: ContractOption = None,
    model: Annotated[str, typer.Option("--model", "-m", help="Which model emits.")] = "embedded",
    attempts: Annotated[int, typer.Option(min=1, help="How often the model may try.")] = 3,
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
    if as_json:
        return _json(said, the, model, contract, out, attempts)
    return _show(said, the, model, contract, out, attempts)


def _show(
    prompt: str, board: Board, model: str, contract: Path | None, out: Path | None, attempts: int
) -> int:
    from rich.console import Console

    from fwgen.image.emission import Emission
    from fwgen.model.protocol import Reading
    from fwgen.pipeline import Proof, generate
    from fwgen.report import console as show

    console = Console(highlight=False)
    show.show_title(console, board, model)
    with console.status("reading the prompt") as status:

        def observe(stage: object) -> None:
            match stage:
                case Reading():
                    show.show_reading(console, stage)
                    status.update("emitting machine code")
                case Emission():
                    show.show_plan(console, stage.plan)
                    status.update("running it in the machine")
                case Proof():
                    show.show_image(console, stage)
                    show.show_verdict(console, stage)
                case _:
                    pass

        result = generate(
            prompt, board, model=model, contract=contract, attempts=attempts, observe=observe
        )
        status.update("writing the files")
        folder, names = _save(result, out)
    console.print()
    show.show_files(console, _shown(folder), names)
    show.show_next(console, _next_steps(folder, board, passed=result.passed))
    return result.proof.verdict.exit_code


def _json(
    prompt: str, board: Board, model: str, contract: Path | None, out: Path | None, attempts: int
) -> int:
    from fwgen.pipeline import generate
    from fwgen.report.data import result_data, to_json
    from fwgen.report.folder import REPORT, contents

    result = generate(prompt, board, model=model, contract=contract, attempts=attempts)
    files = contents(result)
    folder, _ = _save(result, out, files)
    others = {name: content for name, content in files.items() if name != REPORT}
    sys.stdout.write(to_json(result_data(result, others) | {"folder": str(folder)}))
    return result.proof.verdict.exit_code


def _dry_run(prompt: str, board: Board, model: str, contract: Path | None, *, as_json: bool) -> int:
    from rich.console import Console

    from fwgen.contract import describe, dump_contract, load_contract
    from fwgen.model import find_model
    from fwgen.report import console as show
    from fwgen.report.data import to_json

    reading = find_model(model).read(prompt, board)
    stated = load_contract(contract, board) if contract is not None else reading.contract
    if as_json:
        said = {
            "fwgen_report": 1, "outcome": "dry-run", "exit_code": 0, "prompt": prompt,
            "board": board.name, "model": model, "understood": list(reading.understood),
            "assumed": list(reading.assumed), "contract": {"says": list(describe(stated, board))},
            "contract_toml": dump_contract(stated),
        }  # fmt: skip
        sys.stdout.write(to_json(said))
        return 0
    console = Console(highlight=False)
    show.show_title(console, board, model)
    from dataclasses import replace

    show.show_reading(console, replace(reading, contract=stated))
    console.print()
    console.print(" [dim]dry run: nothing was emitted, nothing was written[/]")
    console.print()
    return 0


def _save(
    result: Result, out: Path | None, files: dict[str, bytes] | None = None
) -> tuple[Path, list[str]]:
    from fwgen.report.folder import contents, folder_name, save

    files = contents(result) if files is None else files
    board = result.proof.board.name
    folder = out if out is not None else Path(OUT) / folder_name(result.reading.prompt, board)
    return save(files, folder), list(files)


def _shown(folder: Path) -> str:
    return str(folder)


def _next_steps(folder: Path, board: Board, *, passed: bool) -> list[tuple[str, str]]:
    from fwgen.report.folder import LISTING

    steps = []
    if passed:
        drive = board.probe.get("drive")
        if drive:
            steps.append(("flash", f"copy {folder / 'firmware.bin'} onto the drive {drive}"))
        steps.append(("watch", f"fwgen run {folder / 'firmware.elf'} --board {board.name}"))
    steps += [
        ("read", f"less {folder / LISTING}"),
        ("see pins", f"gtkwave {folder / 'trace.vcd'}"),
        (
            "verify",
            f"fwgen verify {folder / 'firmware.hex'} --board {board.name} "
            f"--contract {folder / 'contract.toml'}",
        ),
    ]
    return steps
