"""``fwgen watch``: pins, console and the core's sleep, live."""

from __future__ import annotations

import signal
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fwgen.cli.options import (
    BoardOption,
    DriveOption,
    FormatOption,
    Pace,
    PaceOption,
    PressOption,
    SendOption,
    SpanOption,
    the_board,
    with_console,
)
from fwgen.cli.plugged import ProbeOption
from fwgen.cli.rigs import RigNameOption, spec_of
from fwgen.cli.run import FAULTED, TAP
from fwgen.errors import InputError
from fwgen.interrupt import held
from fwgen.units import PS_PER_MS, PS_PER_S, show_duration

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    from fwgen.board.types import Board, Part
    from fwgen.cli.looking import Looking
    from fwgen.cli.terminal import Typed
    from fwgen.cli.watched import Touchable, Watched
    from fwgen.contract import Stimulus
    from fwgen.hil.place import Place
    from fwgen.image.types import Image
    from fwgen.rig.connection import How
    from fwgen.rig.rigs import RigSpec
    from fwgen.trace import Event

STEP_PS = 20 * PS_PER_MS
LAG_PS = 200 * PS_PER_MS  # behind the wall clock by more than this, we stop chasing it
REDRAW_S = 0.1
TAP_PS = 100 * PS_PER_MS
QUITS = b"q\x1d\x03\x04"  # q, Ctrl-], Ctrl-C, Ctrl-D


def watch(
    image: Annotated[
        Path | None,
        typer.Argument(
            metavar="[IMAGE]",
            help="Firmware: .hex, .bin or .elf. On a rig it is flashed first; "
            "left out, what is there is watched.",
        ),
    ] = None,
    *,
    board: BoardOption = "",
    rig: RigNameOption = "",
    probe: ProbeOption = "",
    window: Annotated[
        str, typer.Option(metavar="TIME", help="How much of the past is shown.")
    ] = "4s",
    pace: PaceOption = None,
    span: SpanOption = "",
    press: PressOption = None,
    drive: DriveOption = None,
    send: SendOption = None,
    baud: Annotated[
        int,
        typer.Option(help="The console's rate.  [default: the board's]", show_default=False),
    ] = 0,
    framing: FormatOption = "8N1",
    wait: Annotated[
        bool, typer.Option("--wait", help="Wait for a board that is not there yet.")
    ] = False,
    reconnect: Annotated[
        bool, typer.Option(help="Wait for a board that goes away to come back.")
    ] = True,
) -> int:
    """Watch a board at work: pins, console, and how much the core is awake.

    In the machine, or with --rig or --probe on a board, looked at through its probe while it runs.
    At a terminal a screen that lives: q quits, b presses the button. Through pipes, a line for
    each change and each line of the console. Exit codes: 0 watched, 1 faulted, 2 error.
    """
    from fwgen.cli import script
    from fwgen.cli.watched import Watched
    from fwgen.units import parse_duration

    on_rig = bool(rig or probe)
    spec = spec_of(rig, the_board(board) if board else None) if on_rig else None
    the = with_console(the_board(board or (spec.board if spec is not None else "")), baud, framing)
    span_ps = parse_duration(span) if span else None
    if span_ps is not None and span_ps <= 0:
        raise InputError(f"--for {span!r} is no time to watch", hint='write it as "5s"')
    window_ps = parse_duration(window)
    if window_ps <= 0:
        raise InputError(f"--window {window!r} shows nothing", hint='write it as "4s"')
    stimuli: list[Stimulus] = [
        *(script.press(text, TAP) for text in press or ()),
        *(script.drive(text) for text in drive or ()),
        *(script.send(text) for text in send or ()),
    ]
    at_terminal = sys.stdout.isatty()
    if spec is not None:
        if pace is Pace.VIRTUAL:
            raise InputError("on a rig a second takes a second", hint="leave --pace out")
        opened: AbstractContextManager[Touchable] = _on_rig(
            the, spec, rig, probe, image, stimuli, span_ps, wait=wait, reconnect=reconnect
        )
    else:
        if image is None:
            raise InputError(
                "nothing to watch was named",
                hint="a firmware, for the machine; or --rig NAME, for what runs on a board",
            )
        from fwgen.image.load import load_image

        real_time = pace is Pace.REAL or (pace is None and at_terminal)
        loaded = load_image(image, the)
        opened = Paced(the, loaded, stimuli, real_time=real_time, span_ps=span_ps)
    with opened as source:
        watched = Watched(the, source.initial, window_ps=window_ps)
        ended_by = (_screen if at_terminal else _lines)(source, watched)
        summary = source.summary
    if summary:
        print(f"fwgen: {summary}", file=sys.stderr)  # noqa: T201
    if ended_by:
        return 128 + ended_by
    if watched.fault is None:
        return 0
    from fwgen.cli.output import screen
    from fwgen.report.console import show_fault

    show_fault(screen(stderr=True), watched.fault)
    return FAULTED


