"""A session with one probe and the chip behind it. Every failure is told in words.

pyocd does the work. Around it: nothing of the current folder is executed or read (pyocd would
run a ``pyocd_user.py``), no chip is unlocked (which may erase it) unless asked, firmware that
sleeps or has switched its debug pins off is caught under reset, and one probe has one user.
"""

from __future__ import annotations

import contextlib
import os
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from fwgen.errors import RigError
from fwgen.rig import identity as identities
from fwgen.rig.clock import Clock, WallClock
from fwgen.rig.errors import explain
from fwgen.rig.lock import locked
from fwgen.rig.targets import algorithm_of, register
from fwgen.units import PS_PER_MS, PS_PER_S, PS_PER_US

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from types import TracebackType

    from fwgen.board.types import Board
    from fwgen.rig.algorithms import Algorithm
    from fwgen.rig.identity import Identity
    from fwgen.rig.probes import Probe

How = Literal["halt", "attach", "under-reset"]
FREQUENCY_HZ = 4_000_000  # of SWCLK; what ST's own tools use
CHUNK = 0x4000  # bytes read at once: progress is told in between
TIMEOUTS = {
    "init": 10.0,
    "erase_sector": 15.0,
    "erase_all": 60.0,
    "program": 10.0,
}  # s, of the wall
PATIENCE_PS = 30 * PS_PER_S  # with one call: longer than the algorithms' own
FIRST_WAIT_PS, LONGEST_WAIT_PS = 100 * PS_PER_US, 50 * PS_PER_MS
BLANK = 0xFF


@dataclass(frozen=True, slots=True)
class Sector:
    """What is erased at once. ``number`` counts from the start of flash."""

    number: int
    address: int
    size: int

    @property
    def end(self) -> int:
        """First address past it."""
        return self.address + self.size


