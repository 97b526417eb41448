"""A logic analyser on all pins of a virtual board, for who comes over TCP, in the board's own time.

A board that follows the wall clock is looked at from outside as often as the computer finds time
for it. What its pins and its console's line really did, and when, it knows by itself: this tells.

One line of JSON in, one out::

    <- (at once) {"analyser": 1, "board": "nucleo-f401", "pins": [...], "pace": 1.0}
    -> {"do": "now"}     <- {"now_ps": 12, "lost_ps": 0}
    -> {"do": "start"}   <- {... , "levels": {"PA5": null, ...}}
    -> {"do": "released"}<- {... , "released_ps": 15}      when a debugger let the core go last
    -> {"do": "stop"}    <- {... , "edges": {"PA5": [[t_ps, level], ...]}, "dense": [],
                             "bytes": [[t_ps, start_ps, byte, baud_mhz, error], ...]}

Times are virtual, picoseconds. ``lost_ps`` is by how much the board has fallen behind the wall for
good. A pin with too many edges to tell is ``dense``, and has none here. A level of null: nothing
drives or pulls the pin.
"""

from __future__ import annotations

import itertools
import json
import logging
import socketserver
import threading
from collections import deque
from typing import TYPE_CHECKING, Any

from fwgen.errors import BenchError
from fwgen.trace import Edge, SerialByte, Trace, Wave

if TYPE_CHECKING:
    from fwgen.trace import Event
    from fwgen.virtual.board import VirtualBoard

logger = logging.getLogger(__name__)

VERSION = 1
MOST_EVENTS = 1 << 20  # that one capture keeps
MOST_EDGES = 1 << 17  # of one pin that are told
MOST_BEFORE = 4096  # bytes of before a capture that are told with it


class AnalyserServer:
    """Serves it while entered, to any number of clients; ``port`` is where. 0 takes a free port.

    Raises BenchError when the port cannot be had.
    """

    def __init__(
        self, board: VirtualBoard, *, host: str = "127.0.0.1", tcp_port: int = 0
    ) -> None:  # fmt: skip
        self.board, self.port = board, tcp_port
        self._host = host
        self._captures: list[list[Event]] = []
        self._last: dict[str, Event] = {}  # what each pin did last
        self._said: deque[SerialByte] = deque(maxlen=MOST_BEFORE)  # by the board, to its console
        self._server: socketserver.ThreadingTCPServer | None = None
        # Times are the board's own: they are right also when they are told late.
        board.listen(self._hear, watching=False, at_once=False)

    def __enter__(self) -> AnalyserServer:
        analyser = self

        class Handler(socketserver.StreamRequestHandler):
            disable_nagle_algorithm = True

            def handle(self) -> None:
                with analyser.session() as session:
                    self._say(session.hello())
                    for line in self.rfile:
                        self._say(session.obey(line))

            def _say(self, answer: dict[str, Any]) -> None:
                self.wfile.write(json.dumps(answer, separators=(",", ":")).encode() + b"\n")

        class Server(socketserver.ThreadingTCPServer):
            allow_reuse_address = daemon_threads = True
            block_on_close = False

            def handle_error(self, request: Any, client_address: Any) -> None:
                logger.info("a client of the analyser's went away: %s", client_address)

        try:
            self._server = Server((self._host, self.port), Handler)
        except OSError as error:
            raise BenchError(
                f"cannot serve the virtual board's logic analyser: {error.strerror or error}",
                where=f"{self._host}:{self.port}",
                hint="choose another TCP port; 0 takes one that is free",
            ) from error
        self.port = self._server.server_address[1]
        threading.Thread(
            target=self._server.serve_forever, name=f"analyser of {self.board.uid}", daemon=True
        ).start()
        return self

    def __exit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.shutdown()
        self._server.server_close()

    def _hear(self, event: Event) -> None:
        if isinstance(event, Edge | Wave):
            self._last[event.pin] = event
        elif isinstance(event, SerialByte) and self._is_said(event):
            self._said.append(event)
        else:
            return
        for capture in self._captures:
            if len(capture) <= MOST_EVENTS:
                capture.append(event)

    def _is_said(self, event: SerialByte) -> bool:
        console = self.board.board.console
        return event.direction == "tx" and console is not None and event.port == console.uart

    def session(self) -> _Session:
        """What one client sees."""
        return _Session(self.board, self._captures, self._last, self._said)