def _on_rig(
    board: Board,
    spec: RigSpec,
    rig: str,
    probe: str,
    image: Path | None,
    stimuli: Sequence[Stimulus],
    span_ps: int | None,
    *,
    wait: bool,
    reconnect: bool,
) -> Looking:
    """A board to look at, with a firmware flashed first where one is named."""
    from fwgen.cli.looking import Looking
    from fwgen.report.folder import refuse_failed

    loaded = None
    if image is not None:
        from fwgen.image.load import load_image

        refuse_failed(image)
        loaded = load_image(image, board)
    elif spec.virtual:
        raise InputError(
            "a virtual board comes with nothing in its flash",
            hint=f"name a firmware: fwgen watch IMAGE --rig {rig}",
        )
    chosen = probe

    @contextmanager
    def reach(again: bool) -> Iterator[Place]:
        nonlocal chosen
        how: How = "halt" if loaded is not None and not again else "attach"
        err = screen(stderr=True)
        with (
            progress(err) as bar,
            reached(board, rig, probe=chosen, progress=bar, how=how) as place,
        ):
            if how == "halt" and loaded is not None:
                done = program(place.connection, loaded, run=False, progress=bar)
                bar.close()
                show_programmed(err, done, board, place.probe)
                place.connection.reset(halt=True)
            if place.virtual is not None:
                place.virtual.start_free_running()
            # The same one again, however many there are by then.
            chosen = chosen if place.virtual is not None else chosen or place.probe.uid
            yield place

    from fwgen.cli.output import screen
    from fwgen.cli.plugged import progress, show_programmed
    from fwgen.cli.rigs import reached
    from fwgen.rig.flash import program

    return Looking(
        board, reach, stimuli,
        image=loaded, span_ps=span_ps, reconnect=reconnect, patient=wait,
    )  # fmt: skip


class Paced:
    """The machine as a source: it runs while it is asked, as far as the wall clock says.

    ``real_time`` False: as fast as it goes. ``span_ps`` None: for ever.
    """

    every_ps = resolution_ps = 0
    awake_ppm = None

    def __init__(
        self,
        board: Board,
        image: Image,
        stimuli: Sequence[Stimulus],
        *,
        real_time: bool,
        span_ps: int | None,
    ) -> None:
        from fwgen.cli.faulted import Faults
        from fwgen.machine.machine import Machine

        self.now_ps = 0
        self.title = f"{board.title}, in the machine"
        self._real_time, self._span_ps = real_time, span_ps
        self._events: list[Event] = []
        self._machine = Machine(board)
        self._faults = Faults()
        self._machine.listen(self._hear, at_once=False)
        self._machine.load(image)
        self._machine.give_up(self._faults.returns)
        for stimulus in stimuli:
            self._machine.stimulate(stimulus)
        self._origin = time.monotonic()
        self._finger_free_ps = 0

    def __enter__(self) -> Paced:
        return self

    def __exit__(self, *_: object) -> None:
        self._machine.close()

    @property
    def initial(self) -> Mapping[str, int | None]:
        """The levels of the pins at time 0."""
        return self._machine.soc.recorder.initial

    @property
    def over(self) -> bool:
        """Whether the time that was asked for has passed, or nothing more comes after a fault."""
        ended = self._span_ps is not None and self.now_ps >= self._span_ps
        return ended or bool(self._why_over)

    @property
    def summary(self) -> str:
        """How many faults there were, and whether one of them has ended it; "" for none."""
        told = self._faults.told()
        if self._why_over:
            at = show_duration(self._faults.seen_ps, 4)
            told += f", and since {at} nothing more comes: {self._why_over}"
        return told

    @property
    def _why_over(self) -> str:
        return self._faults.why_over(self.now_ps, lambda: self._machine.stuck)

    def _hear(self, event: Event) -> None:
        self._events.append(event)
        self._faults.take(event)

    def poll(self) -> tuple[Sequence[Event], float]:
        """Run on; what happened, and the seconds that the wall clock has to catch up."""
        until = self.now_ps + STEP_PS
        if self._real_time:
            behind = round((time.monotonic() - self._origin) * PS_PER_S) - self.now_ps
            if behind > LAG_PS:  # too much work for this computer: time runs slower
                self._origin += (behind - STEP_PS) / PS_PER_S
        if self._span_ps is not None:
            until = min(until, self._span_ps)
        with held():
            self._machine.advance(until)
        self._machine.soc.recorder.events.clear()
        core = self._machine.core
        self.now_ps = min(until, core.now_ps) if core.gave_up else until
        events = list(self._events)
        self._events.clear()
        if not self._real_time:
            return events, 0.0
        return events, max(0.0, self._origin + until / PS_PER_S - time.monotonic())

    def press(self, part: Part) -> None:
        """Press a button and let go, when the finger is free."""
        from fwgen.contract import Press

        at = max(self.now_ps, self._finger_free_ps)
        self._finger_free_ps = at + 2 * TAP_PS
        self._machine.stimulate(Press(part.name, at, TAP_PS))


