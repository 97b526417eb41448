"""``fwgen run``: a firmware, live in the terminal."""

from __future__ import annotations

import signal
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fwgen.cli.options import (
    BoardOption,
    CyclesOption,
    DriveOption,
    FormatOption,
    ImageArgument,
    Pace,
    PaceOption,
    PressOption,
    SendOption,
    SpanOption,
    the_board,
    with_console,
)
from fwgen.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable

    from fwgen.board.types import Board
    from fwgen.cli.live import Live
    from fwgen.cli.terminal import Terminal
    from fwgen.contract import Stimulus
    from fwgen.image.types import Image
    from fwgen.machine.machine import Machine
    from fwgen.virtual.gdb import GdbServer

TAP = "100 ms"
FAULTED = 1
STACK_GAP = 256  # bytes in a row that nobody wrote to: the stack ends before them
MOST_PORT = 0xFFFF


def run(
    image: ImageArgument,
    *,
    board: BoardOption = "",
    pace: PaceOption = None,
    cycles: CyclesOption = None,
    span: SpanOption = "",
    press: PressOption = None,
    drive: DriveOption = None,
    send: SendOption = None,
    contract: Annotated[
        Path | None,
        typer.Option(
            "--contract",
            "-c",
            metavar="FILE",
            help="Wire a contract's parts to the board, and do what it does; nothing is judged.",
        ),
    ] = None,
    baud: Annotated[
        int,
        typer.Option(help="The console's rate.  [default: the board's]", show_default=False),
    ] = 0,
    framing: FormatOption = "8N1",
    gdb: Annotated[
        str,
        typer.Option(
            metavar="[HOST]:PORT",
            help="Serve gdb, and wait for it before the first instruction: :3333.",
        ),
    ] = "",
    vcd: Annotated[
        Path | None,
        typer.Option("--vcd", metavar="FILE", help="Also write what was seen as a VCD file."),
    ] = None,
    trace: Annotated[
        Path | None,
        typer.Option("--trace", metavar="FILE", help="Also write what was seen as JSON Lines."),
    ] = None,
    profile: Annotated[
        bool, typer.Option("--profile", help="At the end: cycles by unit and by line.")
    ] = False,
    stack: Annotated[
        bool, typer.Option("--stack", help="At the end: the deepest use of the stack.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No summary at the end.")] = False,
) -> int:
    """Run a firmware live: serial on stdin and stdout, LEDs and buttons on a status line.

    At a terminal Ctrl-] quits and Ctrl-T opens the menu (Ctrl-T b presses the button, Ctrl-T ?
    helps). Through pipes, bytes pass as they are. Exit codes: 0 ran, 1 faulted, 2 error.
    """
    from fwgen.cli import script
    from fwgen.cli.live import Live
    from fwgen.image.load import load_image
    from fwgen.machine.armv7m.profile import Profile
    from fwgen.units import parse_duration

    the = with_console(the_board(board), baud, framing)
    loaded = load_image(image, the)
    span_ps = parse_duration(span) if span else None
    if span_ps is not None and span_ps <= 0:
        raise InputError(f"--for {span!r} is no time to run", hint='write it as "5s"')
    stimuli: list[Stimulus] = []
    if contract is not None:
        from fwgen.contract import load_contract
        from fwgen.contract.subjects import on_bench

        wanted = load_contract(contract, the)
        the, stimuli = on_bench(the, wanted), list(wanted.stimuli)
    stimuli += [
        *(script.press(text, TAP) for text in press or ()),
        *(script.drive(text) for text in drive or ()),
        *(script.send(text) for text in send or ()),
    ]
    at_terminal = sys.stdin.isatty() or sys.stdout.isatty()
    real_time = pace is Pace.REAL or (pace is None and at_terminal)
    debug = _debugger(gdb) if gdb else None
    after = _After(the, loaded, vcd, trace, stack=stack)

    def live(terminal: Terminal) -> Live:
        after.live = Live(
            the, loaded, stimuli, terminal, real_time=real_time, span_ps=span_ps, debug=debug,
            profile=Profile() if profile else None, keep=bool(vcd or trace), after=after,
            cycles=cycles.value if cycles is not None else "typical",
        )  # fmt: skip
        return after.live

    code = _run(live, the, quiet=quiet)
    if profile or stack:
        after.show(profile=profile)
    return code


