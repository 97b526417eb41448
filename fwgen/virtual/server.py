"""A virtual board for programs outside: pyocd's own probe server and gdb server, on its probe.

``pyocd ... -u remote:localhost:PORT`` reaches the one, gdb's ``target remote :PORT`` the other.
"""

from __future__ import annotations

import os
import socket
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fwgen.errors import BenchError
from fwgen.virtual import registry

if TYPE_CHECKING:
    from fwgen.virtual.board import VirtualBoard

# pyocd's, for a board that is there at once.
OPTIONS: dict[str, object] = {
    "persist": True,  # gdb may come and go
    "serve_local_only": True,
    "reset.post_delay": 0.0,
    "enable_semihosting": True,
}


class Served:
    """What is served while entered. ``remote`` and ``gdb`` are the ports, once it runs.

    ``gdb`` None serves no gdb. ``target`` is pyocd's name of the chip. 0 picks a free port.
    Raises BenchError where a port is taken.
    """

    def __init__(
        self,
        board: VirtualBoard,
        *,
        probe: str | None = None,
        remote: int = 0,
        gdb: int | None = None,
        target: str = "cortex_m",
        board_name: str = "",
        serial: str = "",
        options: dict[str, object] | None = None,
    ) -> None:
        self.board = board
        self._kind = probe
        self.remote, self.gdb = remote, gdb
        self._target, self._board_name, self._serial = target, board_name, serial
        self._options = {**OPTIONS, **(options or {})}
        self._stack = ExitStack()

    def __enter__(self) -> Served:
        with ExitStack() as stack:
            stack.enter_context(self.board.plugged(self._kind))
            self._serve_probe(stack)
            if self.gdb is not None:
                self._serve_gdb(stack, self.gdb)
            name = self._board_name or self.board.board.name
            running = registry.Running(
                self.board.uid, name, self.board.board.title, self.remote, os.getpid(),
                self._serial,
            )  # fmt: skip
            stack.enter_context(registry.announced(running))
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _serve_probe(self, stack: ExitStack) -> None:
        from pyocd.probe.aggregator import DebugProbeAggregator
        from pyocd.probe.tcp_probe_server import DebugProbeServer

        probe = DebugProbeAggregator.get_probe_with_id(self.board.uid)
        session = self._session(stack, None)
        probe.session = session
        _see_that_free(self.remote)
        server = DebugProbeServer(session, probe, self.remote, serve_local_only=True)
        server._server.daemon_threads = True  # who stays connected does not keep us from ending
        server.start()
        stack.callback(_stop_probe_server, server)
        self.remote = server._server.server_address[1]

    def _serve_gdb(self, stack: ExitStack, port: int) -> None:
        """On wires of its own: who comes to the probe's server does not disturb it."""
        from pyocd.gdbserver import GDBServer

        from fwgen.virtual.probe import VirtualProbe

        probe = VirtualProbe(self.board, self.board.wires())
        session = self._session(stack, probe, gdbserver_port=port, connect_mode="attach")
        stack.enter_context(session)
        _see_that_free(port)
        server = GDBServer(session, core=0)
        session.gdbservers[0] = server
        server.start()
        stack.callback(server.stop)
        self.gdb = server.port

    def _session(self, stack: ExitStack, probe: Any, **options: object) -> Any:
        """A session of pyocd that reads no files of the user's and stays where we are."""
        from pyocd.core.session import Session

        here = Path.cwd()
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        try:
            return Session(
                probe,
                target_override=self._target if probe is not None else None,
                no_config=True,
                project_dir=folder,
                options={**self._options, **options},
            )
        finally:
            os.chdir(here)


def _see_that_free(port: int) -> None:
    """Raises BenchError when somebody listens there, or may not."""
    with socket.socket() as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind(("localhost", port))
        except OSError as error:
            raise BenchError(
                f"port {port} cannot be served: {error.strerror}", hint="name another, or 0 for any"
            ) from error


def _stop_probe_server(server: Any) -> None:
    server.stop()
    server._server.server_close()
