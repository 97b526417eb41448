"""``fwgen``: a prompt, or a command.

What is not the name of a command is a prompt: ``fwgen "blink LED at 2Hz" --board nucleo-f401``.
A prompt of several words never collides with a command; ``fwgen make run`` reads "run" as a
prompt. Exit codes: 0 pass, 1 fail, 2 error, 3 unsure, 130 interrupted.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fwgen.errors import FwgenError

COMMANDS = ("make", "verify", "run", "explain", "boards")
ERROR, INTERRUPTED = 2, 130
_OWN = ("--help", "-h", "--version", "--install-completion", "--show-completion")


def main(argv: Sequence[str] | None = None) -> None:
    """Entry point of the ``fwgen`` command."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    sys.exit(run(arguments))


def run(arguments: list[str]) -> int:
    """Run one command line; returns the exit code. Never a traceback."""
    from fwgen.errors import FwgenError

    as_json = "--json" in arguments
    try:
        return _dispatch(arguments)
    except FwgenError as error:
        return _tell(error, as_json)
    except KeyboardInterrupt:
        print("\ninterrupted; nothing was half-written", file=sys.stderr)  # noqa: T201
        return INTERRUPTED
    except BrokenPipeError:  # the reader of our output went away ("| head")
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        if os.environ.get("FWGEN_TRACEBACK"):
            raise
        return _tell(_bug(error), as_json)


def _dispatch(arguments: list[str]) -> int:
    from typer.main import get_command

    # Click's UsageError has no public name in Typer but as the base of BadParameter.
    usage_error: type[BaseException] = typer.BadParameter.__mro__[1]
    if arguments and arguments[0] not in COMMANDS and arguments[0] not in _OWN:
        arguments = ["make", *arguments]
    command = get_command(build())
    try:
        code = command.main(args=arguments or ["--help"], prog_name="fwgen", standalone_mode=False)
    except typer.Abort:
        raise KeyboardInterrupt from None
    except usage_error as error:
        error.show()  # type: ignore[attr-defined]
        _hint_quotes(arguments)
        return ERROR
    return code if isinstance(code, int) else 0


def build() -> typer.Typer:
    """The command line, as Typer knows it."""
    from fwgen.cli import boards, explain, make, verify
    from fwgen.cli import run as run_command

    app = typer.Typer(
        name="fwgen",
        help="Say what the board should do, get the binary: "
        'fwgen "blink LED at 2Hz" --board nucleo-f401',
        add_completion=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback(invoke_without_command=True)(_root)
    app.command("make")(make.make)
    app.command("verify")(verify.verify)
    app.command("run")(run_command.run)
    app.command("explain")(explain.explain)
    app.add_typer(boards.app(), name="boards")
    return app


def _root(
    ctx: typer.Context,
    *,
    version: Annotated[bool, typer.Option("--version", help="Show the version and stop.")] = False,
) -> None:
    if version:
        from fwgen import __version__

        print(f"fwgen {__version__}")  # noqa: T201
        raise typer.Exit
    if ctx.invoked_subcommand is None:
        print(ctx.get_help())  # noqa: T201


def _tell(error: FwgenError, as_json: bool) -> int:
    from fwgen.report.data import error_data, to_json

    if as_json:
        sys.stdout.write(to_json(error_data(error)))
        return ERROR
    from rich.console import Console

    from fwgen.report.console import show_error

    show_error(Console(stderr=True, highlight=False), error)
    return ERROR


def _bug(error: Exception) -> FwgenError:
    from fwgen.errors import FwgenError

    return FwgenError(
        f"fwgen itself failed: {type(error).__name__}: {error}",
        hint="this is a bug; run again with FWGEN_TRACEBACK=1 and report what it prints",
    )


def _hint_quotes(arguments: list[str]) -> None:
    words = [a for a in arguments[1:] if not a.startswith("-")]
    if arguments[0] in COMMANDS and arguments[0] != "make" and len(words) > 1:
        print(  # noqa: T201
            f'If this is a prompt that begins with "{arguments[0]}", put it in quotes.',
            file=sys.stderr,
        )
