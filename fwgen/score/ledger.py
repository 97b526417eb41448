"""The folder of a score: every Record as it came, kept whatever ends the run.

    results.jsonl     a Record a line, in the order in which they came
    firmware/         what was made, as .hex, by the cell's label
    transcripts/      what a remote model was asked and answered; ``--model replay:FOLDER``
    report.html       the page

Lines are appended whole, each with the files that it is about already there. A line that a power
cut left half is cut off when the folder is next opened. One run at a time.
"""

from __future__ import annotations

import contextlib
import json
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from fwgen.errors import InputError, OutputError
from fwgen.image.write import write_atomic
from fwgen.interrupt import held
from fwgen.score.models import TRANSCRIPT
from fwgen.score.trial import Record

if TYPE_CHECKING:
    from collections.abc import Iterator
    from io import BufferedRandom
    from pathlib import Path

    from fwgen.score.cell import Cell
    from fwgen.score.trial import Trial

RESULTS = "results.jsonl"
PAGE = "report.html"
_LOCK = ".lock"


class Ledger:
    """An open folder; ``records`` has the last Record of each cell by its key."""

    def __init__(self, folder: Path, file: BufferedRandom, records: dict[str, Record]) -> None:
        self.folder, self.records = folder, records
        self._file = file

    def keep(self, cell: Cell, trial: Trial) -> None:
        """Write what came of a cell; it is on the disk when this returns. A Ctrl-C waits.

        Raises OutputError.
        """
        with held():
            for suffix, content in trial.files.items():
                inner = "transcripts" if suffix == TRANSCRIPT else "firmware"
                write_atomic(self.folder / inner / f"{cell.label}{suffix}", content)
            line = json.dumps(trial.record.data(), ensure_ascii=False) + "\n"
            end = self._file.seek(0, os.SEEK_END)
            try:
                self._file.write(line.encode())
                self._file.flush()
                os.fsync(self._file.fileno())
            except OSError as error:  # a full disk: no half line stays
                with contextlib.suppress(OSError):
                    os.ftruncate(self._file.fileno(), end)
                raise _cannot(self.folder, error) from None
            self.records[trial.record.key] = trial.record


@contextmanager
def open_ledger(folder: Path) -> Iterator[Ledger]:
    """Open a folder for one run, with what earlier ones left there.

    Raises InputError while another run has it, or where its results are none of ours; OutputError
    where it cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / RESULTS
        with (folder / _LOCK).open("a+b") as lock:
            _take(lock, folder)
            _mend(path)
            records = {record.key: record for record in load_records(path)} if _is(path) else {}
            with path.open("a+b") as file:
                yield Ledger(folder, file, records)
    except OSError as error:
        raise _cannot(folder, error) from None


def load_records(path: Path) -> list[Record]:
    """The records in a file, or in the folder of a score. Raises InputError with the line."""
    if path.is_dir():
        path = path / RESULTS
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except FileNotFoundError:
        raise InputError(
            "there are no results here", where=str(path), hint="fwgen score leaves some"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot be read: {error}", where=str(path)) from None
    records = []
    for number, line in enumerate(lines[:-1], 1):  # what follows the last line's end is half
        try:
            records.append(Record.of(json.loads(line)))
        except (ValueError, AttributeError):
            raise InputError("is no record of a score", where=f"{path}, line {number}") from None
    return records


def _mend(path: Path) -> None:
    """Cut off what a write that was ended left of a line."""
    if not _is(path):
        return
    with path.open("r+b") as file:
        content = file.read()
        whole = content.rfind(b"\n") + 1
        if whole < len(content):
            file.truncate(whole)


def _is(path: Path) -> bool:
    return path.exists()


def _take(lock: object, folder: Path) -> None:
    """Hold the folder until the process ends or the file is closed."""
    try:
        import fcntl
    except ImportError:  # Windows: nobody is kept out (docs/limits.md)
        return
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # type: ignore[arg-type]
    except BlockingIOError:
        raise InputError(
            "another run is writing here", where=str(folder),
            hint="wait until it is done, or choose another folder with --out",
        ) from None  # fmt: skip
    except OSError:  # a file system without locks
        return


def _cannot(folder: Path, error: OSError) -> OutputError:
    return OutputError(
        f"the results cannot be written: {error.strerror or error}", where=str(folder),
        hint="choose another folder with --out",
    )  # fmt: skip
