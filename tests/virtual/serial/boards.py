"""A powered board as the serial port sees it, over the real machine."""

from __future__ import annotations

import threading
import time
from itertools import count
from typing import TYPE_CHECKING

from fwgen.board import load_board
from fwgen.image.load import load_image
from fwgen.machine.machine import Machine
from fwgen.units import PS_PER_MS, PS_PER_S

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from fwgen.image.types import Image
    from fwgen.trace import Event

_uids = count(1)


class PoweredBoard:
    """Time passes in ``sleep`` only, or by the wall once ``start_free_running`` was called."""

    def __init__(self, image: Image, name: str = "nucleo-f401") -> None:
        self.board = load_board(name)
        self.uid = f"TEST{next(_uids):08d}"
        self.machine = Machine(self.board)
        self.lock = threading.RLock()
        self.events: list[Event] = []
        self._image = image
        self._before_ps = self._t_ps = 0
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()
        self.machine.load(image)
        self.machine.listen(self.events.append)

    @property
    def now_ps(self) -> int:
        return self._before_ps + self._t_ps

    @property
    def free_running(self) -> bool:
        return self._thread is not None

    def sleep(self, ps: int) -> None:
        with self.lock:
            self._t_ps += ps
            self.machine.advance(self._t_ps)

    def listen(self, listener: Callable[[Event], None]) -> None:
        self.machine.listen(listener)

    def power_cycle(self) -> None:
        with self.lock:
            self._before_ps += self._t_ps
            self._t_ps = 0
            self.machine.load(self._image)

    def start_free_running(self) -> None:
        def run() -> None:
            began, at = time.monotonic(), self._t_ps
            while not self._stop.wait(0.002):
                target = at + int((time.monotonic() - began) * PS_PER_S)
                self.sleep(min(max(0, target - self._t_ps), 20 * PS_PER_MS))

        self._thread = threading.Thread(target=run)
        self._thread.start()

    def stop(self) -> None:
        if self._thread is not None:
            self._stop.set()
            self._thread.join()
            self._thread = None
        with self.lock:
            self.machine.close()


def image_of(path: Path, board: str = "nucleo-f401") -> Image:
    return load_image(path, load_board(board))