class Connection:
    """A chip that can be read, written, halted, run, reset, erased and programmed.

        with Connection(board, probe) as connection:
            connection.read(0x0800_0000, 16)

    ``how``: "halt" stops the core, "attach" lets it run, "under-reset" holds the chip in reset
    until it is caught; when "halt" gets no answer, that is tried by itself (``notes`` says so).
    With ``check``, a chip that is not the board's is refused. On leaving, the core runs. ``clock``
    is what time passes on while the chip is busy: the wall's, or a virtual board's own.

    Raises RigError for whatever fails, WrongChipError for the wrong chip.
    """

    def __init__(
        self,
        board: Board,
        probe: Probe,
        *,
        how: How = "halt",
        frequency_hz: int = FREQUENCY_HZ,
        check: bool = True,
        clock: Clock | None = None,
    ) -> None:
        self.board, self.probe = board, probe
        self.clock: Clock = clock or WallClock()
        self.notes: list[str] = []
        self._how: How = how
        self._frequency_hz = frequency_hz
        self._check = check
        self._session: Any = None
        self._identity: Identity | None = None
        self._held = contextlib.ExitStack()

    # ------------------------------------------------------------------ opening and closing

    def __enter__(self) -> Connection:
        with self._held as held:
            held.enter_context(locked(self.probe.uid))
            held.callback(self._close)
            self._open()
            if self._check:
                identities.refuse_wrong_chip(self.board, self.identity)
            self._held = held.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is not None and self._session is not None:
            # Whatever else fails now fails because of it.
            self._session.context_state.suppress_disconnect_error = True
        self._held.close()

    def _open(self) -> None:
        first: RigError | None = None
        ways: tuple[How, ...] = ("halt", "under-reset") if self._how == "halt" else (self._how,)
        for way in ways:
            try:
                self._try_open(way)
            except RigError as error:
                self._close()
                if "does not answer" not in error.message:
                    raise
                if first is not None:
                    raise first from None
                first = error
            else:
                if first is not None:
                    self.notes.append(
                        "the chip answered only while held in reset: its firmware sleeps deeply, "
                        "or has switched the debug pins off"
                    )
                return
        assert first is not None
        raise first

    def _try_open(self, way: How) -> None:
        with self._words("connecting"):
            target = register(self.board)
            from pyocd.core.session import Session
            from pyocd.core.target import Target

            options = {
                "connect_mode": way,
                "target_override": target,
                "frequency": self._frequency_hz,
                "auto_unlock": False,
                "cache.enable_memory": False,
                "no_config": True,
                "project_dir": str(_folder()),
                "user_script": os.devnull,
                "reset.post_delay": 0.0,
                "reset.hold_time": 0.02,
                "resume_on_disconnect": True,
                "warning.cortex_m_default": False,
                **{f"flash.timeout.{name}": seconds for name, seconds in TIMEOUTS.items()},
            }
            self._session = Session(self.probe.handle, auto_open=False, options=options)
            try:
                self._session.open()
            except BaseException:
                self._session.context_state.suppress_disconnect_error = True
                raise
            if way != "attach" and self.target.get_state() != Target.State.HALTED:
                raise RigError("the core does not stop: it does not answer to a halt request")

    def _close(self) -> None:
        session, self._session, self._identity = self._session, None, None
        if session is not None:
            # A probe that is gone cannot be told goodbye; what matters was told before.
            with contextlib.suppress(Exception):
                session.close()
            with contextlib.suppress(Exception):  # pyocd leaves it open when the goodbye fails
                if self.probe.handle.is_open:
                    self.probe.handle.close()

    @contextlib.contextmanager
    def _words(self, doing: str) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            algorithm = algorithm_of(self._session.target) if self._session is not None else None
            meaning = algorithm.meaning if algorithm else None
            raise explain(error, doing, probe=self.probe.uid, meaning=meaning) from error

    # ------------------------------------------------------------------ what pyocd has

    @property
    def session(self) -> Any:
        """The session in pyocd, for what this class does not have."""
        if self._session is None:
            raise RigError("the connection is not open", where=f"probe {self.probe.uid}")
        return self._session

    @property
    def target(self) -> Any:
        """The target in pyocd."""
        return self.session.target

    @property
    def identity(self) -> Identity:
        """Which chip it is; asked once."""
        if self._identity is None:
            self._identity = identities.identify(self, self.board.chip)
        return self._identity

    @property
    def target_uv(self) -> int | None:
        """The supply that the probe measures, in microvolts; None where it measures none."""
        link = getattr(self.probe.handle, "_link", None)
        volts = getattr(link, "target_voltage", None)
        return round(volts * 1_000_000) if isinstance(volts, (int, float)) else None

    # ------------------------------------------------------------------ memory

    def read(self, address: int, size: int, progress: Callable[[int], None] | None = None) -> bytes:
        """Bytes of memory. ``progress`` is told how many are read."""
        first, end = address & ~3, -(-(address + size) // 4) * 4
        data = bytearray()
        with self._words(f"reading {size} bytes at {address:#010x}"):
            while first + len(data) < end:
                at = first + len(data)
                count = min(CHUNK, end - at) // 4
                words = self.target.read_memory_block32(at, count)
                data += struct.pack(f"<{count}I", *words)
                if progress is not None:
                    progress(min(size, len(data)))
        return bytes(data[address - first : address - first + size])

    def read_word(self, address: int) -> int:
        """A word of memory or a register."""
        with self._words(f"reading {address:#010x}"):
            return int(self.target.read32(address))

    def read_half(self, address: int) -> int:
        """Half a word of memory, or a register of 16 bits."""
        with self._words(f"reading {address:#010x}"):
            return int(self.target.read16(address))

    def try_word(self, address: int) -> int | None:
        """A word, or None where the chip has nothing to read."""
        from pyocd.core.exceptions import TransferFaultError

        with self._words(f"reading {address:#010x}"):
            try:
                return int(self.target.read32(address))
            except TransferFaultError:
                return None

    def write(self, address: int, data: bytes) -> None:
        """Store bytes into RAM or registers; flash is programmed with ``program``."""
        with self._words(f"writing {len(data)} bytes at {address:#010x}"):
            self.target.write_memory_block8(address, data)

    def write_word(self, address: int, value: int) -> None:
        """Store a word into RAM or a register."""
        with self._words(f"writing {address:#010x}"):
            self.target.write32(address, value)

    # ------------------------------------------------------------------ the core

    def halt(self) -> None:
        """Stop the core."""
        with self._words("stopping the core"):
            self.target.halt()

    def run(self) -> None:
        """Let the core go on."""
        with self._words("letting the core run"):
            self.target.resume()

    def reset(self, *, halt: bool = False) -> None:
        """Reset the chip; with ``halt`` stop at its first instruction.

        Raises RigError when the core does not stop there.
        """
        from pyocd.core.target import Target

        with self._words("resetting the chip"):
            if not halt:
                self.target.reset()
                return
            self.target.reset_and_halt()
            if self.target.get_state() != Target.State.HALTED:
                raise RigError("the core does not stop after a reset")

    @property
    def halted(self) -> bool:
        """Whether the core stands still."""
        from pyocd.core.target import Target

        with self._words("asking the core for its state"):
            return bool(self.target.get_state() == Target.State.HALTED)

    def registers(self, *names: str) -> tuple[int, ...]:
        """Core registers of a halted core: "r0", "sp", "pc", "xpsr" ..."""
        with self._words("reading registers"):
            return tuple(int(v) for v in self.target.read_core_registers_raw(list(names)))

    # ------------------------------------------------------------------ flash

    def sectors(self) -> tuple[Sector, ...]:
        """The sectors of main flash, as pyocd's target has them."""
        flash = self.board.chip.flash
        found: list[Sector] = []
        at = flash.base
        while at < flash.base + flash.size:
            region = self._region(at)
            size = region.flash.get_sector_info(at).size
            found.append(Sector(len(found), at, size))
            at += size
        return tuple(found)

    def _region(self, address: int) -> Any:
        region = self.target.memory_map.get_region_for_address(address)
        if region is None or not region.is_flash or region.flash is None:
            raise RigError(
                f"pyocd's target has no flash that can be programmed at {address:#010x}",
                where=self.board.chip.title,
            )
        return region

    def erase(self, sector: Sector) -> None:
        """Erase a sector."""
        algorithm = algorithm_of(self.target)
        with self._words(f"erasing the sector at {sector.address:#010x}"):
            flash = self._region(sector.address).flash
            flash.init(flash.Operation.ERASE)
            if algorithm is None:
                flash.erase_sector(sector.address)
                return
            # As erase_sector() does, but asking only when there can be an answer.
            flash._call_function(flash.flash_algo["pc_erase_sector"], sector.address)
            self.clock.sleep(algorithm.erase_ps.get(sector.size, 0))
            self._finish(flash, sector.address)

    def program(
        self,
        address: int,
        data: bytes,
        progress: Callable[[int], None] | None = None,
        *,
        first_page_last: bool = False,
    ) -> None:
        """Program erased flash: whole pages from ``address``; blank pages are left as they are.

        While the chip programs a page the next one is sent. ``progress`` is told how many bytes
        are done.
        """
        flash = self._region(address).flash
        size = flash.get_page_info(address).size
        pages = [
            (address + at, data[at : at + size])
            for at in range(0, len(data), size)
            if data[at : at + size].strip(bytes([BLANK]))
        ]
        if first_page_last:
            pages = [*pages[1:], *pages[:1]]
        if not pages:
            return
        with self._words(f"programming {len(data)} bytes at {address:#010x}"):
            flash.init(flash.Operation.PROGRAM)
            if flash.is_double_buffering_supported:
                self._program_ahead(flash, pages, progress)
                return
            for number, (at, page) in enumerate(pages, 1):
                flash.program_page(at, page)
                if progress is not None:
                    progress(number * size)

    def _program_ahead(
        self,
        flash: Any,
        pages: Iterable[tuple[int, bytes]],
        progress: Callable[[int], None] | None,
    ) -> None:
        algorithm = algorithm_of(self.target)
        under_way: int | None = None
        done = due = 0
        for number, (at, page) in enumerate(pages):
            flash.load_page_buffer(number & 1, at, page)
            if under_way is not None:
                self.clock.sleep(due - self.clock.now_ps)
                self._finish(flash, under_way)
            flash.start_program_page_with_buffer(number & 1, at)
            due = self.clock.now_ps + (_takes_ps(algorithm, page) if algorithm else 0)
            under_way = at
            done += len(page)
            if progress is not None:
                progress(done)
        assert under_way is not None
        self.clock.sleep(due - self.clock.now_ps)
        self._finish(flash, under_way)

    def _finish(self, flash: Any, address: int) -> None:
        """Wait until a call of the algorithm is over, asking less and less often."""
        from pyocd.core.exceptions import FlashFailure, TransferFaultError, TransferTimeoutError
        from pyocd.core.target import Target

        began, step_ps = self.clock.now_ps, FIRST_WAIT_PS
        longest_ps = PS_PER_MS if isinstance(self.clock, WallClock) else LONGEST_WAIT_PS
        while True:
            with contextlib.suppress(TransferFaultError, TransferTimeoutError):
                if self.target.get_state() == Target.State.HALTED:
                    break
            if self.clock.now_ps - began > PATIENCE_PS:
                raise FlashFailure("it is not done in time", address=address)
            self.clock.sleep(step_ps)
            step_ps = min(2 * step_ps, longest_ps)
        result = flash.wait_for_completion(timeout=TIMEOUTS["program"])
        if result:
            raise FlashFailure("", address=address, result_code=result)

    def finish(self) -> None:
        """Close the flash controller after erasing and programming."""
        with self._words("closing the flash controller"):
            current = getattr(self.session.context_state, "current_flash_algo", None)
            if current is not None:
                current.cleanup()


def _takes_ps(algorithm: Algorithm, page: bytes) -> int:
    """How long a page takes at least: its units that are not blank."""
    blank = bytes([BLANK]) * algorithm.unit
    starts = range(0, len(page), algorithm.unit)
    return algorithm.program_ps * sum(page[at : at + algorithm.unit] != blank for at in starts)


def _folder() -> str:
    """A folder that pyocd may call its project: ours, so that it changes no folder."""
    try:
        return os.getcwd()  # noqa: PTH109 - as text, and it may be gone
    except OSError:
        return os.path.abspath(os.sep)  # noqa: PTH100