class _After:
    """What is taken from the machine when the run is over: files at once, figures to be shown."""

    def __init__(
        self, board: Board, image: Image, vcd: Path | None, trace: Path | None, *, stack: bool
    ) -> None:
        self.live: Live | None = None
        self._board, self._image, self._vcd, self._trace = board, image, vcd, trace
        self._stack = stack
        self._cycles: dict[int, int] = {}
        self._lowest: int | None = None

    def __call__(self, machine: Machine) -> None:
        self._cycles = machine.core.profile()
        top = self._image.initial_sp
        self._lowest = machine.core.memory.touched_below(top, STACK_GAP) if self._stack else None
        self._write(machine)

    def _write(self, machine: Machine) -> None:
        if self._vcd is None and self._trace is None:
            return
        from fwgen.image.write import write_atomic
        from fwgen.trace import dump_trace, dump_vcd

        seen = machine.trace()
        if self.live is not None and self.live.kept_ps is not None:
            seen = replace(seen, span_ps=self.live.kept_ps)
        if self._vcd is not None:
            write_atomic(self._vcd, dump_vcd(seen, self._board).encode())
        if self._trace is not None:
            write_atomic(self._trace, dump_trace(seen).encode())

    def show(self, *, profile: bool) -> None:
        """Tell the figures that were asked for."""
        from fwgen.cli.output import screen
        from fwgen.report.profile import show_profile, show_stack

        console = screen(stderr=True)
        if profile:
            show_profile(console, self._cycles, self._image, self._board)
        if self._stack:
            show_stack(console, self._lowest, self._image)


def _debugger(where: str) -> Callable[[Machine], GdbServer]:
    """What serves gdb at "[HOST]:PORT". Raises InputError."""
    from fwgen.virtual.gdb import GdbServer

    host, _, port = where.rpartition(":")
    if not port.isdecimal() or int(port) > MOST_PORT:
        raise InputError(f"{where!r} names no port", where="--gdb", hint="write it as :3333")
    return lambda machine: GdbServer(machine, host=host or "localhost", port=int(port))


def _run(make: Callable[[Terminal], Live], board: Board, *, quiet: bool) -> int:
    from fwgen.cli.terminal import Keys, Typed, opened
    from fwgen.report.layout import silence

    with opened() as terminal:
        live = make(terminal)

        def told_to_end(number: int, _frame: object) -> None:
            live.ended_by = number

        # Whoever ends us leaves the terminal as it was.
        for name in ("SIGTERM", "SIGHUP"):
            if (number := getattr(signal, name, None)) is not None:
                signal.signal(number, told_to_end)
        try:
            if sys.stdin.isatty():
                with Keys() as raw:
                    _greet(terminal, board, raw=raw)
                    live.run(Typed(), keys=raw)
            else:
                live.run(Typed(), keys=False)
        except BrokenPipeError:  # whoever read the serial output has enough
            silence(sys.stdout)
        finally:
            if not quiet and live.t_ps:
                terminal.note(live.summary())
    if live.fault is None:
        return 128 + live.ended_by if live.ended_by else 0
    from fwgen.cli.output import screen
    from fwgen.report.console import show_fault

    show_fault(screen(stderr=True), live.fault)
    return FAULTED


def _greet(terminal: Terminal, board: Board, *, raw: bool) -> None:
    if raw:
        terminal.note(f"{board.title}: Ctrl-] quits, Ctrl-T b presses the button, Ctrl-T ? helps")
    else:
        terminal.note("this system has no raw keys: input goes to the board line by line, "
                      "Ctrl-C quits", "warning")  # fmt: skip
