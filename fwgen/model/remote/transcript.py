"""Every request and every answer of a run, kept as it went over the wire; without keys.

A transcript is JSON Lines. The first line says who was asked what; each further line is one
exchange: the request's path and body, the answer's status, the few headers that matter and its
body, byte for byte, and how it broke off if it did. Exchanges of one talk come in order; talks
(the contract, each sample) go on side by side.

``--model replay:FILE`` plays one back: offline, without waiting, answer for answer.
"""

from __future__ import annotations

import base64
import json
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from fwgen.errors import InputError, ModelError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

VERSION = 1
HEADERS = ("content-type", "retry-after", "retry-after-ms")  # of answers; no others are kept


@dataclass(slots=True)
class Exchange:
    """One request and what came back.

    ``broke`` is how it ended when not by itself: a class of httpx2's errors ("ReadTimeout"),
    "deadline", "stopped" (we had heard enough), or "".
    """

    talk: str
    number: int  # within its talk, from 1
    path: str
    request: str  # the body, as sent
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytearray = field(default_factory=bytearray)
    broke: str = ""
    said: str = ""  # what the error said

    def data(self) -> dict[str, Any]:
        """As it is kept."""
        kept: dict[str, Any] = {
            "talk": self.talk,
            "number": self.number,
            "path": self.path,
            "request": _parsed(self.request),
            "status": self.status,
            "headers": self.headers,
        }
        try:
            kept["body"] = bytes(self.body).decode()
        except UnicodeDecodeError:
            kept["body_base64"] = base64.b64encode(self.body).decode()
        if self.broke:
            kept |= {"broke": self.broke, "said": self.said}
        return kept


def _parsed(text: str) -> Any:
    try:
        return json.loads(text) if text else None
    except ValueError:
        return text


def canonical(request: Any) -> str:
    """A request's body in one form, to compare two of them."""
    return json.dumps(request, sort_keys=True, ensure_ascii=False)


class Recorder:
    """Keeps exchanges, in memory and (appended as each ends) in a file."""

    def __init__(
        self,
        header: dict[str, Any],
        path: Path | None = None,
        hide: Callable[[str], str] = lambda text: text,
    ) -> None:
        self.header = {"fwgen_transcript": VERSION, **header}
        self.path = path
        self._hide = hide
        self._lock = threading.Lock()
        self._kept: list[dict[str, Any]] = []
        self._counts: dict[str, int] = {}
        self._write(self.header, new=True)

    def open(self, talk: str, path: str, request: str) -> Exchange:
        """A new exchange; ``close`` it when it ended."""
        with self._lock:
            self._counts[talk] = self._counts.get(talk, 0) + 1
            return Exchange(talk, self._counts[talk], path, self._hide(request))

    def close(self, exchange: Exchange) -> None:
        """The exchange is over, well or not."""
        data = exchange.data()
        for key in ("body", "said"):
            if key in data:
                data[key] = self._hide(data[key])
        with self._lock:
            self._kept.append(data)
            self._write(data)

    def note(self, **facts: Any) -> None:
        """Add facts to the header of the finished transcript ("what was asked")."""
        self.header |= facts

    def dump(self) -> bytes:
        """The whole transcript, in an order that does not hang on who answered first."""
        with self._lock:
            kept = sorted(self._kept, key=lambda e: (_rank(e["talk"]), e["number"]))
        return b"".join(_line(entry).encode() for entry in (self.header, *kept))

    def _write(self, data: dict[str, Any], *, new: bool = False) -> None:
        if self.path is None:
            return
        try:
            if new:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                self.path.touch(mode=0o600)
            with self.path.open("w" if new else "a", encoding="utf-8") as file:
                file.write(_line(data))
        except OSError:  # a full disk or a home without write access: it is kept in memory
            self.path = None


def _rank(talk: str) -> tuple[bool, int, str]:
    number = talk.rpartition(" ")[2]
    return talk != "contract", int(number) if number.isdigit() else 0, talk


def _line(data: dict[str, Any]) -> str:
    return json.dumps(data, ensure_ascii=False) + "\n"


@dataclass(frozen=True, slots=True)
class Transcript:
    """A transcript that was read, ready to be played back."""

    header: dict[str, Any]
    exchanges: dict[tuple[str, int], dict[str, Any]]

    def answer(self, talk: str, number: int) -> dict[str, Any]:
        """The exchange that came then. Raises ModelError after the last."""
        found = self.exchanges.get((talk, number))
        if found is None:
            raise ModelError(
                f"the transcript holds no further answer ({talk}, answer {number})",
                hint="replay it with the options that it was made with",
            )
        return found


def load_transcript(path: Path) -> Transcript:
    """Read a transcript. Raises InputError naming file and line."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise InputError("there is no such transcript", where=str(path)) from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot be read: {error}", where=str(path)) from None
    # Not splitlines(): a body may hold a line separator of Unicode.
    lines = [line for line in text.split("\n") if line]
    header = _entry(lines[0], f"{path}, line 1") if lines else {}
    if header.get("fwgen_transcript") != VERSION:
        raise InputError(
            "is no transcript of fwgen's", where=str(path),
            hint="a transcript.jsonl from an output folder",
        )  # fmt: skip
    exchanges = {}
    for number, line in enumerate(lines[1:], 2):
        entry = _entry(line, f"{path}, line {number}")
        exchanges[entry["talk"], entry["number"]] = entry
    return Transcript(header, exchanges)


_NEEDED = {"talk": str, "number": int, "path": str, "status": int, "headers": dict}


def _entry(line: str, where: str) -> dict[str, Any]:
    try:
        data = json.loads(line)
    except ValueError:
        raise InputError("is not JSON", where=where) from None
    whole = isinstance(data, dict) and (
        "fwgen_transcript" in data
        or all(isinstance(data.get(key), kind) for key, kind in _NEEDED.items())
    )
    if not whole:
        raise InputError("is no exchange of a transcript", where=where)
    entry: dict[str, Any] = data
    try:
        body_of(entry)
    except ValueError:
        raise InputError("holds an answer that is no base64", where=where) from None
    return entry


def body_of(entry: dict[str, Any]) -> bytes:
    """The bytes of a recorded answer."""
    if "body_base64" in entry:
        return base64.b64decode(entry["body_base64"])
    return str(entry.get("body", "")).encode()
