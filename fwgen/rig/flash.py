"""An image onto the board: erase what must be, program, read back and compare, reset, run.

What happens to flash that the image does not fill: sectors without a byte of the image stay as
they are; the rest of a sector that has one is blank afterwards (as pyocd and probe-rs leave it),
or, with ``keep``, what it was. A sector that holds what it shall is skipped, a blank one is not
erased.

An interruption at any moment leaves a chip that either runs what it ran before or, once erasing
has begun, nothing: the sector with the vector table goes first and comes back last, its first
page at the very end. Repeating the flash puts everything right; what was erased is in a backup.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fwgen.errors import FwgenError, ImageError, InputError, RigError
from fwgen.rig.backup import Store
from fwgen.rig.connection import BLANK, Connection, Sector
from fwgen.rig.identity import refuse_protected, refuse_wrong_chip
from fwgen.rig.probes import choose_probe
from fwgen.units import PS_PER_S

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fwgen.board.types import Board
    from fwgen.image.types import Image
    from fwgen.rig.backup import Backup
    from fwgen.rig.clock import Clock
    from fwgen.rig.identity import Identity

    Progress = Callable[[str, int, int], None]
    """Told what is under way ("erase", "program" ...), the bytes of it done, and those to do."""

WORD = 16  # bytes: no flash of ours programs more at once, so blank ones of these may be programmed
AGAIN = "flash it again: nothing is lost by repeating"


@dataclass(frozen=True, slots=True)
class Programmed:
    """What a flash did. Sectors by number; ``bytes`` were programmed; time by the rig's clock."""

    identity: Identity
    erased: tuple[int, ...]
    programmed: tuple[int, ...]
    skipped: tuple[int, ...]
    bytes: int
    ps: int
    backup: Backup | None = None
    notes: tuple[str, ...] = ()

    @property
    def seconds(self) -> float:
        """How long it took."""
        return self.ps / PS_PER_S


def flash_board(
    board: Board,
    image: Image,
    *,
    probe: str | None = None,
    backup: bool | None = None,
    keep: bool = False,
    force: bool = False,
    progress: Progress | None = None,
    clock: Clock | None = None,
) -> Programmed:
    """Find the board's probe, connect, flash, let it run. The options are those of ``program``.

    Raises RigError (WrongChipError, ProtectedChipError) with the cure, ImageError, OutputError.
    """
    check_image(board, image)
    with Connection(board, choose_probe(board, probe), clock=clock) as connection:
        return program(
            connection, image, backup=backup, keep=keep, force=force, progress=progress
        )  # fmt: skip


def program(
    connection: Connection,
    image: Image,
    *,
    backup: bool | None = None,
    keep: bool = False,
    force: bool = False,
    run: bool = True,
    progress: Progress | None = None,
) -> Programmed:
    """Flash an image over an open connection; the board runs it afterwards.

    ``backup``: True keeps the whole flash, False nothing; None the whole flash when this chip is
    seen for the first time, and later whatever is about to be erased and is not kept yet.
    ``keep`` leaves what lies beside the image in its sectors. ``force`` erases and programs
    sectors that hold the image already. Without ``run`` the core is left halted.

    Raises RigError: nothing was erased, or the message says so.
    """
    check_image(connection.board, image)
    touched = [
        s
        for s in connection.sectors()
        if any(_overlap(s, g.address, g.end) for g in image.segments)
    ]

    def wanted(sector: Sector, there: bytes) -> bytes:
        data = bytearray(there if keep else bytes([BLANK]) * sector.size)
        for segment in image.segments:
            if span := _overlap(sector, segment.address, segment.end):
                first, end = span
                data[first - sector.address : end - sector.address] = segment.data[
                    first - segment.address : end - segment.address
                ]
        return bytes(data)

    job = _Job(connection, touched, wanted, backup, force, progress)
    return job.run(certain=keep, go=run)


