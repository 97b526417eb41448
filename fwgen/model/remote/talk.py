"""What is asked of an endpoint, and what it answers; how either goes is chat's and responses'."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    import httpx2
    from openai import OpenAI

    from fwgen.model.remote.budget import Usage
    from fwgen.model.remote.quirks import Quirks

Role = Literal["system", "user", "assistant"]
Finish = Literal["stop", "length", "refused", "loop"]


@dataclass(frozen=True, slots=True)
class Question:
    """One request: the messages so far, and the schema that the answer must have."""

    talk: str  # which conversation it belongs to: "contract", "sample 1"
    messages: tuple[tuple[Role, str], ...]
    name: str  # of the schema
    schema: Mapping[str, Any]
    seed: int | None = None

    @property
    def text(self) -> str:
        """All that is sent, to count its tokens."""
        return "\n".join(text for _, text in self.messages)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came: ``text`` is whatever the model wrote, ``why`` says more where it did not stop."""

    text: str
    finish: Finish
    usage: Usage
    why: str = ""


@dataclass(slots=True)
class Heard:
    """What an answer has told so far; ``finish`` None: it has not ended."""

    pieces: list[str] = field(default_factory=list)
    refusal: str = ""
    finish: str | None = None
    usage: Usage | None = None
    reasoning: int = 0  # pieces of thought that went by


class Transport(Protocol):
    """One of the two ways of asking."""

    path: str

    def parameters(
        self, question: Question, model: str, quirks: Quirks, limit: int
    ) -> dict[str, Any]:
        """The body of the request."""
        ...

    def send(
        self, client: OpenAI, parameters: dict[str, Any], headers: dict[str, str], timeout: object
    ) -> tuple[httpx2.Response, Any]:
        """Send it; gives the raw response, and openai's own that wraps it."""
        ...

    def hear(self, data: Mapping[str, Any], heard: Heard) -> str:
        """Take one event of a stream; gives the text that it adds."""
        ...

    def whole(self, data: Mapping[str, Any], heard: Heard) -> None:
        """Take an answer that came in one piece."""
        ...


def number(data: object, *path: str) -> int:
    """A whole number somewhere in nested mappings, or 0."""
    for key in path:
        data = data.get(key) if isinstance(data, dict) else None
    return data if isinstance(data, int) and not isinstance(data, bool) and data > 0 else 0


def text(data: object, *path: str) -> str:
    """A text somewhere in nested mappings, or ""."""
    for key in path:
        data = data.get(key) if isinstance(data, dict) else None
    return data if isinstance(data, str) else ""
