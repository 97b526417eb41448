"""The output folder: every artefact of one result, written all or none."""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from fwgen.errors import OutputError
from fwgen.report.data import result_data, to_json

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fwgen.pipeline import Result

REPORT = "report.json"
LISTING = "firmware.lst"
MARK = '"fwgen_report"'
FAILED_NOTE = "FAILED.txt"


def contents(result: Result) -> dict[str, bytes]:
    """Every file of a result by name."""
    from fwgen.contract import dump_contract
    from fwgen.image.elf import elf_bytes
    from fwgen.image.wire import dump_emission
    from fwgen.image.write import bin_bytes, hex_bytes
    from fwgen.trace import dump_trace, dump_vcd

    proof = result.proof
    image = proof.image
    files = {
        "firmware.bin": bin_bytes(image),
        "firmware.hex": hex_bytes(image),
        "firmware.elf": elf_bytes(image, listing_name=LISTING),
        LISTING: str(image.listing).encode(),
        "emission.json": dump_emission(result.emission).encode(),
        "contract.toml": dump_contract(proof.contract).encode(),
        "trace.jsonl": dump_trace(proof.trace).encode(),
        "trace.vcd": dump_vcd(proof.trace, proof.board).encode(),
    }
    files[REPORT] = to_json(result_data(result, files)).encode()
    return files


def save(files: Mapping[str, bytes], folder: Path) -> Path:
    """Write files into a folder: all are there complete, or the folder is as it was.

    Files that already hold the same bytes are left alone. Raises OutputError, also when the
    folder holds files of these names that no result of ours put there.
    """
    _check_ours(files, folder)
    changed = {n: c for n, c in files.items() if not _holds(folder / n, c)}
    temporary: dict[Path, Path] = {}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in changed.items():
            handle, made = tempfile.mkstemp(dir=folder, prefix=f".{name}.")
            path = temporary[folder / name] = Path(made)
            with os.fdopen(handle, "wb") as file:
                file.write(content)
            path.chmod(0o644)
        # The report goes last: while it is the old one, so its hashes tell.
        for target in sorted(temporary, key=lambda t: t.name == REPORT):
            temporary[target].replace(target)
    except OSError as error:
        raise OutputError(
            f"cannot be written: {error.strerror or error}",
            where=str(folder),
            hint="choose another folder with --out",
        ) from None
    finally:
        for path in temporary.values():
            path.unlink(missing_ok=True)
    return folder


def _check_ours(files: Mapping[str, bytes], folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise OutputError("is a file, not a folder", where=str(folder), hint="choose another --out")
    theirs = [name for name in files if (folder / name).exists()]
    if not theirs:
        return
    report = folder / REPORT
    try:
        ours = MARK in report.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        ours = False
    if not ours:
        raise OutputError(
            f"holds {', '.join(theirs)}, which fwgen did not write",
            where=str(folder),
            hint="choose another folder with --out",
        )


def _holds(path: Path, content: bytes) -> bool:
    try:
        return path.read_bytes() == content
    except OSError:
        return False


def folder_name(prompt: str, board: str) -> str:
    """A folder name for a prompt: readable, safe on every file system, the same every time."""
    slug = re.sub(r"[^a-z0-9]+", "-", prompt.casefold()).strip("-")
    return f"{slug[:48].rstrip('-') or 'firmware'}-{board}"