def restore(
    connection: Connection,
    backup: Backup,
    *,
    keep: bool = True,
    progress: Progress | None = None,
) -> Programmed:
    """Put a backup back; the board runs it afterwards. ``keep``: what it replaces is kept first.

    Raises InputError when the backup is damaged, or of another kind of chip.
    """
    identity = connection.identity
    if backup.dev_id != identity.dev_id:
        raise InputError(
            f"the backup is of {backup.chip} (device id {backup.dev_id:#05x}), "
            f"the chip is {identity.name}",
            where=str(backup.path),
        )
    data = backup.read()

    def covers(sector: Sector) -> bytes | None:
        for address, content in data.items():
            if address <= sector.address and sector.end <= address + len(content):
                return content[sector.address - address : sector.end - address]
        return None

    touched = [sector for sector in connection.sectors() if covers(sector) is not None]
    if sum(sector.size for sector in touched) != backup.size:
        raise InputError("the backup does not fit the sectors of this chip", where=str(backup.path))

    def wanted(sector: Sector, there: bytes) -> bytes:
        found = covers(sector)
        return there if found is None else found

    return _Job(connection, touched, wanted, None if keep else False, False, progress).run()


def check_image(board: Board, image: Image) -> None:
    """Raises ImageError when an image does not lie in the board's flash, or is empty."""
    flash = board.chip.flash
    if not image.flash_used:
        raise ImageError("the image is empty", where=image.source or None)
    for segment in image.segments:
        if segment.address < flash.base or segment.end > flash.base + flash.size:
            raise ImageError(
                f"{len(segment.data)} bytes at {segment.address:#010x} are not in the flash of "
                f"{board.chip.title}",
                where=image.source or None,
            )


def _overlap(sector: Sector, start: int, end: int) -> tuple[int, int] | None:
    first, last = max(sector.address, start), min(sector.end, end)
    return (first, last) if first < last else None


