"""The client's roots: folders that it says may be read, asked for only where they matter.

Clients of 2026-07-28 and later are asked within the call, earlier ones beside it: the SDK does
both. A client that has no roots is not asked; then only the working folder may be read.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

import anyio
from mcp import MCPError
from mcp.server.mcpserver import ListRoots
from mcp.shared.message import ServerMessageMetadata
from mcp_types import ListRootsRequest, ListRootsResult

from fwgen.mcp_server.replies import Ctx, shop_of

MOST = 16
WITHIN = "2026-07-28"  # protocols from here on carry the question in the call's own answer
ANSWER_S = 10.0
Asked = ListRoots | ListRootsResult | None


def folders_of(roots: ListRootsResult | None) -> tuple[Path, ...]:
    """The folders among a client's roots."""
    found = []
    for root in roots.roots[:MOST] if roots is not None else ():
        parts = urlsplit(str(root.uri))
        if parts.scheme == "file" and parts.netloc in ("", "localhost"):
            path = Path(url2pathname(parts.path))
            if path.is_absolute() and path != path.parent and path.is_dir():
                found.append(path)
    return tuple(found)


async def _ask(ctx: Ctx, *texts: str) -> Asked:
    """The question, where a text is the path of a file outside of the working folder.

    There are clients that say they have roots and then do not answer: they have none.
    """
    capabilities = ctx.client_capabilities
    if capabilities is None or capabilities.roots is None:
        return None
    here = shop_of(ctx).settings.folder.resolve()
    if not any(_leads_out(text, here) for text in texts):
        return None
    if (ctx.protocol_version or "") >= WITHIN:
        return ListRoots()
    with contextlib.suppress(MCPError), anyio.move_on_after(ANSWER_S):
        beside = ServerMessageMetadata(related_request_id=ctx.request_id)
        answer: ListRootsResult = await ctx.session.send_request(
            ListRootsRequest(), ListRootsResult, metadata=beside
        )
        return answer
    return None


def _leads_out(text: str, here: Path) -> bool:
    if len(text) > 4096 or "\n" in text or "\0" in text or not text.strip():
        return False
    return not (here / text.strip()).resolve().is_relative_to(here)


async def roots_for_contract(ctx: Ctx, board: str, contract: str) -> Asked:
    """Asked by tools that take a board and a contract."""
    return await _ask(ctx, board, contract)


async def roots_for_image(ctx: Ctx, board: str, image: str) -> Asked:
    """Asked by tools that take a board and a firmware."""
    return await _ask(ctx, board, image)


async def roots_for_both(ctx: Ctx, board: str, image: str, contract: str) -> Asked:
    """Asked by tools that take a firmware and a contract."""
    return await _ask(ctx, board, image, contract)
