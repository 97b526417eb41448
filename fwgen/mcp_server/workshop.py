"""What the server keeps between two calls, and which files it may touch.

A firmware is kept under a name made from its bytes ("fw-3f2a9c0d1e4b"), so that an agent need not
send it again, and so that what was proven is what is flashed. Old ones are forgotten.
"""

from __future__ import annotations

import hashlib
import tomllib
from collections import OrderedDict
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from fwgen.errors import BoardError, ContractError, InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fwgen.board.types import Board
    from fwgen.contract import Contract
    from fwgen.image.emission import Emission
    from fwgen.image.types import Image
    from fwgen.pipeline import Proof
    from fwgen.trace import Trace

FIRMWARES, EMISSIONS, PROOFS, TRACES = 64, 64, 16, 8  # that are kept
MOST_EVENTS = 1_000_000  # in the traces that are kept: some 250 MB
LONGEST_TOML = 256 << 10  # bytes: far above any contract or board file
RUN_S = 60.0
IMAGES = (".hex", ".ihex", ".bin", ".elf", ".axf", ".out")

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Settings:
    """How a server was started.

    ``folder``: files in it may be read. ``out``: results are written below it. ``allow_flash``:
    what has passed is flashed without a question. ``run_s``: the longest that one run of the
    machine may take, in seconds of wall time.
    """

    folder: Path = field(default_factory=Path.cwd)
    out: Path | None = None
    allow_flash: bool = False
    run_s: float = RUN_S

    @property
    def output(self) -> Path:
        """The folder that results are written into."""
        return self.out if self.out is not None else self.folder / "fwgen-out"


@dataclass(frozen=True, slots=True)
class Firmware:
    """An image under its name; ``emission`` is what it was linked from, if it was linked here."""

    id: str
    image: Image
    board: str
    sha256: str
    emission: Emission | None = None


class Shelf(Generic[_T]):
    """The last few things of a kind, by name. Any thread may use it."""

    def __init__(self, what: str, most: int, heaviest: int = 0) -> None:
        self._what, self._most, self._heaviest = what, most, heaviest
        self._things: OrderedDict[str, _T] = OrderedDict()
        self._weights: dict[str, int] = {}
        self._lock = Lock()

    def put(self, name: str, thing: _T, weight: int = 0) -> None:
        """Keep a thing; those that were not used for longest go. The last one always stays."""
        with self._lock:
            self._things[name] = thing
            self._weights[name] = weight
            self._things.move_to_end(name)
            while len(self._things) > 1 and self._is_full():
                gone, _ = self._things.popitem(last=False)
                del self._weights[gone]

    def _is_full(self) -> bool:
        heavy = self._heaviest and sum(self._weights.values()) > self._heaviest
        return len(self._things) > self._most or bool(heavy)

    def find(self, name: str) -> _T | None:
        """The thing of a name, or None."""
        with self._lock:
            if name in self._things:
                self._things.move_to_end(name)
            return self._things.get(name)

    def get(self, name: str) -> _T:
        """The thing of a name. Raises InputError."""
        found = self.find(name)
        if found is None:
            raise InputError(
                f"there is no {self._what} {name!r}",
                hint="names come from earlier results of this server; old ones are forgotten: "
                "make it again",
            )
        return found


