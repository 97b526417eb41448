"""What the tools answer: data by a schema, and a short text that says the same.

Some clients give the model the text, some the data: each alone is enough. Both are kept small,
because an agent pays for every word.
"""

from __future__ import annotations

import functools
import inspect
from typing import TYPE_CHECKING, Any, TypeVar

from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ResourceError, ToolError
from mcp_types import CallToolResult, TextContent
from pydantic import BaseModel, Field

from fwgen.errors import FwgenError

if TYPE_CHECKING:
    from collections.abc import Callable

    from fwgen.mcp_server.server import FwgenServer
    from fwgen.mcp_server.workshop import Workshop

_F = TypeVar("_F", bound="Callable[..., Any]")
Ctx = Context[Any, Any]
MOST_TEXT = 16_000  # characters of one answer


class Reply(BaseModel):
    """An answer; ``text()`` says it in words."""

    def text(self) -> str:
        """What a person, or a model, reads."""
        return self.model_dump_json()


def reply(made: Reply) -> CallToolResult:
    """Both forms of an answer."""
    return CallToolResult(
        content=[TextContent(type="text", text=cut(made.text(), MOST_TEXT))],
        structured_content=made.model_dump(mode="json"),
    )


def cut(text: str, most: int) -> str:
    """At most so many characters; what is left out is said."""
    if len(text) <= most:
        return text
    return f"{text[:most]}\n... cut: {len(text) - most} characters more"


def server_of(ctx: Ctx) -> FwgenServer:
    """The server that a call came to."""
    return ctx.mcp_server  # type: ignore[return-value]


def shop_of(ctx: Ctx) -> Workshop:
    """What it keeps."""
    return server_of(ctx).shop


def words(error: FwgenError | OSError) -> str:
    """An error for an agent: where, what, what to do, each on its line."""
    if isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        return f"{where}{error.strerror or error}"
    lines = [f"{error.where}: {error.message}" if error.where else error.message]
    if error.hint:
        lines.append(f"hint: {error.hint}")
    return cut("\n".join(lines), 4000)


def told(function: _F) -> _F:
    """The tool, its errors as words: never a traceback, and no answer that half says one."""

    def as_words(error: FwgenError | OSError) -> ToolError:
        return ToolError(words(error))

    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def later(*arguments: Any, **named: Any) -> Any:
            try:
                return await function(*arguments, **named)
            except (FwgenError, OSError) as error:
                raise as_words(error) from None

        return later  # type: ignore[return-value]

    @functools.wraps(function)
    def now(*arguments: Any, **named: Any) -> Any:
        try:
            return function(*arguments, **named)
        except (FwgenError, OSError) as error:
            raise as_words(error) from None

    return now  # type: ignore[return-value]


def told_resource(function: _F) -> _F:
    """A resource, its errors as words."""

    @functools.wraps(function)
    def now(*arguments: Any, **named: Any) -> Any:
        try:
            return function(*arguments, **named)
        except (FwgenError, OSError) as error:
            raise ResourceError(words(error)) from None

    return now  # type: ignore[return-value]


class Page(Reply):
    """A part of something longer."""

    lines: list[str]
    offset: int = Field(description="number of the first line, from 0")
    total: int = Field(description="lines there are")
    next_offset: int | None = Field(description="where the next page begins; null: this was all")

    def text(self) -> str:
        """The lines, and how to go on."""
        more = f"\n... {self.total - self.next_offset} more: offset={self.next_offset}" if (
            self.next_offset is not None
        ) else ""  # fmt: skip
        return "\n".join(self.lines) + more if self.lines else "nothing"


def page(lines: list[str], offset: int, limit: int) -> dict[str, Any]:
    """The fields of a Page."""
    offset = max(0, offset)
    end = offset + max(1, min(limit, 400))
    return {
        "lines": lines[offset:end],
        "offset": offset,
        "total": len(lines),
        "next_offset": end if end < len(lines) else None,
    }
