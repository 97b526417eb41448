"""A talk with a serial port: what comes is shown and logged, what is typed is sent."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from fwgen.cli.editor import Editor
from fwgen.cli.line import LINES, Line
from fwgen.rig.ports import PortError, find_ports, port_named

if TYPE_CHECKING:
    from collections.abc import Callable

    from fwgen.cli.log import Log
    from fwgen.cli.scroll import Scroll
    from fwgen.cli.terminal import Terminal, Typed

AGAIN_S = 0.2  # how often a port that went away is looked for
LINGER_S = 0.5  # how long the end waits for what was typed to be taken
MENU, QUIT = 0x14, 0x1D  # Ctrl-T, Ctrl-]
EOLS = {"crlf": b"\r\n", "cr": b"\r", "lf": b"\n"}
HELP = """\
Ctrl-]          quit                     Ctrl-T q       quit
Ctrl-T Ctrl-T   send Ctrl-T              Ctrl-T Ctrl-]  send Ctrl-]
Ctrl-T Ctrl-I   settings and lines       Ctrl-T z       close the port, until a key
Ctrl-T t        time of each line        Ctrl-T v       view in hex
Ctrl-T l        line by line             Ctrl-T Ctrl-E  show what is typed
Ctrl-T Ctrl-L   what Enter sends         Ctrl-T Ctrl-U  send a file
Ctrl-T b        another baud rate        Ctrl-T p       another port
Ctrl-T 7 8      data bits                Ctrl-T 1 2 3   stop bits: 1, 2, 1.5
Ctrl-T n e o m s  parity                 Ctrl-T Ctrl-B  break on or off
Ctrl-T Ctrl-R   RTS on or off            Ctrl-T Ctrl-D  DTR on or off
Ctrl-T x X      XON/XOFF off or on       Ctrl-T r R     RTS/CTS off or on"""


class Talk:
    """One session with one line, whose port may go and come back.

    ``reconnect`` False ends it with PortLostError when the port goes away; ``patient``: it may
    not be there yet. ``eol`` is what Enter sends; ``in_eol`` what a newline through a pipe
    becomes, None: a newline.
    """

    def __init__(
        self,
        line: Line,
        terminal: Terminal,
        *,
        scroll: Scroll,
        log: Log | None = None,
        eol: str = "crlf",
        in_eol: bytes | None = None,
        echo: bool = False,
        by_line: bool = False,
        reconnect: bool = True,
        patient: bool = False,
        span_s: float | None = None,
    ) -> None:
        self.line, self.terminal = line, terminal
        self.ended_by = 0  # the signal that told us to end
        self.received = self.sent = 0
        self._scroll, self._log = scroll, log
        self._eol, self._in_eol, self._echo, self._by_line = eol, in_eol, echo, by_line
        self._reconnect, self._patient, self._span_s = reconnect, patient, span_s
        self._quit = self._menu = self._suspended = False
        self._editor: Editor | None = None
        self._then: Callable[[str], None] | None = None  # what is done with the line edited
        self._actions = self._menu_actions()

    def run(self, typed: Typed | None, *, keys: bool) -> None:
        """Talk until told to stop; ``keys``: ``typed`` are a person's keys, and mean something.

        Raises PortError when the port cannot be opened, OutputError when the log cannot be
        written.
        """
        until = None if self._span_s is None else time.monotonic() + self._span_s
        try:
            self._begin()
            while not self._over(until):
                if self.line.is_open:
                    self._receive(keys=keys)
                elif not self._suspended and self.line.open_again():
                    self.terminal.note(f"{self.line.port.device} is back")
                self._take(typed, keys=keys, wait_s=0 if self.line.is_open else AGAIN_S)
            self._linger()
        finally:
            self._show(self._scroll.rest())
            self.line.close()

    def summary(self) -> str:
        """What happened, in one line."""
        what = "byte" if self.received == 1 else "bytes"
        unsent = f" ({self.line.unsent} of them not taken)" if self.line.unsent else ""
        return (
            f"{self.line.port.device} at {self.line.settings}: "
            f"{self.received} {what} received, {self.sent} sent{unsent}"
        )

    # ------------------------------------------------------------------ the port

    def _begin(self) -> None:
        try:
            self.line.open()
        except PortError as error:
            if not self._patient:
                raise
            self.terminal.note(f"{error.message}: waiting for {self.line.port.device}", "warning")

    def _over(self, until: float | None) -> bool:
        ended = until is not None and time.monotonic() >= until
        return ended or self._quit or bool(self.ended_by)

    def _receive(self, *, keys: bool) -> None:
        try:
            data, at = self.line.receive()
        except PortError as error:
            self.line.close()
            if not self._reconnect:
                raise
            if keys:
                self.line.forget()  # who typed it saw that nothing answered
            device = self.line.port.device
            self.terminal.note(f"{error.message}: waiting for {device} to come back", "warning")
            return
        self.received += len(data)
        if keys and self._eol == "cr" and not self._scroll.in_hex:
            data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")  # a board that ends lines so
        self._show(self._scroll.take(data, at) if data else self._scroll.idle(at))

    def _show(self, data: bytes) -> None:
        if data:
            if self._log is not None:
                self._log.add(data)  # first: what was seen is also kept
            self.terminal.serial(data)

    def _linger(self) -> None:
        """Before the end: what was typed is sent, if the port takes it."""
        last = time.monotonic() + LINGER_S
        while self.line.is_open and self.line.unsent and time.monotonic() < last:
            time.sleep(0.002)

    def _send(self, data: bytes, *, echo: bool | None = None) -> None:
        self.sent += len(data)
        self.line.send(data)
        if self._echo if echo is None else echo:
            self.terminal.serial(data)

    # ------------------------------------------------------------------ the keys

    def _take(self, typed: Typed | None, *, keys: bool, wait_s: float) -> None:
        if typed is None or typed.ended:
            time.sleep(wait_s)
            return
        data = typed.take(wait_s)
        if keys:
            for key in data:
                self._key(key)
        elif data:
            self._send(data if self._in_eol is None else data.replace(b"\n", self._in_eol))

    def _key(self, key: int) -> None:
        if self._menu:
            self._menu = False
            self._choose(key)
        elif key == MENU:
            self._menu = True
        elif key == QUIT:
            self._quit = True
        elif self._suspended:
            self._suspended = False
        elif self._editor is not None or self._by_line:
            self._edit(key)
        elif self.line.is_open:
            self._send(self._coded(key))

    def _coded(self, key: int) -> bytes:
        """What a key sends."""
        if key == 0x0D:
            return EOLS[self._eol]
        return b"\b" if key == 0x7F else bytes([key])

    def _edit(self, key: int) -> None:
        editor = self._editor = self._editor or Editor()
        self.terminal.serial(editor.key(key))
        if not editor.ended:
            return
        then, self._editor, self._then = self._then, None, None
        if editor.given_up:
            return
        if then is None:
            self._send(bytes(editor.line) + EOLS[self._eol], echo=False)  # it is seen already
        elif editor.text.strip():
            then(editor.text.strip())

    def _ask(self, question: str, then: Callable[[str], None]) -> None:
        self.terminal.note(question)
        self._editor, self._then = Editor(), then

    def _choose(self, key: int) -> None:
        """A key of the menu."""
        action = self._actions.get(key) or self._actions.get(ord(chr(key).lower()))
        if action is None:
            self.terminal.note(f"Ctrl-T {chr(key)!r} means nothing; Ctrl-T ? helps")
        else:
            action()

    # ------------------------------------------------------------------ the menu

    def _menu_actions(self) -> dict[int, Callable[[], None]]:
        actions: dict[int, Callable[[], None]] = {
            MENU: lambda: self._send(bytes([MENU])),
            QUIT: lambda: self._send(bytes([QUIT])),
            ord("q"): self._stop,
            ord("?"): self._help,
            ord("h"): self._help,
            0x08: self._help,  # Ctrl-H
            0x09: self._tell_settings,  # Ctrl-I
            ord("z"): self._suspend,
            ord("t"): self._toggle_stamps,
            ord("v"): self._toggle_hex,
            ord("l"): self._toggle_lines,
            0x05: self._toggle_echo,  # Ctrl-E
            0x0C: self._next_eol,  # Ctrl-L
            0x15: lambda: self._ask("file to send:", self._upload),  # Ctrl-U
            ord("b"): lambda: self._ask("baud rate:", self._set_baud),
            ord("p"): self._ask_port,
            0x02: lambda: self._toggle_line("break_condition"),  # Ctrl-B
            0x12: lambda: self._toggle_line("rts"),  # Ctrl-R
            0x04: lambda: self._toggle_line("dtr"),  # Ctrl-D
            ord("x"): lambda: self._flow("xonxoff", on=False),
            ord("X"): lambda: self._flow("xonxoff", on=True),
            ord("r"): lambda: self._flow("rtscts", on=False),
            ord("R"): lambda: self._flow("rtscts", on=True),
        }
        formats: dict[str, dict[str, int | float | str]] = {
            **{letter: {"parity": letter.upper()} for letter in "neoms"},
            **{digit: {"bits": int(digit)} for digit in "78"},
            "1": {"stop_bits": 1},
            "2": {"stop_bits": 2},
            "3": {"stop_bits": 1.5},
        }
        for letter, change in formats.items():
            actions[ord(letter)] = self._changing(change)
        return actions

    def _changing(self, change: dict[str, int | float | str]) -> Callable[[], None]:
        def act() -> None:
            settings = replace(self.line.settings, **change)  # type: ignore[arg-type]
            refused = self.line.change(settings)
            if refused:
                self.terminal.note(f"the port refuses {settings}: {refused}", "warning")
            else:
                self.terminal.note(str(settings))

        return act

    def _stop(self) -> None:
        self._quit = True

    def _help(self) -> None:
        self.terminal.note(HELP)

    def _tell_settings(self) -> None:
        line, state = self.line, "" if self.line.is_open else ", closed"
        self.terminal.note(f"{line.port}: {line.settings}, Enter sends {self._eol.upper()}{state}")
        if line.is_open:
            self.terminal.note(line.states())

    def _suspend(self) -> None:
        self.line.close()
        self._suspended = True
        device = self.line.port.device
        self.terminal.note(f"{device} is closed; any key opens it again, Ctrl-] quits")

    def _toggle_stamps(self) -> None:
        self._show(self._scroll.rest())
        self._scroll.stamped = not self._scroll.stamped
        self.terminal.note(f"the time of each line: {'on' if self._scroll.stamped else 'off'}")

    def _toggle_hex(self) -> None:
        self._show(self._scroll.rest())
        self._scroll.in_hex = not self._scroll.in_hex
        self.terminal.note("in hex" if self._scroll.in_hex else "as text")

    def _toggle_lines(self) -> None:
        self._by_line, self._editor = not self._by_line, None
        self.terminal.note("sent line by line" if self._by_line else "sent key by key")

    def _toggle_echo(self) -> None:
        self._echo = not self._echo
        self.terminal.note(f"what is typed is {'shown' if self._echo else 'not shown'}")

    def _next_eol(self) -> None:
        names = list(EOLS)
        self._eol = names[(names.index(self._eol) + 1) % len(names)]
        self.terminal.note(f"Enter sends {self._eol.upper()}")

    def _set_baud(self, text: str) -> None:
        if text.isdecimal() and int(text):
            self._changing({"baud": int(text)})()
        else:
            self.terminal.note(f"{text!r} is no baud rate", "warning")

    def _toggle_line(self, name: str) -> None:
        on, shown = not self.line.line(name), LINES[name]
        refused = self.line.set_line(name, on)
        if refused:
            self.terminal.note(f"this port has no {shown}: {refused}", "warning")
        else:
            self.terminal.note(f"{shown} {'on' if on else 'off'}")

    def _flow(self, name: str, *, on: bool) -> None:
        refused = self.line.set_flow(name, on)
        shown = {"xonxoff": "XON/XOFF", "rtscts": "RTS/CTS"}[name]
        if refused:
            self.terminal.note(f"the port refuses {shown}: {refused}", "warning")
        else:
            self.terminal.note(f"flow control by {shown}: {'on' if on else 'off'}")

    def _ask_port(self) -> None:
        ports = find_ports()
        if ports:
            self.terminal.note("\n".join(str(port) for port in ports))
        self._ask("port:", self._set_port)

    def _set_port(self, device: str) -> None:
        line = Line(port_named(device), self.line.settings)
        try:
            line.open()
        except PortError as error:
            self.terminal.note(str(error), "warning")
            return
        self.line.close()
        self.line, self._suspended = line, False
        self.terminal.note(f"now {line.port}: {line.settings}")

    def _upload(self, name: str) -> None:
        try:
            data = Path(name).expanduser().read_bytes()
        except OSError as error:
            self.terminal.note(f"cannot read {name}: {error.strerror}", "warning")
            return
        self._send(data, echo=False)
        self.terminal.note(f"sending {len(data)} bytes of {name}")
