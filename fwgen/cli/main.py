"""``fwgen``: a prompt, or a command.

What is not the name of a command is a prompt: ``fwgen "blink LED at 2Hz" --board nucleo-f401``.
A prompt of several words in quotes never collides with a command; ``fwgen make run`` reads "run"
as a prompt. Exit codes: 0 pass, 1 fail, 2 error, 3 unsure, 130 interrupted.
"""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    import typer

    from fwgen.errors import FwgenError

COMMANDS = (
    "make", "verify", "run", "watch", "monitor", "flash", "restore", "doctor", "virtual", "explain",
    "boards", "hazards", "hil", "score", "models", "config", "mcp",
)  # fmt: skip
ERROR, INTERRUPTED = 2, 130
_COMPLETION = "_FWGEN_COMPLETE"  # a shell asks for completions (Click's protocol)

# Written by hand and printed before anything is imported: help must be there at once.
HELP = """\
Say what the board should do, get the binary.

Usage: fwgen PROMPT --board BOARD [OPTIONS]
       fwgen COMMAND ...

  fwgen "blink LED at 2Hz" --board nucleo-f401

Commands:
  make PROMPT     Make a firmware for a prompt and prove it; "make" may be left out.
  verify IMAGE    Prove a firmware, ours or a compiler's, against a contract.
  run IMAGE       Run a firmware live: serial on stdin and stdout, LEDs, buttons.
  watch [IMAGE]   Watch a board at work, in the machine or on a rig: pins, console, sleep.
  monitor [PORT]  Talk with a serial port: a terminal that logs and reconnects.
  flash IMAGE     Put a firmware onto the board, and see that it is there.
  restore         Put back what was on the board before, or list what is kept.
  doctor          Find what stands between this computer and the board.
  virtual         Switch a virtual board on, for pyocd and gdb.
  explain IMAGE   Show a firmware as an annotated listing.
  boards          List the boards; show one with its pins; check a file of your own.
  hazards         What silicon punishes: list it; explain one by its code.
  hil             Tests on boards: run them on rigs, list the rigs, report.
  score           Have models do tasks, and tell how many of them pass.
  models          List the AI models that can be asked, and why one cannot.
  config          Providers, prices and keys of AI models.
  mcp             Serve fwgen to an editor's agent (Copilot, Cursor, Claude Code ...).

Options of a prompt:
  -b, --board B     Board name, or a board's TOML file.  [env: FWGEN_BOARD]
  -o, --out DIR     Output folder.  [default: fwgen-out/<prompt>-<board>]
  -c, --contract C  Hold it against this contract (TOML), not the one read from the prompt.
  -m, --model M     Which model emits: embedded, PROVIDER/NAME, replay:FILE.  [default: embedded]
  --attempts N      How often the model may try.  [default: 3]
  --samples N       Have a remote model try so often side by side; the best is kept.
  --max-tokens N, --max-cost USD, --timeout S     What a remote model may take in all.
  --pure            Every byte is the remote model's own: it may name no proven blocks of ours.
  -y, --yes         Take the contract that a remote model states without asking.
  -v, --verbose     Tell what a remote model was sent, and what it took.
  --flash           When it has passed, put it onto the board and check it there, too.
  --rig R           Which board: real (plugged in), virtual, or a rig file.  [default: real]
  --probe UID       Which debug probe, if several are plugged in.
  --force           Flash also what may lock the board, if the contract accepts it.
  --json            Print one JSON object, and nothing else.
  --dry-run         Only read: show what was understood and the contract.

  fwgen COMMAND --help tells the rest; --version shows the version;
  --install-completion sets up completion for your shell.

Exit codes: 0 pass, 1 fail, 2 error, 3 unsure, 130 interrupted.
"""


