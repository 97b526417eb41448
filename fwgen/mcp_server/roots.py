"""The client's roots: folders that it says may be read, asked for only where they matter.

Clients of 2026-07-28 and later are asked within the call, earlier ones beside it: the SDK does
both. A client that has no roots is not asked; then only the working folder may be read.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit
from urllib.request import url2pathname

from mcp.server.mcpserver import ListRoots

from fwgen.mcp_server.replies import Ctx, shop_of

if TYPE_CHECKING:
    from mcp_types import ListRootsResult

MOST = 16


def folders_of(roots: ListRootsResult | None) -> tuple[Path, ...]:
    """The folders among a client's roots."""
    found = []
    for root in roots.roots[:MOST] if roots is not None else ():
        parts = urlsplit(str(root.uri))
        if parts.scheme == "file" and parts.netloc in ("", "localhost"):
            path = Path(url2pathname(unquote(parts.path)) if "%" in parts.path else parts.path)
            if path.is_absolute() and path.is_dir():
                found.append(path)
    return tuple(found)


def _ask(ctx: Ctx, *texts: str) -> ListRoots | None:
    """The question, where a text is the path of a file outside of the working folder."""
    capabilities = ctx.client_capabilities
    if capabilities is None or capabilities.roots is None:
        return None
    here = shop_of(ctx).settings.folder.resolve()
    return ListRoots() if any(_leads_out(text, here) for text in texts) else None


def _leads_out(text: str, here: Path) -> bool:
    if len(text) > 4096 or "\n" in text or "\0" in text or not text.strip():
        return False
    return not (here / text.strip()).resolve().is_relative_to(here)


def roots_for_contract(ctx: Ctx, board: str, contract: str) -> ListRoots | None:
    """Asked by tools that take a board and a contract."""
    return _ask(ctx, board, contract)


def roots_for_image(ctx: Ctx, board: str, image: str) -> ListRoots | None:
    """Asked by tools that take a board and a firmware."""
    return _ask(ctx, board, image)


def roots_for_both(ctx: Ctx, board: str, image: str, contract: str) -> ListRoots | None:
    """Asked by tools that take a firmware and a contract."""
    return _ask(ctx, board, image, contract)
