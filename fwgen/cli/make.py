"""``fwgen PROMPT``: the main job."""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fwgen.cli.asking import (
    Wishes,
    check_yes,
    choose,
    confirm,
    spent_words,
    told_where,
    watch_remote,
)
from fwgen.cli.options import BoardOption, ContractOption, JsonOption, the_board
from fwgen.cli.output import put_json, screen
from fwgen.cli.plugged import ProbeOption
from fwgen.cli.rigs import FlashOption, ForceOption, RigNameOption, check_rig, confirmed_on

if TYPE_CHECKING:
    from fwgen.board.types import Board
    from fwgen.model.protocol import Model
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
        str,
        typer.Option(
            "--model",
            "-m",
            metavar="M",
            help="Which model emits: embedded, PROVIDER/NAME, replay:FILE. [default: embedded]",
        ),
    ] = "",
    attempts: Annotated[
        int, typer.Option(min=1, metavar="N", help="How often the model may try.")
    ] = 3,
    samples: Annotated[
        int,
        typer.Option(min=1, max=16, metavar="N", help="So many side by side; the best is kept."),
    ] = 1,
    max_tokens: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Most tokens of a run, read and written.")
    ] = None,
    max_cost: Annotated[
        float | None, typer.Option(min=0, metavar="USD", help="Most US dollars of a run.")
    ] = None,
    timeout: Annotated[
        float | None,
        typer.Option(min=0.001, metavar="S", help="Most seconds of a remote model. [default: 900]"),
    ] = None,
    pure: Annotated[
        bool, typer.Option("--pure", help="Every byte is the model's own: no proven blocks.")
    ] = False,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Take a remote model's contract without asking.")
    ] = False,
    verbose: Annotated[
        bool,
        typer.Option("--verbose", "-v", help="Tell what a remote model was sent, and took."),
    ] = False,
    flash: FlashOption = False,
    rig: RigNameOption = "",
    probe: ProbeOption = "",
    force: ForceOption = False,
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
    wishes = Wishes(max_tokens, max_cost, timeout, pure, yes, verbose)
    chosen, about = choose(model, wishes, said, the)
    if dry_run:
        return _dry_run(said, the, chosen, contract, as_json=as_json)
    check_yes(chosen, wishes, contract=contract is not None, json=as_json)
    folder = _folder(said, the, out)
    where: tuple[str, str] | None = None
    if flash or rig or probe:
        check_rig(the, rig)
        where = rig, probe
    job = _Job(said, the, board, chosen, contract, folder, attempts, samples, where, force)
    return _json(job) if as_json else _show(job, wishes, about)


@dataclass(frozen=True, slots=True)
class _Job:
    """What is to be made, how, and where it goes.

    ``called`` is the board as it was named, ``where`` the rig and the probe to confirm it on,
    ``force`` though it may lock the board.
    """

    prompt: str
    board: Board
    called: str
    model: Model
    contract: Path | None
    folder: Path
    attempts: int
    samples: int
    where: tuple[str, str] | None
    force: bool


def _folder(prompt: str, board: Board, out: Path | None) -> Path:
    """Where the files will go; refused now, not after the work, where they could not."""
    from fwgen.report.folder import check_folder, folder_name

    folder = out if out is not None else Path(OUT) / folder_name(prompt, board.name)
    check_folder(folder)
    return folder


