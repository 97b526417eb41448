"""A probe behind pyocd's own server: flashed as one that is plugged in; what fails is told."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from fwgen.errors import RigError
from fwgen.rig.connection import Connection
from fwgen.rig.flash import program
from fwgen.rig.probes import choose_probe
from fwgen.rig.targets import register
from fwgen.virtual.board import VirtualBoard
from fwgen.virtual.server import Served

from .test_flash import image as made_up

if TYPE_CHECKING:
    from contextlib import ExitStack

    from fwgen.board.types import Board


@pytest.fixture
def served(board: Board, stack: ExitStack) -> tuple[VirtualBoard, Served]:
    made = stack.enter_context(VirtualBoard(board))
    made.start_free_running()
    return made, stack.enter_context(Served(made, target=register(board)))


def test_a_board_behind_a_server_is_flashed(
    board: Board, served: tuple[VirtualBoard, Served]
) -> None:
    made, server = served
    image = made_up(3000)
    probe = choose_probe(board, f"remote:localhost:{server.remote}")
    with Connection(board, probe) as connection:
        done = program(connection, image, backup=False)
        assert done.programmed == (0,)
        assert connection.read(image.segments[0].address, 16) == image.segments[0].data[:16]
    assert made.uid not in probe.uid  # it is named by where it is


class Relay:
    """A network that leads to a port, until it is cut."""

    def __init__(self, port: int) -> None:
        self._to = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._ends: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                here, _ = self._listener.accept()
                there = socket.create_connection(("localhost", self._to))
                self._ends += [here, there]
                for pair in ((here, there), (there, here)):
                    threading.Thread(target=self._copy, args=pair, daemon=True).start()

    def _copy(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(4096):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)

    def cut(self) -> None:
        for end in (self._listener, *self._ends):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()


def test_a_server_that_goes_away_is_told_and_not_waited_for(
    board: Board, served: tuple[VirtualBoard, Served]
) -> None:
    _, server = served
    relay = Relay(server.remote)
    with Connection(board, choose_probe(board, f"remote:127.0.0.1:{relay.port}")) as connection:
        relay.cut()
        with pytest.raises(RigError, match="the probe is gone, reading 16 bytes"):
            connection.read(0x0800_0000, 16)


def test_nobody_at_the_address_is_told_at_once(board: Board) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        with pytest.raises(RigError, match="the probe's server cannot be reached: Connection") as e:
            choose_probe(board, f"remote:127.0.0.1:{port}")
    assert e.value.where == f"127.0.0.1:{port}"
    assert "pyocd server" in str(e.value.hint)


@pytest.mark.parametrize("name", ["remote:", "remote:5555", "remote:host:", "remote:host:99999"])
def test_a_name_without_host_and_port_is_refused(name: str, board: Board) -> None:
    with pytest.raises(RigError, match="names no probe"):
        choose_probe(board, name)
