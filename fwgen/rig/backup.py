"""What was on a chip before we wrote to it, kept under the chip's unique id.

Two kinds: the whole flash, when a chip is seen for the first time (or when asked), and the
sectors that a flash is about to erase, whenever nothing kept has them yet. So whatever fwgen
erases can be put back. A backup is a zip that any tool opens: ``about.json`` and the bytes of
each region, ``flash-08000000.bin``. Whole ones stay for ever, the others until they fill
``MOST_BYTES``, the oldest going first.

Beside them, ``record.json`` says which sectors a flash was about when it was interrupted.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
import zlib
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from fwgen.errors import InputError, OutputError
from fwgen.rig.places import as_name, data_folder, write_whole

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from fwgen.board.types import Board
    from fwgen.rig.connection import Sector
    from fwgen.rig.identity import Identity

Kind = Literal["whole", "part"]
ABOUT, RECORD = "about.json", "record.json"
VERSION = 1
_UNREADABLE = (
    OSError, KeyError, ValueError, TypeError, EOFError, NotImplementedError, RuntimeError,
    zipfile.BadZipFile, zlib.error,
)  # fmt: skip
MOST_BYTES = 64 << 20  # of the parts kept for one chip, compressed


@dataclass(frozen=True, slots=True)
class Region:
    """A stretch of flash in a backup."""

    address: int
    size: int
    sha256: str

    @property
    def member(self) -> str:
        """The name of its file in the zip."""
        return f"flash-{self.address:08x}.bin"


@dataclass(frozen=True, slots=True)
class Backup:
    """One backup. ``name`` is what ``fwgen restore`` calls it; ``made`` is in UTC.

    ``interrupted``: what a flash that did not finish had left there.
    """

    path: Path
    name: str
    made: datetime
    kind: Kind
    why: str
    interrupted: bool
    board: str
    chip: str
    unique_id: str
    dev_id: int
    regions: tuple[Region, ...]

    @property
    def size(self) -> int:
        """Bytes of flash in it."""
        return sum(region.size for region in self.regions)

    def read(self) -> dict[int, bytes]:
        """The bytes by address. Raises InputError when the file is damaged."""
        found: dict[int, bytes] = {}
        try:
            with zipfile.ZipFile(self.path) as archive:
                for region in self.regions:
                    data = archive.read(region.member)
                    if _digest(data) != region.sha256 or len(data) != region.size:
                        raise _damaged(self.path, f"{region.member} is not what was kept")
                    found[region.address] = data
        except _UNREADABLE as error:
            raise _damaged(self.path, str(error)) from None
        return found


class Store:
    """The backups and the record of one chip."""

    def __init__(self, unique_id: str) -> None:
        self.unique_id = unique_id
        self.folder = data_folder() / "backups" / as_name(unique_id)

    def backups(self) -> tuple[Backup, ...]:
        """What is kept, the oldest first; files that are no backups are passed over."""
        found = []
        for path in sorted(self.folder.glob("*.zip")):
            with suppress(InputError):
                found.append(open_backup(path))
        return tuple(sorted(found, key=lambda backup: (backup.made, backup.name)))

    @property
    def seen(self) -> bool:
        """Whether the whole flash of this chip was kept before."""
        return any(backup.kind == "whole" for backup in self.backups())

    def lacks(self, there: Mapping[int, bytes]) -> bool:
        """Whether some of these bytes (by address) are in no backup."""
        kept: dict[int, list[Region]] = {}
        for backup in self.backups():
            for region in backup.regions:
                kept.setdefault(region.address, []).append(region)
        whole = [backup for backup in self.backups() if backup.kind == "whole"]
        for address, data in there.items():
            digest = _digest(data)
            if any(region.sha256 == digest for region in kept.get(address, ())):
                continue
            if not any(_holds(backup, address, data) for backup in whole):
                return True
        return False

    def keep(
        self,
        board: Board,
        identity: Identity,
        there: Mapping[int, bytes],
        *,
        kind: Kind,
        why: str,
        interrupted: bool = False,
    ) -> Backup:
        """Keep bytes by address. Raises OutputError when they cannot be written."""
        made = datetime.now(UTC)
        regions = tuple(
            Region(address, len(data), _digest(data)) for address, data in sorted(there.items())
        )
        backup = Backup(
            path=self.folder,
            name="",
            made=made,
            kind=kind,
            why=why,
            interrupted=interrupted,
            board=board.name,
            chip=board.chip.name,
            unique_id=self.unique_id,
            dev_id=identity.dev_id or 0,
            regions=regions,
        )
        try:
            path = self._reserve(f"{made:%Y%m%dT%H%M%SZ}-{kind}")
            backup = replace(backup, path=path, name=path.stem)
            try:
                write_whole(path, _pack(backup, there))
            except BaseException:
                path.unlink(missing_ok=True)
                raise
        except OSError as error:
            raise OutputError(
                f"what is on the chip cannot be kept: {error.strerror}; nothing was erased",
                where=str(backup.path),
                hint="make room or set FWGEN_DATA to another folder; --no-backup goes without",
            ) from None
        self._forget_old()
        return backup

    def _reserve(self, stem: str) -> Path:
        """A name that nobody else takes meanwhile: an empty file, which is no backup yet."""
        self.folder.mkdir(parents=True, exist_ok=True)
        path, number = self.folder / f"{stem}.zip", 1
        while True:
            try:
                path.touch(exist_ok=False)
            except FileExistsError:
                number += 1
                path = self.folder / f"{stem}-{number}.zip"
            else:
                return path

    def _forget_old(self) -> None:
        parts = [backup for backup in self.backups() if backup.kind == "part"]
        sizes = [backup.path.stat().st_size for backup in parts]
        while len(parts) > 1 and sum(sizes) > MOST_BYTES:
            parts.pop(0).path.unlink(missing_ok=True)
            sizes.pop(0)

    # ------------------------------------------------------------------ the record

    @property
    def pending(self) -> tuple[int, ...]:
        """Numbers of the sectors that an interrupted flash was about; empty: none was."""
        try:
            data = json.loads((self.folder / RECORD).read_text(encoding="utf-8"))
            return tuple(int(number) for number in data["pending"])
        except (OSError, ValueError, KeyError, TypeError):
            return ()

    def begin(self, sectors: Iterable[Sector]) -> None:
        """From now on these sectors are not what they were, nor yet what they shall be."""
        numbers = sorted({sector.number for sector in sectors} | set(self.pending))
        self._record({"fwgen_record": VERSION, "pending": numbers})

    def settle(self, left: Iterable[int] = ()) -> None:
        """All sectors are what they shall be but those that are ``left``."""
        if self.pending or (self.folder / RECORD).exists():
            self._record({"fwgen_record": VERSION, "pending": sorted(left)})

    def _record(self, data: Mapping[str, object]) -> None:
        path = self.folder / RECORD
        try:
            write_whole(path, f"{json.dumps(data)}\n".encode())
        except OSError as error:
            raise OutputError(
                f"the record of this chip cannot be written: {error.strerror}",
                where=str(path),
                hint="set FWGEN_DATA to a folder that can be written",
            ) from None


def all_backups() -> tuple[Backup, ...]:
    """The backups of all chips, the oldest first."""
    folder = data_folder() / "backups"
    chips = sorted(path.name for path in folder.glob("*") if path.is_dir())
    found = [backup for chip in chips for backup in Store(chip).backups()]
    return tuple(sorted(found, key=lambda backup: (backup.made, backup.name)))


def choose_backup(backups: Sequence[Backup], wanted: str | None) -> Backup:
    """The one that is meant: a name or the start of one, "last", or a file.

    None: the newest whole one, which is what the chip had when it was first seen, unless another
    was asked for since. Raises InputError that lists what there is.
    """
    sound = [backup for backup in backups if not backup.interrupted]
    if wanted and Path(wanted).suffix == ".zip":
        return open_backup(Path(wanted))
    if not backups:
        raise InputError("nothing is kept of this chip", hint='"fwgen restore --list" lists all')
    if wanted is None or wanted == "last":
        of_kind = [b for b in sound if wanted == "last" or b.kind == "whole"]
        if of_kind:
            return of_kind[-1]
        raise InputError("no such backup is kept of this chip", hint=_listed(backups))
    matching = [backup for backup in backups if backup.name.startswith(wanted)]
    exact = [backup for backup in matching if backup.name == wanted]
    if len(exact or matching) == 1:
        return (exact or matching)[0]
    what = "several backups begin with" if matching else "there is no backup"
    raise InputError(f"{what} {wanted!r}", hint=_listed(matching or backups))


def open_backup(path: Path) -> Backup:
    """Read what a backup says of itself. Raises InputError when it is none."""
    try:
        with zipfile.ZipFile(path) as archive:
            data = json.loads(archive.read(ABOUT))
        return _of_data(path, data)
    except FileNotFoundError:
        raise InputError("there is no such file", where=str(path)) from None
    except _UNREADABLE as error:
        raise _damaged(path, str(error)) from None


def _of_data(path: Path, data: Mapping[str, object]) -> Backup:
    if data["fwgen_backup"] != VERSION:
        raise InputError(
            f"a backup of version {data['fwgen_backup']}, which this fwgen cannot read",
            where=str(path),
            hint="a newer fwgen can; the .bin files in it are plain",
        )
    kind: Kind = "whole" if data["kind"] == "whole" else "part"
    regions = data["regions"]
    if not isinstance(regions, list):
        raise TypeError("its regions are no list")
    dev_id = data["dev_id"]
    return Backup(
        path=path,
        name=path.stem,
        made=datetime.fromisoformat(str(data["made"])),
        kind=kind,
        why=str(data["why"]),
        interrupted=bool(data["interrupted"]),
        board=str(data["board"]),
        chip=str(data["chip"]),
        unique_id=str(data["unique_id"]),
        dev_id=dev_id if isinstance(dev_id, int) else 0,
        regions=tuple(Region(int(r["address"]), int(r["size"]), str(r["sha256"])) for r in regions),
    )


def _pack(backup: Backup, there: Mapping[int, bytes]) -> bytes:
    about = {
        "fwgen_backup": VERSION,
        "made": backup.made.isoformat(),
        "kind": backup.kind,
        "why": backup.why,
        "interrupted": backup.interrupted,
        "board": backup.board,
        "chip": backup.chip,
        "unique_id": backup.unique_id,
        "dev_id": backup.dev_id,
        "regions": [
            {"address": r.address, "size": r.size, "sha256": r.sha256} for r in backup.regions
        ],
    }
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(ABOUT, f"{json.dumps(about, indent=1)}\n")
        for region in backup.regions:
            archive.writestr(region.member, there[region.address])
    return packed.getvalue()


def _holds(backup: Backup, address: int, data: bytes) -> bool:
    """Whether a backup has these very bytes within a region."""
    for region in backup.regions:
        if region.address <= address and address + len(data) <= region.address + region.size:
            with suppress(InputError):
                whole = backup.read()[region.address]
                at = address - region.address
                return whole[at : at + len(data)] == data
    return False


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _damaged(path: Path, why: str) -> InputError:
    return InputError(f"not a backup, or a damaged one: {why}", where=str(path))


def _listed(backups: Sequence[Backup]) -> str:
    return f"there is {', '.join(backup.name for backup in backups)}"
