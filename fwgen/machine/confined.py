"""The machine in a process of its own, for images that nobody vouches for.

What a remote model emitted is data until it runs; it runs here, in a worker with a limit on its
memory, no files to write, an empty environment (no keys) and a limit on wall time, after which it
is ended. Trusted things (the board, the image's bytes, the stimuli) go in pickled; what comes out
is read as text, never unpickled.

    python -m fwgen.machine.confined      # the worker: jobs on stdin, answers on stdout
"""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
import threading
from contextlib import suppress
from dataclasses import asdict
from typing import IO, TYPE_CHECKING, Any

from fwgen.bench import Look
from fwgen.errors import BenchError
from fwgen.machine.machine import PATIENCE_S

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Self

    from fwgen.board.types import Board
    from fwgen.contract import Stimulus
    from fwgen.image.types import Image
    from fwgen.thumb.cycles import Pace
    from fwgen.trace import Trace

MEMORY_BYTES = 2 << 30
SPARE_S = 20.0  # beyond the machine's own patience: to start, and to tell what was seen
_MOST_ANSWER = 512 << 20  # bytes
_LENGTH = 8


class ConfinedMachine:
    """A bench like Machine, whose runs happen in a worker process.

    ``memory_bytes`` is the worker's whole address space, ``wall_s`` the longest that one run may
    take. ``close`` ends the worker; a run after that, or after it was ended, starts another.
    """

    def __init__(
        self,
        board: Board,
        *,
        memory_bytes: int = MEMORY_BYTES,
        patience_s: float = PATIENCE_S,
        wall_s: float | None = None,
    ) -> None:
        self.board = board
        self._memory_bytes, self._patience_s = memory_bytes, patience_s
        self._wall_s = patience_s + SPARE_S if wall_s is None else wall_s
        self._worker: subprocess.Popen[bytes] | None = None
        self._ended = False
        self._starting = threading.Lock()

    def run(self, image: Image, stimuli: Sequence[Stimulus], span_ps: int) -> Trace:
        """Power on, run for ``span_ps`` while doing the stimuli, and tell what was seen.

        Raises BenchError when the worker had to be ended.
        """
        return self.run_by_chance(0, image, stimuli, span_ps)

    def run_by_chance(
        self,
        chance: int,
        image: Image,
        stimuli: Sequence[Stimulus],
        span_ps: int,
        pace: Pace = "typical",
    ) -> Trace:
        """A run in which what nothing defines is as ``chance`` and ``pace`` have it.

        See Machine.
        """
        from fwgen.trace import load_trace

        answer = self._ask({
            "job": "run", "chance": chance, "pace": pace, "image": image,
            "stimuli": tuple(stimuli), "span_ps": span_ps,
        })  # fmt: skip
        return load_trace(answer, "the worker's trace")

    def look(self, image: Image, stimuli: Sequence[Stimulus], t_ps: int) -> Look:
        """Run up to a moment, and tell where the core is and what the registers hold."""
        answer = self._ask({"job": "look", "image": image, "stimuli": tuple(stimuli), "t_ps": t_ps})
        return Look(**json.loads(answer))

    def start(self) -> None:
        """Start the worker now, while there is something else to wait for."""
        if self._worker is None:
            self._start()

    def close(self) -> None:
        """End the worker."""
        worker, self._worker = self._worker, None
        if worker is not None:
            worker.kill()
            for stream in (worker.stdin, worker.stdout):
                if stream is not None:
                    with suppress(OSError):
                        stream.close()
            worker.wait()

    def end(self) -> None:
        """End the worker for good, from any thread: what runs raises BenchError, and what comes."""
        with self._starting:
            self._ended = True
        self.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # ------------------------------------------------------------------ the worker, from outside

    def _ask(self, job: Mapping[str, object]) -> str:
        worker = self._worker or self._start()
        assert worker.stdin is not None
        assert worker.stdout is not None
        late = threading.Event()

        def end() -> None:
            late.set()
            worker.kill()

        watchdog = threading.Timer(self._wall_s, end)
        watchdog.daemon = True
        watchdog.start()
        try:
            _send(worker.stdin, pickle.dumps({"board": self.board, **job}))
            answer = json.loads(_receive(worker.stdout))
        except (OSError, EOFError, ValueError):
            self.close()
            if self._ended:
                raise BenchError("the run was cancelled") from None
            said = f"took more than {self._wall_s:g} s of wall time"
            if not late.is_set():
                said = f"broke the machine, or needed more than {self._memory_bytes >> 20} MB"
            raise BenchError(
                f"the firmware was stopped: it {said}",
                hint="firmware that floods its pins or port makes endless evidence",
            ) from None
        except BaseException:
            self.close()
            raise
        finally:
            watchdog.cancel()
        if "error" in answer:
            raise BenchError(str(answer["error"]), where=answer.get("where"))
        return str(answer["text"])

    def _start(self) -> subprocess.Popen[bytes]:
        with self._starting:
            if self._ended:
                raise BenchError("the run was cancelled")
            return self._started()

    def _started(self) -> subprocess.Popen[bytes]:
        environment = {k: os.environ[k] for k in ("PATH", "SYSTEMROOT", "LANG") if k in os.environ}
        path = os.pathsep.join(entry for entry in sys.path if entry)
        self._worker = subprocess.Popen(
            [sys.executable, "-P", "-m", __name__, str(self._memory_bytes), str(self._patience_s)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            env={**environment, "PYTHONPATH": path}, start_new_session=True,
        )  # fmt: skip
        return self._worker


def _send(stream: IO[bytes], data: bytes) -> None:
    stream.write(len(data).to_bytes(_LENGTH, "little") + data)
    stream.flush()


def _receive(stream: IO[bytes]) -> bytes:
    head = stream.read(_LENGTH)
    size = int.from_bytes(head, "little")
    if len(head) < _LENGTH or size > _MOST_ANSWER:
        raise EOFError
    data = stream.read(size)
    if len(data) < size:
        raise EOFError
    return data


# ---------------------------------------------------------------------- within the worker


def _confine(memory_bytes: int) -> None:
    """Give away what a worker does not need; does what the system can do."""
    try:
        import resource
    except ImportError:  # Windows
        return
    for limit, value in (
        (resource.RLIMIT_AS, memory_bytes),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        with suppress(ValueError, OSError):
            resource.setrlimit(limit, (value, value))


def _work(job: Mapping[str, Any], patience_s: float) -> str:
    from fwgen.machine.machine import Machine
    from fwgen.trace import dump_trace

    board, image, stimuli = job["board"], job["image"], job["stimuli"]
    if job["job"] == "look":
        machine = Machine(board)
        return json.dumps(asdict(machine.look(image, stimuli, job["t_ps"])))
    machine = Machine(
        board,
        patience_s=patience_s,
        chance=job["chance"],
        pace=job["pace"],
    )
    return dump_trace(machine.run(image, stimuli, job["span_ps"]))


def main() -> None:
    """Serve jobs until stdin ends."""
    memory_bytes, patience_s = int(sys.argv[1]), float(sys.argv[2])
    jobs, answers = sys.stdin.buffer, sys.stdout.buffer
    _confine(memory_bytes)
    while True:
        try:
            job = pickle.loads(_receive(jobs))
        except EOFError:
            return
        try:
            answer = {"text": _work(job, patience_s)}
        except BenchError as error:
            answer = {"error": error.message, "where": error.where}  # type: ignore[dict-item]
        _send(answers, json.dumps(answer).encode())


if __name__ == "__main__":
    main()
