"""The output folder: every artefact of one result, written all or none."""

from __future__ import annotations

import contextlib
import json
import os
import re
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from fwgen.errors import ImageError, OutputError
from fwgen.interrupt import held
from fwgen.report.data import result_data, to_json
from fwgen.report.pictures import PICTURE, picture_files

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from fwgen.pipeline import Confirmed, Result
    from fwgen.trace import Hazard

REPORT = "report.json"
LISTING = "firmware.lst"
TRANSCRIPT = "transcript.jsonl"  # of a remote model
FAILED = "FAILED.txt"  # only beside firmware that does not pass
LOCKS = "LOCKS.txt"  # only beside firmware that may lock the board, though it passes
NAMES = (
    "firmware.bin",
    "firmware.hex",
    "firmware.elf",
    LISTING,
    "emission.json",
    "contract.toml",
    "trace.jsonl",
    "trace.vcd",
    REPORT,
)
SOMETIMES = (TRANSCRIPT, FAILED, LOCKS)
RIG_NAMES = ("rig-trace.jsonl", "rig-trace.vcd", "difference.txt", "rig-contract.toml")
_MARK = '"fwgen_report"'
_ELSEWHERE = "choose another folder with --out"


def contents(result: Result, confirmed: Confirmed | None = None) -> dict[str, bytes]:
    """Every file of a result by name; with what a rig saw of it, if it was checked on one."""
    from fwgen.contract import dump_contract
    from fwgen.image.elf import elf_bytes
    from fwgen.image.wire import dump_emission
    from fwgen.image.write import bin_bytes, hex_bytes
    from fwgen.trace import dump_trace, dump_vcd

    proof = result.proof
    image = proof.image
    made = (
        bin_bytes(image),
        hex_bytes(image),
        elf_bytes(image, listing_name=LISTING),
        str(image.listing).encode(),
        dump_emission(result.emission).encode(),
        dump_contract(proof.contract).encode(),
        dump_trace(proof.trace).encode(),
        dump_vcd(proof.trace, proof.board).encode(),
    )
    files = dict(zip(NAMES, made, strict=False)) | picture_files(proof.trace)
    if result.transcript:
        files[TRANSCRIPT] = result.transcript
    if not result.passed:
        files[FAILED] = _failed(result).encode()
    elif result.proof.locks is not None:
        files[LOCKS] = _locks(result.proof.locks).encode()
    if confirmed is not None:
        from fwgen.report.rig import rig_files

        files |= rig_files(confirmed)
    files[REPORT] = to_json(result_data(result, files, confirmed)).encode()
    return files


def _failed(result: Result) -> str:
    """What is wrong with firmware that is kept though it does not pass."""
    verdict = result.proof.verdict
    lines = [
        f"{verdict.outcome.name}: this firmware does not do what was asked. Do not flash it.",
        "",
        *(f"- {f.text}" for f in verdict.all if f.outcome.exit_code),
    ]
    if result.attempts > 1:
        lines += ["", f"The best of {result.attempts} attempts; then: {result.stopped}"]
    return "\n".join(lines) + "\n"


def _locks(hazard: Hazard) -> str:
    return (
        "This firmware may lock you out of the board. Its contract accepts that; do not flash it "
        f"unless you mean it.\n\n- {hazard.message} [{hazard.code}]; {hazard.cure}\n"
    )


def refuse_failed(image: Path) -> None:
    """Refuse an image in an output folder whose firmware does not pass, or may lock the board.

    Raises ImageError.
    """
    marks = {
        FAILED: "this firmware does not do what was asked",
        LOCKS: "this firmware may lock you out of the board",
    }
    for name, said in marks.items():
        mark = image.parent / name
        if mark.is_file() and image.name in NAMES and _is_ours(image.parent):
            raise ImageError(
                said, where=str(image),
                hint=f"{mark} says why; --force flashes it all the same",
            )  # fmt: skip