def main(argv: Sequence[str] | None = None) -> None:
    """Entry point of the ``fwgen`` command."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    _open_streams()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, ValueError):
            # A terminal without UTF-8 shows "?" for a character that it lacks.
            stream.reconfigure(errors="replace")  # type: ignore[union-attr]
    code = run(arguments)
    sys.exit(_flushed(code))


def run(arguments: list[str]) -> int:
    """Run one command line; returns the exit code. Never a traceback."""
    from fwgen.errors import FwgenError

    try:
        if _COMPLETION in os.environ:
            return _dispatch(arguments)
        if not arguments or arguments[0] in ("-h", "--help"):
            sys.stdout.write(HELP)
            return 0
        if arguments[0] == "--version":
            return _version()
        return _dispatch(arguments)
    except FwgenError as error:
        return _tell(_with_hint(error, arguments), arguments)
    except KeyboardInterrupt as stop:
        return _interrupted(arguments, str(stop))
    except BrokenPipeError:  # the reader of our output went away ("| head")
        _silence()
        return 0
    except OSError as error:
        return _tell(_trouble(error), arguments)
    except Exception as error:
        if os.environ.get("FWGEN_TRACEBACK"):
            raise
        return _tell(_bug(error), arguments)


def build() -> typer.Typer:
    """The command line, as Typer knows it."""
    import typer

    from fwgen.cli import (
        boards,
        config,
        doctor,
        explain,
        flash,
        hazards,
        hil,
        make,
        mcp,
        models,
        monitor,
        restore,
        score,
        verify,
        virtual,
        watch,
    )
    from fwgen.cli import run as run_command

    app = typer.Typer(
        name="fwgen",
        add_completion=True,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    )
    app.command("make")(make.make)
    app.command("verify")(verify.verify)
    app.command("run")(run_command.run)
    app.command("watch")(watch.watch)
    app.command("monitor")(monitor.monitor)
    app.command("flash")(flash.flash)
    app.command("restore")(restore.restore)
    app.command("doctor")(doctor.doctor)
    app.command("virtual")(virtual.virtual)
    app.command("explain")(explain.explain)
    app.add_typer(boards.app(), name="boards")
    app.command("hazards")(hazards.hazards)
    app.add_typer(hil.app(), name="hil")
    app.command("score")(score.score)
    app.command("models")(models.models)
    app.add_typer(config.app(), name="config")
    app.command("mcp")(mcp.mcp)
    return app


def _dispatch(arguments: list[str]) -> int:
    import typer
    from typer.main import get_command

    # Click's exception classes have no public name in Typer but as bases of BadParameter.
    usage_error: type[BaseException] = typer.BadParameter.__mro__[1]
    command = get_command(build())
    if _COMPLETION in os.environ:
        command.main(args=arguments, prog_name="fwgen")
    if arguments[0] not in (*COMMANDS, "--install-completion", "--show-completion"):
        arguments = ["make", *arguments]
    try:
        # Not command.main(): it prints and exits by itself on Ctrl-C and on a broken pipe.
        with command.make_context("fwgen", list(arguments)) as context:
            code = command.invoke(context)
    except typer.Exit as stop:
        return stop.exit_code
    except usage_error as error:
        raise _usage(error, arguments) from None
    return code if isinstance(code, int) else 0


def _version() -> int:
    from fwgen import __version__

    sys.stdout.write(f"fwgen {__version__}\n")
    return 0


# ---------------------------------------------------------------------------- errors


def _tell(error: FwgenError, arguments: Sequence[str]) -> int:
    """Print an error for whoever asked: a person, or a program."""
    try:
        if _wants_json(arguments):
            from fwgen.cli.output import put_json
            from fwgen.report.data import error_data

            put_json(error_data(error))
        else:
            from fwgen.cli.output import screen
            from fwgen.report.console import show_error

            show_error(screen(stderr=True), error)
    except OSError:
        # Nowhere left to say it: the exit code still tells.
        _silence()
    return ERROR


def _interrupted(arguments: Sequence[str], said: str) -> int:
    if _wants_json(arguments):
        from fwgen.cli.output import put_json
        from fwgen.report.data import VERSION

        put_json({"fwgen_report": VERSION, "outcome": "interrupted", "exit_code": INTERRUPTED})
    else:
        print(f"\ninterrupted: {said or 'nothing was written'}", file=sys.stderr)  # noqa: T201
    return INTERRUPTED


def _wants_json(arguments: Sequence[str]) -> bool:
    options = arguments[: arguments.index("--")] if "--" in arguments else arguments
    return "--json" in options


def _usage(error: BaseException, arguments: Sequence[str]) -> FwgenError:
    """A wrong command line, in our words."""
    from fwgen.errors import InputError

    said = str(error.format_message())  # type: ignore[attr-defined]
    message, _, possible = said.partition(" (Possible options: ")
    message, _, meant = message.partition(" Did you mean ")
    hints = []
    if meant or possible:
        names = (meant or possible).rstrip("?)").replace("'", "").split(", ")
        hints.append(f"did you mean {' or '.join(names)}?")
    words = [a for a in arguments[1:] if not a.startswith("-")]
    with_words = ("make", "boards", "config", "hil")
    if arguments[0] in COMMANDS and arguments[0] not in with_words and len(words) > 1:
        hints.append(f'if this is a prompt that begins with "{arguments[0]}", put it in quotes')
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "fwgen"
    hints.append(f'"{path} --help" shows how it is used')
    return InputError(message[:1].lower() + message[1:].rstrip("."), hint="; ".join(hints))


def _with_hint(error: FwgenError, arguments: Sequence[str]) -> FwgenError:
    """A prompt that was not understood may have been meant as a command."""
    from fwgen.errors import PromptError, did_you_mean

    if not isinstance(error, PromptError) or not arguments:
        return error
    words = [word for word in arguments if not word.startswith("-")]
    if arguments[0].startswith("-") and set(words) & set(COMMANDS):
        meant: str | None = "a command comes first: fwgen run IMAGE --board BOARD"
    else:
        meant = did_you_mean(arguments[0], COMMANDS) if arguments[0] not in COMMANDS else None
        meant = meant and f"{meant.rstrip('?')} (as a command)?"
    if meant is None:
        return error
    hint = f"{error.hint}; {meant}" if error.hint else meant
    return PromptError(error.message, words=error.words, where=error.where, hint=hint)


def _trouble(error: OSError) -> FwgenError:
    from fwgen.errors import FwgenError, OutputError

    reason = error.strerror or str(error)
    if error.filename is None:
        return OutputError(f"cannot write the output: {reason}")
    return FwgenError(reason, where=str(error.filename))


def _bug(error: Exception) -> FwgenError:
    from fwgen.errors import FwgenError

    return FwgenError(
        f"fwgen itself failed: {type(error).__name__}: {error}",
        hint="this is a bug; run again with FWGEN_TRACEBACK=1 and report what it prints",
    )


# ---------------------------------------------------------------------------- streams


def _open_streams() -> None:
    """Streams that our caller closed go nowhere, and give nothing."""
    nowhere = Path(os.devnull)
    sys.stdin = sys.stdin or nowhere.open(encoding="utf-8")
    sys.stdout = sys.stdout or nowhere.open("w", encoding="utf-8")
    sys.stderr = sys.stderr or nowhere.open("w", encoding="utf-8")


def _flushed(code: int) -> int:
    """Flush here, where a failure can still be told; Python at its exit would only grumble."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        _silence()
    except OSError as error:
        _silence()
        return _tell(_trouble(error), [])
    return code


def _silence() -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