class _Job:
    """One flash of some sectors."""

    def __init__(
        self,
        connection: Connection,
        sectors: Sequence[Sector],
        wanted: Callable[[Sector, bytes], bytes],
        backup: bool | None,
        force: bool,
        progress: Progress | None,
    ) -> None:
        self.connection = connection
        self.board = connection.board
        self.sectors = sectors
        self.wanted = wanted
        self.backup = backup
        self.force = force
        self.progress = progress or (lambda _what, _done, _total: None)
        self.clock = connection.clock
        self.notes = list(connection.notes)

    def run(self, *, certain: bool = False, go: bool = True) -> Programmed:
        """Do it, and let it ``go``.

        ``certain``: what is there becomes part of what shall be, so read it twice.
        """
        began = self.clock.now_ps
        connection, identity = self.connection, self.connection.identity
        refuse_wrong_chip(self.board, identity)
        refuse_protected(identity)
        store = Store(identity.unique_id or connection.probe.uid)
        connection.reset(halt=True)  # clocks as after reset, no watchdog, no handler
        there = self._read("read", self.sectors)
        if certain:
            _same_twice(there, self._read("check", self.sectors))
        shall = {s: self.wanted(s, there[s]) for s in self.sectors}
        dirty = [s for s in self.sectors if self.force or there[s] != shall[s]]
        erase = [s for s in dirty if self.force or not _programs_over(there[s], shall[s])]
        refuse_protected(identity, [s.number for s in dirty])
        interrupted = store.pending
        if interrupted:
            self.notes.append("the last flash of this chip was interrupted")
        kept = self._keep(store, identity, {s: there[s] for s in erase}, interrupted)
        written = 0
        if dirty:
            if self.backup is not False or interrupted:
                store.begin(dirty)  # before the first bit changes
            try:
                written = self._write(dirty, erase, shall)
                self._compare(dirty, shall)
            except FwgenError as error:
                raise _incomplete(error, kept) from error
            except KeyboardInterrupt:
                raise KeyboardInterrupt(f"the board's flash is incomplete: {AGAIN}") from None
        self._settle(store, interrupted)
        try:
            if go:
                connection.reset()
        except FwgenError as error:
            raise RigError(
                f"{error.message}; the flash itself is complete and right",
                where=error.where,
                hint="press the board's reset button: it runs the new firmware",
            ) from error
        return Programmed(
            identity=identity,
            erased=tuple(s.number for s in erase),
            programmed=tuple(s.number for s in dirty),
            skipped=tuple(s.number for s in self.sectors if s not in dirty),
            bytes=written,
            ps=self.clock.now_ps - began,
            backup=kept,
            notes=tuple(self.notes),
        )

    def _settle(self, store: Store, interrupted: Sequence[int]) -> None:
        """What an interrupted flash was about is settled where it was looked at."""
        if self.backup is False and not interrupted:
            return
        left = sorted(set(interrupted) - {sector.number for sector in self.sectors})
        store.settle(left)
        if left:
            self.notes.append(f"sectors {left} still hold what the interrupted flash left there")

    # ------------------------------------------------------------------ before

    def _read(self, what: str, sectors: Sequence[Sector]) -> dict[Sector, bytes]:
        total, done = sum(s.size for s in sectors), 0
        found: dict[Sector, bytes] = {}
        for sector in sectors:
            found[sector] = self.connection.read(
                sector.address,
                sector.size,
                lambda n, done=done: self.progress(what, done + n, total),  # type: ignore[misc]
            )
            done += sector.size
        return found

    def _keep(
        self,
        store: Store,
        identity: Identity,
        erase: dict[Sector, bytes],
        interrupted: Sequence[int],
    ) -> Backup | None:
        """Keep what is asked for, or what would be lost. Read twice: a backup must be right."""
        if self.backup is False:
            return None
        if self.backup or not store.seen:
            flash, why = self.board.chip.flash, "asked for" if self.backup else "first seen"
            sectors = self.connection.sectors()
            first, second = self._read("back up", sectors), self._read("check", sectors)
            _same_twice(first, second)
            whole = b"".join(first[s] for s in sectors)
            return store.keep(
                self.board, identity, {flash.base: whole}, kind="whole", why=why,
                interrupted=bool(interrupted),
            )  # fmt: skip
        full = {s: data for s, data in erase.items() if data.strip(bytes([BLANK]))}
        there = {s.address: data for s, data in full.items()}
        if not there or not store.lacks(there):
            return None
        _same_twice(full, self._read("back up", list(full)))
        return store.keep(
            self.board, identity, there, kind="part", why="before a flash",
            interrupted=any(s.number in interrupted for s in full),
        )  # fmt: skip

    # ------------------------------------------------------------------ the flash

    def _write(
        self, dirty: Sequence[Sector], erase: Sequence[Sector], shall: dict[Sector, bytes]
    ) -> int:
        connection = self.connection
        total, done = sum(s.size for s in erase), 0
        for sector in erase:  # from the vector table upward
            self.progress("erase", done, total)
            connection.erase(sector)
            done += sector.size
            self.progress("erase", done, total)
        sizes = {s: len(shall[s].rstrip(bytes([BLANK]))) for s in dirty}
        total, done = sum(sizes.values()), 0
        for sector in reversed(dirty):  # the vector table last
            connection.program(
                sector.address,
                shall[sector],
                lambda n, done=done: self.progress("program", min(done + n, total), total),  # type: ignore[misc]
                first_page_last=sector.address == self.board.chip.flash.base,
            )
            done += sizes[sector]
        connection.finish()
        return total

    def _compare(self, dirty: Sequence[Sector], shall: dict[Sector, bytes]) -> None:
        back = self._read("verify", dirty)
        for sector in dirty:
            if back[sector] == shall[sector]:
                continue
            again = self.connection.read(sector.address, sector.size)
            if again == shall[sector]:
                self.notes.append(
                    "a sector read back wrong once and right the second time: "
                    "the cable is bad, or too long"
                )
                continue
            at = next(
                n for n, (a, b) in enumerate(zip(again, shall[sector], strict=True)) if a != b
            )
            raise RigError(
                f"{sector.address + at:#010x} reads back as {again[at]:#04x}, "
                f"not as the {shall[sector][at]:#04x} that was programmed",
                hint="flash it again; if it stays so, the flash is worn out",
            )


def _programs_over(there: bytes, shall: bytes) -> bool:
    """Whether programming alone makes the one of the other: what changes is blank now."""
    blank = bytes([BLANK]) * WORD
    return all(
        there[at : at + WORD] in (shall[at : at + WORD], blank) for at in range(0, len(there), WORD)
    )


def _same_twice(first: dict[Sector, bytes], second: dict[Sector, bytes]) -> None:
    for sector, data in first.items():
        if second[sector] != data:
            raise RigError(
                f"two reads of the sector at {sector.address:#010x} differ: what is on the chip "
                "cannot be kept, and nothing was erased",
                hint="the cable is bad or too long; --no-backup goes without",
            )


def _incomplete(error: FwgenError, kept: Backup | None) -> RigError:
    where_it_is = f"; what was there is kept as {kept.name}" if kept else ""
    return RigError(
        f"{error.message}: the board's flash may be incomplete, and not run{where_it_is}",
        where=error.where,
        hint=f"{error.hint}; {AGAIN}" if error.hint and AGAIN not in error.hint else AGAIN,
    )