def check_folder(folder: Path, files: Iterable[str] = ()) -> None:
    """Whether a result, of these files too, may be written here, as far as can be told before.

    Raises OutputError for what is no folder, and for a folder that holds files of our names
    which no result of ours put there.
    """
    try:
        if folder.exists() and not folder.is_dir():
            raise OutputError("the output folder is a file", where=str(folder), hint=_ELSEWHERE)
        known = tuple(dict.fromkeys((*NAMES, *SOMETIMES, *RIG_NAMES, *files)))
        theirs = [name for name in known if os.path.lexists(folder / name)]
        odd = [name for name in theirs if not (folder / name).is_file()]
    except (OSError, ValueError) as error:
        raise _cannot(folder, error) from None
    if theirs and (odd or not _is_ours(folder)):
        raise OutputError(
            f"holds {', '.join(odd or theirs)}, which fwgen did not write",
            where=str(folder),
            hint=_ELSEWHERE,
        )


def save(files: Mapping[str, bytes], folder: Path) -> Path:
    """Write files into a folder: all are there complete, or the folder is as it was.

    Files that already hold the same bytes are left alone; of two who write at once, the last one
    wins whole. A Ctrl-C waits. Raises OutputError, also for what ``check_folder`` refuses.
    """
    with held():
        check_folder(folder, files)
        made = _missing(folder)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with _alone_in(folder):
                check_folder(folder, files)
                before = _pictures_of(folder)
                _replace(files, folder)
                for name in (*SOMETIMES, *RIG_NAMES, *before):  # of an earlier run
                    if name not in files:
                        (folder / name).unlink(missing_ok=True)
        except (OSError, ValueError) as error:
            for path in made:
                with contextlib.suppress(OSError, ValueError):
                    path.rmdir()
            raise _cannot(folder, error) from None
    return folder


def save_result(result: Result, folder: Path | str) -> Path:
    """Write every artefact of a result into a folder, all or none. Raises OutputError."""
    return save(contents(result), Path(folder))


def folder_name(prompt: str, board: str) -> str:
    """A folder name for a prompt: readable, safe on every file system, the same every time."""
    return f"{_slug(prompt, 48) or 'firmware'}-{_slug(board, 24)}"


def _slug(text: str, most: int) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.casefold()).strip("-")[:most].rstrip("-")


def _replace(files: Mapping[str, bytes], folder: Path) -> None:
    """Write the files that differ beside their targets, then rename them all over."""
    temporary: dict[Path, Path] = {}
    try:
        for name, content in files.items():
            target = folder / name
            if _holds(target, content):
                continue
            handle, path = tempfile.mkstemp(dir=folder, prefix=f".{name}.")
            temporary[target] = Path(path)
            with os.fdopen(handle, "wb") as file:
                file.write(content)
            temporary[target].chmod(0o644)
        # The report goes last: while it is the old one, its hashes tell.
        for target in sorted(temporary, key=lambda t: t.name == REPORT):
            temporary[target].replace(target)
    finally:
        for left in temporary.values():
            left.unlink(missing_ok=True)


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Keep other runs of fwgen out of a folder; leaves nothing behind."""
    try:
        import fcntl
    except ImportError:  # Windows: two runs at once may mix, each file is whole
        yield
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):  # a file system without locks
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _is_ours(folder: Path) -> bool:
    try:
        return _MARK in (folder / REPORT).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return False


def _pictures_of(folder: Path) -> list[str]:
    """The pictures that the report in a folder lists as its own."""
    try:
        listed = json.loads((folder / REPORT).read_text(encoding="utf-8"))["files"]
        return [name for name in listed if PICTURE.fullmatch(name)]
    except (OSError, UnicodeDecodeError, ValueError, KeyError, TypeError):
        return []


def _missing(folder: Path) -> list[Path]:
    """The folders that would have to be made, the innermost first."""
    return [path for path in (folder, *folder.parents) if not path.exists()]


def _holds(path: Path, content: bytes) -> bool:
    try:
        return path.read_bytes() == content
    except OSError:
        return False


def _cannot(folder: Path, error: OSError | ValueError) -> OutputError:
    reason = error.strerror if isinstance(error, OSError) else None
    return OutputError(
        f"the output folder cannot be written: {reason or error}",
        where=str(folder),
        hint=_ELSEWHERE,
    )