def _lines(source: Touchable, watched: Watched) -> int:
    """Each change as a line, until the time is over or the reader has enough."""
    from fwgen.cli.dashboard import Lines
    from fwgen.report.layout import silence

    lines = Lines(watched)
    ended = _ended()
    try:
        while not source.over and not ended:
            before = watched.ended, watched.noted
            events, wait_s = source.poll()
            watched.feed(events, source.now_ps)
            for line in lines.told(list(events), *before):
                sys.stdout.write(line + "\n")
            sys.stdout.flush()
            time.sleep(wait_s)
    except BrokenPipeError:
        silence(sys.stdout)
    return ended[0] if ended else 0


def _screen(source: Touchable, watched: Watched) -> int:
    """A screen that lives, until q is pressed or the time is over."""
    from rich.live import Live as Screen

    from fwgen.cli.dashboard import Dashboard
    from fwgen.cli.output import screen
    from fwgen.cli.terminal import Keys, Typed

    buttons = [part for part in watched.board.parts.values() if part.kind == "button"]
    told = f"q quits{', b presses ' + buttons[0].name if buttons else ''}"
    console = screen()
    shown = Dashboard(source, watched, told)
    ended = _ended()
    keys = Keys() if sys.stdin.isatty() else None
    typed = Typed() if keys is not None else None
    raw = keys.__enter__() if keys is not None else False
    try:
        with Screen(shown, console=console, screen=True, auto_refresh=False) as live:
            drawn = 0.0
            while not source.over and not ended:
                events, wait_s = source.poll()
                watched.feed(events, source.now_ps)
                if time.monotonic() - drawn >= REDRAW_S:
                    drawn = time.monotonic()
                    live.update(shown, refresh=True)
                if _typed(typed, wait_s, source, buttons if raw else []):
                    break
    finally:
        if keys is not None:
            keys.__exit__(None, None, None)
    console.print(shown)
    return ended[0] if ended else 0


def _typed(typed: Typed | None, wait_s: float, source: Touchable, buttons: Sequence[Part]) -> bool:
    """Wait for keys and obey them; whether to quit."""
    if typed is None or typed.ended:
        time.sleep(wait_s)
        return False
    for key in typed.take(wait_s):
        if key in QUITS:
            return True
        if buttons and key == ord("b"):
            source.press(buttons[0])
        elif 0 <= key - ord("1") < len(buttons):
            source.press(buttons[key - ord("1")])
    return False


def _ended() -> list[int]:
    """Fills with the signal that tells us to end, so that the terminal is left as it was."""
    came: list[int] = []
    for name in ("SIGTERM", "SIGHUP"):
        if (number := getattr(signal, name, None)) is not None:
            signal.signal(number, lambda number, _frame: came.append(number))
    return came