class Workshop:
    """The shelves of a server, and its door to the file system."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.firmwares: Shelf[Firmware] = Shelf("firmware", FIRMWARES)
        self.emissions: Shelf[dict[str, Any]] = Shelf("emission", EMISSIONS)
        self.proofs: Shelf[Proof] = Shelf("proof", PROOFS, MOST_EVENTS)
        self.evidence: Shelf[str] = Shelf("evidence", PROOFS)
        self.traces: Shelf[tuple[Trace, Board]] = Shelf("trace", TRACES, MOST_EVENTS)

    # ------------------------------------------------------------------ files

    def readable(
        self, text: str, suffixes: Sequence[str], roots: Sequence[Path], what: str
    ) -> Path:
        """The file that an agent names, if it lies where the server may read.

        Relative names are below the working folder; an ELF file may have any name. Raises
        InputError.
        """
        from fwgen.image.load import is_elf

        if "\0" in text or len(text) > 4096:
            raise InputError(f"that is no path of a {what}")
        allowed = [folder.resolve() for folder in (self.settings.folder, *roots)]
        path = (allowed[0] / text).resolve()
        if not any(path.is_relative_to(folder) for folder in allowed):
            listed = ", ".join(str(folder) for folder in allowed)
            raise InputError(
                f"the {what} lies outside of the folders that may be read", where=text,
                hint=f"these may be: {listed}; or send it inline",
            )  # fmt: skip
        named = path.suffix.casefold() in suffixes or (".elf" in suffixes and is_elf(path))
        if not named:
            raise InputError(f"no {what} by its name", where=text,
                             hint=f"the name ends in {', '.join(suffixes)}")  # fmt: skip
        if not path.is_file():
            raise InputError(f"there is no such {what}", where=text)
        return path

    def board(self, name: str, roots: Sequence[Path] = ()) -> Board:
        """A board by name, or from a TOML file that may be read. Raises BoardError, InputError."""
        from fwgen.board import list_boards, load_board

        if not name.strip():
            known = ", ".join(summary.name for summary in list_boards())
            raise BoardError("no board was named", hint=f"known: {known}")
        if not name.endswith(".toml"):
            return load_board(name)
        path = self.readable(name, (".toml",), roots, "board file")
        self._check_chip(path, roots)
        return load_board(path)

    def _check_chip(self, path: Path, roots: Sequence[Path]) -> None:
        """A board file may name a chip file beside it; it is read only where files may be."""
        try:
            chip = tomllib.loads(_text(path, "board file")).get("chip")
        except (tomllib.TOMLDecodeError, RecursionError):
            return  # whoever loads it says what is wrong
        if isinstance(chip, str) and chip.endswith(".toml"):
            self.readable(str(path.parent / chip), (".toml",), roots, "chip file")

    def contract(self, text: str, board: Board, roots: Sequence[Path] = ()) -> Contract:
        """A contract from TOML, or from a file that may be read. Raises ContractError."""
        from fwgen.contract import load_contract

        if not text.strip():
            raise ContractError("no contract was given", hint="TOML text, or the path of a .toml")
        if "=" not in text and "\n" not in text:
            path = self.readable(text, (".toml",), roots, "contract")
            return load_contract(f"{_text(path, 'contract')}\n", board, where=text)
        if len(text) > LONGEST_TOML:
            raise ContractError(f"{len(text)} characters are too many for a contract")
        return load_contract(f"{text}\n", board, where="contract")

    def firmware(self, text: str, board: Board, roots: Sequence[Path] = ()) -> Firmware:
        """A firmware by name, from Intel HEX text, or from a file. Raises InputError."""
        from fwgen.image.load import load_image, parse_hex

        text = text.strip()
        if not text:
            raise InputError("no firmware was given", hint="a name (fw-...), a path, or Intel HEX")
        if text.startswith("fw-") and "." not in text:
            found = self.firmwares.get(text)
            if found.board != board.name:
                raise InputError(f"{text} was made for {found.board}, not for {board.name}")
            return found
        if text.startswith(":"):
            return self.keep(parse_hex(text, board), board)
        path = self.readable(text, IMAGES, roots, "firmware")
        return self.keep(load_image(path, board), board)

    # ------------------------------------------------------------------ names

    def keep(self, image: Image, board: Board, emission: Emission | None = None) -> Firmware:
        """Keep an image under the name that its bytes give it."""
        digest = hashlib.sha256(fingerprint(board).encode())
        for segment in image.segments:
            digest.update(segment.address.to_bytes(4, "little") + segment.data)
        made = Firmware(
            f"fw-{digest.hexdigest()[:12]}", image, board.name, digest.hexdigest(), emission
        )
        before = self.firmwares.find(made.id)
        if emission is None and before is not None and before.emission is not None:
            return before
        self.firmwares.put(made.id, made)
        return made

    def keep_trace(self, trace: Trace, board: Board, key: str) -> str:
        """Keep a trace; ``key`` is what made it, and makes its name."""
        name = f"tr-{hashlib.sha256(key.encode()).hexdigest()[:12]}"
        self.traces.put(name, (trace, board), len(trace.events))
        return name


def fingerprint(board: Board) -> str:
    """What a board is, in a word: its name, and for a file of the user's what the file says."""
    if board.path.startswith("boards/"):  # ours; a path of theirs is absolute
        return board.name
    return f"{board.name}-{hashlib.sha256(repr(board).encode()).hexdigest()}"


def _text(path: Path, what: str) -> str:
    try:
        if path.stat().st_size > LONGEST_TOML:
            raise InputError(f"this is too large for a {what}", where=str(path))
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise InputError(f"the {what} is no text", where=str(path)) from None
    except OSError as error:
        reason = error.strerror or str(error)
        raise InputError(f"the {what} cannot be read: {reason}", where=str(path)) from None