class _Session:
    """One client, and what is captured for it."""

    def __init__(
        self, board: VirtualBoard, captures: list[list[Event]], last: dict[str, Event],
        said: deque[SerialByte],
    ) -> None:  # fmt: skip
        self._board, self._captures = board, captures
        self._last, self._said = last, said
        self._capture: list[Event] | None = None
        self._since_ps = 0

    def __enter__(self) -> _Session:
        return self

    def __exit__(self, *_: object) -> None:
        with self._board.lock:
            self._end()

    def hello(self) -> dict[str, Any]:
        """Who we are."""
        board = self._board.board
        pins = list(board.chip.pins)
        return {
            "analyser": VERSION, "board": board.name, "pins": pins, "pace": self._board.pace,
        }  # fmt: skip

    def obey(self, line: bytes) -> dict[str, Any]:
        """One order; what came of it."""
        try:
            asked = json.loads(line)["do"]
        except (ValueError, TypeError, KeyError):
            asked = None
        does = {"now": dict, "start": self._start, "released": self._released, "stop": self._stop}
        if not isinstance(asked, str) or asked not in does:
            return {"error": f"there is {', '.join(does)}"}
        with self._board.lock:
            self._board.catch_up()
            told = {"now_ps": self._board.reached_ps, "lost_ps": self._board.lost_ps}
            return told | does[asked]()

    def _released(self) -> dict[str, Any]:
        return {"released_ps": self._board.machine.core.debug.released_ps}

    def _start(self) -> dict[str, Any]:
        self._end()
        self._since_ps = self._board.reached_ps
        # A wave that has begun goes on.
        self._capture = sorted([*self._last.values(), *self._said], key=lambda event: event.t_ps)
        self._captures.append(self._capture)
        trace = self._trace(self._capture)
        return {"levels": {pin: trace.level(pin, self._since_ps) for pin in self._pins}}

    def _stop(self) -> dict[str, Any]:
        capture = self._capture
        if capture is None:
            return {"error": "nothing was started"}
        self._end()
        if len(capture) > MOST_EVENTS:
            return {"error": "more came than it can keep: look for a shorter time"}
        trace, since = self._trace(capture), self._since_ps
        edges: dict[str, list[tuple[int, int | None]]] = {}
        dense: list[str] = []
        for pin in self._pins:
            found = (edge for edge in trace.edges(pin) if edge[0] > since)
            first = list(itertools.islice(found, MOST_EDGES + 1))
            if len(first) > MOST_EDGES:
                dense.append(pin)
            elif first:
                edges[pin] = first
        return {"edges": edges, "dense": dense, "bytes": self._bytes(capture)}

    def _bytes(self, capture: list[Event]) -> list[tuple[int, int, int, int, str]]:
        return [
            (e.t_ps, e.start_ps, e.byte, e.baud_mhz, e.error)
            for e in capture
            if isinstance(e, SerialByte)
        ]

    @property
    def _pins(self) -> list[str]:
        return list(self._board.board.chip.pins)

    def _trace(self, events: list[Event]) -> Trace:
        board = self._board
        initial = dict(board.machine.soc.recorder.initial)
        return Trace("", board.board.name, board.reached_ps + 1, tuple(events), initial)

    def _end(self) -> None:
        if self._capture is not None:
            self._captures[:] = [one for one in self._captures if one is not self._capture]
            self._capture = None