def _show(job: _Job, wishes: Wishes, about: tuple[str, ...]) -> int:
    from rich.text import Text

    from fwgen.image.emission import Emission
    from fwgen.image.problems import UnsoundEmissionError
    from fwgen.model.protocol import Reading
    from fwgen.pipeline import Proof, generate
    from fwgen.report import console as show
    from fwgen.report.folder import contents, save

    console = screen()
    attempt, linking = 0, False
    # Text, not str: Rich would load its emoji to look for some.
    with console.status(Text("reading the prompt")) as status:

        def observe(stage: object) -> None:
            nonlocal attempt, linking
            match stage:
                case Reading():
                    if not asks:
                        show.show_title(console, job.board, job.model.name)
                        show.show_notes(console, about)
                    show.show_reading(console, stage)
                    status.update(Text("emitting machine code"))
                case Emission():
                    attempt, linking = attempt + 1, True
                    status.update(Text("running it in the machine"))
                case UnsoundEmissionError():
                    attempt, linking = attempt + (not linking), False
                    show.show_attempt(console, attempt, str(stage.problems[0]))
                case Proof():
                    linking = False
                    if attempt < job.attempts and not stage.passed and not _is_trusted(job.model):
                        first = stage.verdict.first_departure
                        show.show_attempt(
                            console, attempt, first.text if first else "it does not pass"
                        )
                    status.update(Text("emitting machine code"))
                case _:
                    pass

        asks = watch_remote(job.model, status)
        if asks:  # who is asked, and what that may cost, is said before it is
            show.show_title(console, job.board, job.model.name)
            show.show_notes(console, about)
        ask = confirm(console, status, job.model, wishes, contract=job.contract is not None)
        with told_where(job.model):
            result = generate(
                job.prompt, job.board, model=job.model, contract=job.contract,
                attempts=job.attempts, samples=job.samples, confirm=ask, observe=observe,
            )  # fmt: skip
        show.show_plan(console, result.emission.plan)
        show.show_image(console, result.proof)
        show.show_verdict(console, result.proof)
        show.show_stopped(console, result)
        if wishes.verbose:
            show.show_notes(console, spent_words(job.model, result.reading))
        status.update(Text("writing the files"))
        files = contents(result)
        save(files, job.folder)
    code = result.proof.verdict.exit_code
    if job.where is not None and result.passed:
        from fwgen.report.rig import show_confirmed

        # What was made is saved already, whatever the rig says.
        confirmed = confirmed_on(
            result.proof, job.where[0], probe=job.where[1], force=job.force, console=console
        )
        show_confirmed(console, confirmed)
        files = contents(result, confirmed)
        save(files, job.folder)
        code = confirmed.outcome.exit_code
    elif job.where is not None:
        console.print("\n [dim]not flashed: it did not pass in the machine[/]")
    console.print()
    show.show_files(console, str(job.folder), list(files))
    console.print()
    show.show_next(console, _next_steps(job, result))
    return code


def _is_trusted(model: Model) -> bool:
    return getattr(model, "trusted", False)


def _json(job: _Job) -> int:
    from fwgen.pipeline import generate
    from fwgen.report.data import result_data
    from fwgen.report.folder import REPORT, contents, save

    with told_where(job.model):
        result = generate(
            job.prompt, job.board, model=job.model, contract=job.contract, attempts=job.attempts,
            samples=job.samples,
        )  # fmt: skip
    files = contents(result)
    save(files, job.folder)
    code = result.proof.verdict.exit_code
    confirmed = None
    if job.where is not None and result.passed:
        confirmed = confirmed_on(result.proof, job.where[0], probe=job.where[1], force=job.force)
        files = contents(result, confirmed)
        save(files, job.folder)
        code = confirmed.outcome.exit_code
    others = {name: content for name, content in files.items() if name != REPORT}
    put_json(result_data(result, others, confirmed) | {"folder": str(job.folder)})
    return code


def _dry_run(
    prompt: str, board: Board, model: Model, contract: Path | None, *, as_json: bool
) -> int:
    from fwgen.pipeline import read
    from fwgen.report import console as show

    with told_where(model):
        reading = read(prompt, board, model=model, contract=contract)
    if as_json:
        from fwgen.report.data import reading_data

        put_json(reading_data(reading, model.name))
        return 0
    console = screen()
    show.show_title(console, board, model.name)
    show.show_reading(console, reading)
    console.print("\n [dim]dry run: nothing was emitted, nothing was written[/]\n")
    return 0


def _next_steps(job: _Job, result: Result) -> list[tuple[str, str]]:
    from fwgen.report.folder import LISTING

    def at(name: str) -> str:
        return shlex.quote(str(job.folder / name))

    # Typed as this one was: "uv run fwgen" where uv runs it.
    fwgen = "uv run fwgen" if "UV_RUN_RECURSION_DEPTH" in os.environ else "fwgen"
    on = f"--board {shlex.quote(job.called)}"
    steps = []
    if result.passed:
        if job.where is None:
            steps.append(("flash", f"{fwgen} flash {at('firmware.hex')} {on}"))
        steps.append(("watch", f"{fwgen} run {at('firmware.elf')} {on}"))
    steps += [
        ("read", f"less {at(LISTING)}"),
        ("pins", f"gtkwave {at('trace.vcd')}"),
        ("verify", f"{fwgen} verify {at('firmware.hex')} {on} --contract {at('contract.toml')}"),
    ]
    return steps
