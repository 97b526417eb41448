"""What an endpoint does not take, found by asking, and remembered for the next time.

How an answer is asked for, the strictest first:

    json_schema   the schema, enforced by the server
    tool          the schema as a tool that must be called
    json_schema_object   JSON mode with the schema beside it (llama.cpp and those that followed)
    json_object   JSON mode; the format is in the prompt
    text          nothing; the format is in the prompt, the JSON is looked for in the answer
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from fwgen.errors import OutputError
from fwgen.model.remote.settings import folder, write_private

if TYPE_CHECKING:
    from pathlib import Path

RUNGS: Final = {
    "chat": ("json_schema", "tool", "json_schema_object", "json_object", "text"),
    "responses": ("json_schema", "tool", "json_object", "text"),
}
DROPPABLE: Final = ("stream_options", "seed", "temperature", "reasoning", "store", "tool_choice")
LIMITS: Final = ("max_completion_tokens", "max_tokens", "max_output_tokens")
_UNKNOWN = ("unsupported", "not supported", "unknown", "unrecognized", "unexpected",
            "not permitted", "extra inputs", "not allowed", "does not support", "invalid",
            "only the default")  # fmt: skip
_ABOUT_FORMAT = ("response_format", "json_schema", "schema", "structured", "json_object",
                 "text.format", "grammar", "tool", "function")  # fmt: skip
_TOO_LONG = ("context length", "context window", "context size", "maximum context",
             "too many tokens", "prompt is too long", "exceeds the available context")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Quirks:
    """How an endpoint must be asked for one model."""

    transport: str
    rung: str = "json_schema"
    limit: str = "max_completion_tokens"  # the name of the limit; "" sends none
    dropped: tuple[str, ...] = ()
    streams: bool = True

    def lower(self) -> Quirks | None:
        """One rung down, or None at the bottom."""
        rungs = RUNGS[self.transport]
        at = rungs.index(self.rung) + 1
        return replace(self, rung=rungs[at]) if at < len(rungs) else None

    def over_chat(self) -> Quirks:
        """The same endpoint by Chat Completions, from the top."""
        return Quirks("chat")

    def after(self, status: int, said: str, parameter: str = "") -> Quirks | None:
        """How to ask after a rejection; None when no other way of asking would help.

        ``said`` is the server's message, ``parameter`` what it blames.
        """
        words = f"{parameter} {said}".casefold()
        if self.transport == "responses" and status in (404, 405, 501) and "model" not in words:
            return self.over_chat()
        if status not in (400, 404, 405, 415, 422, 500, 501):
            return None
        for name in DROPPABLE:
            named = parameter.partition(".")[0] == name or name in words
            if named and name not in self.dropped and any(word in words for word in _UNKNOWN):
                return replace(self, dropped=(*self.dropped, name))
        limited = self.limit and any(name in words for name in (*LIMITS, "max tokens"))
        if limited or (self.limit and too_long(said)):
            other = self.transport == "chat" and self.limit == LIMITS[0] and not too_long(said)
            return replace(self, limit=LIMITS[1] if other else "")
        if "stream" in parameter or ("stream" in words and "not support" in words):
            return replace(self, streams=False) if self.streams else None
        if status == 404 or (status == 500 and not any(w in words for w in _ABOUT_FORMAT)):
            return None
        return self.lower()


def too_long(said: str) -> bool:
    """Whether a server says that the prompt does not fit."""
    return any(word in said.casefold() for word in _TOO_LONG)


class Memory:
    """What was found of endpoints, in a file of the cache folder. Losing it costs requests."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path or folder("cache") / "endpoints.json"

    def recall(self, base_url: str, model: str) -> Quirks | None:
        """What was found of a model at an endpoint, or None."""
        found = self._load().get(_key(base_url, model), {})
        try:
            quirks = Quirks(**{**found, "dropped": tuple(found["dropped"])})
        except (TypeError, KeyError):
            return None
        known = quirks.rung in RUNGS.get(quirks.transport, ()) and quirks.limit in (*LIMITS, "")
        return quirks if known else None

    def keep(self, base_url: str, model: str, quirks: Quirks) -> None:
        """Remember; where that is not possible it will be found anew."""
        held = self._load()
        if held.get(_key(base_url, model)) == json.loads(json.dumps(asdict(quirks))):
            return
        held[_key(base_url, model)] = asdict(quirks)
        try:
            write_private(self._path, json.dumps(held, indent=1, sort_keys=True) + "\n")
        except OutputError:
            return

    def forget(self) -> None:
        """Forget everything: endpoints learn, too."""
        self._path.unlink(missing_ok=True)

    def _load(self) -> dict[str, Any]:
        try:
            data = json.loads(self._path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return data if isinstance(data, dict) else {}


def _key(base_url: str, model: str) -> str:
    # An address may hold a secret: it is kept as a hash.
    return f"{hashlib.sha256(base_url.encode()).hexdigest()[:16]} {model}"
