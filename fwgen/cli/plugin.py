"""What pyocd loads of fwgen, wherever both are installed: the virtual boards that run.

``pyocd list`` shows them, and ``pyocd flash -u UID`` and all its other commands work on them.
Where none runs, nothing of fwgen but this file is loaded.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from pyocd.core.plugin import Plugin

from fwgen.virtual.registry import running

if TYPE_CHECKING:
    from fwgen.virtual.registry import Running


class VirtualBoards(Plugin):  # type: ignore[misc]
    """The entry point: a kind of debug probe called "fwgen"."""

    def should_load(self) -> bool:
        """Only while a virtual board runs, in another process than this one."""
        return bool(_boards())

    def load(self) -> type:
        """The class of the probes."""
        return _probe_class()

    @property
    def name(self) -> str:
        """What stands before a probe's serial number: ``-u fwgen:UID``."""
        return "fwgen"

    @property
    def description(self) -> str:
        """For ``pyocd list --plugins``."""
        return "virtual boards that run on this computer"


def _boards() -> list[Running]:
    return [board for board in running() if board.pid != os.getpid()]


def _probe_class() -> type:
    from pyocd.probe.tcp_client_probe import TCPClientProbe

    class RunningBoard(TCPClientProbe):  # type: ignore[misc]
        """The probe of a board that runs, reached through the board's own server."""

        @classmethod
        def get_all_connected_probes(
            cls, unique_id: str | None = None, is_explicit: bool = False
        ) -> list[Any]:
            """One for each board."""
            return [cls(board) for board in _boards()]

        @classmethod
        def get_probe_with_id(cls, unique_id: str, is_explicit: bool = False) -> Any:
            """The one with this serial number."""
            return next((cls(b) for b in _boards() if b.uid == unique_id), None)

        def __init__(self, running: Running) -> None:
            super().__init__(f"localhost:{running.port}")
            self._running = running

        @property
        def unique_id(self) -> str:
            """The board's, not the server's address."""
            return self._running.uid

        @property
        def vendor_name(self) -> str:
            """Ours."""
            return "fwgen"

        @property
        def product_name(self) -> str:
            """What it is on."""
            return f"virtual {self._running.title}"

        def create_associated_board(self) -> Any:
            """The board that carries it, with a target that pyocd may lack."""
            from pyocd.board.board import Board

            from fwgen.board import load_board
            from fwgen.rig.targets import register

            return Board(self.session, register(load_board(self._running.board)))

    return RunningBoard
