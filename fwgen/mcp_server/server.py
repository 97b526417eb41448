"""The server: which tools there are, and how it is reached."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

import anyio
from mcp.server.mcpserver import MCPServer
from mcp_types import ToolAnnotations

from fwgen import __version__
from fwgen.errors import FwgenError, InputError
from fwgen.mcp_server import contracts, facts, flashing, proving, rigs
from fwgen.mcp_server.prompts import add_prompts
from fwgen.mcp_server.replies import told
from fwgen.mcp_server.resources import add_resources
from fwgen.mcp_server.work import MACHINES
from fwgen.mcp_server.workshop import Settings, Workshop

if TYPE_CHECKING:
    from collections.abc import Callable

    from mcp.server.mcpserver.tools import Tool

LOOPBACK = ("127.0.0.1", "localhost", "::1")
INSTRUCTIONS = """\
fwgen proves microcontroller firmware. You emit Thumb-2 machine code; fwgen links it, runs it on \
an emulated board that fails where the chip would, and holds it against a contract. Go: \
contract_from_prompt (or write one, check_contract) -> emission_guide -> verify, mending by the \
evidence until PASS -> save -> flash when the person asks. Never claim that firmware works unless \
verify said PASS; UNSURE is not PASS. Names (fw-, em-, tr-) stand for things of earlier results."""

_LOOKS = ToolAnnotations(read_only_hint=True, idempotent_hint=True, open_world_hint=False)
_LOOKS_OUT = ToolAnnotations(read_only_hint=True, idempotent_hint=True, open_world_hint=True)
_ADDS = ToolAnnotations(
    read_only_hint=False, destructive_hint=False, idempotent_hint=True, open_world_hint=False
)
_WRITES = ToolAnnotations(
    read_only_hint=False, destructive_hint=True, idempotent_hint=True, open_world_hint=True
)

TOOLS: tuple[tuple[Callable[..., Any], str, ToolAnnotations], ...] = (
    (facts.list_boards, "List boards", _LOOKS),
    (facts.board_facts, "Facts of a board", _LOOKS),
    (facts.registers, "Registers", _LOOKS),
    (facts.encode, "Encode or check Thumb-2", _LOOKS),
    (facts.decode, "Decode Thumb-2", _LOOKS),
    (contracts.contract_from_prompt, "Contract from a sentence", _LOOKS),
    (contracts.check_contract, "Check a contract", _LOOKS),
    (contracts.emission_guide, "Guide to emitting", _LOOKS),
    (proving.verify, "Link and prove", _LOOKS),
    (proving.explain, "Explain a firmware", _LOOKS),
    (proving.run, "Run in the machine", _LOOKS),
    (proving.read_trace, "Read a trace", _LOOKS),
    (proving.save, "Save a result", _ADDS),
    (rigs.list_rigs, "List probes and rigs", _LOOKS_OUT),
    (rigs.doctor, "Find what stands in the way", _LOOKS_OUT),
    (rigs.list_backups, "List backups", _LOOKS),
    (flashing.flash, "Flash a board", _WRITES),
    (flashing.restore, "Restore a board", _WRITES),
)


class FwgenServer(MCPServer):
    """The SDK's server with our workshop. One board at a time is written to, whoever asks."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(
            "fwgen",
            title="fwgen",
            instructions=INSTRUCTIONS,
            version=__version__,
            log_level="WARNING",
        )
        self.shop = Workshop(settings)
        self.alone = anyio.Lock()
        self.slots = anyio.CapacityLimiter(MACHINES)

    def tool_named(self, name: str) -> Tool:
        """A tool that was added."""
        found = self._tool_manager.get_tool(name)
        assert found is not None
        return found


def make_server(settings: Settings | None = None) -> FwgenServer:
    """A server with all its tools, resources and prompts."""
    server = FwgenServer(settings or Settings())
    for function, title, hints in TOOLS:
        server.add_tool(
            told(function),
            title=title,
            description=" ".join((function.__doc__ or "").split()),
            annotations=hints,
        )
        tool = server.tool_named(function.__name__)
        tool.parameters = _short(tool.parameters)
        schema = tool.fn_metadata.output_schema
        tool.fn_metadata.output_schema = None if schema is None else _short(schema)
    add_resources(server)
    add_prompts(server)
    return server


def _short(schema: dict[str, Any]) -> dict[str, Any]:
    """A schema without the titles that pydantic makes of names: an agent pays for every word."""

    def short(value: Any, *, names: bool = False) -> Any:
        if isinstance(value, list):
            return [short(one) for one in value]
        if not isinstance(value, dict):
            return value
        return {
            key: short(one, names=key in ("properties", "$defs") and not names)
            for key, one in value.items()
            if names or key != "title" or not isinstance(one, str)
        }

    made: dict[str, Any] = short(schema)
    return made


def serve_stdio(settings: Settings) -> None:
    """Serve one client on stdin and stdout until stdin ends.

    While it lasts the SDK has moved both away: whatever else prints goes to stderr.
    """
    anyio.run(make_server(settings).run_stdio_async)


def parse_place(text: str) -> tuple[str, int]:
    """HOST:PORT, or a port alone, of this computer. Raises InputError."""
    host, colon, port = text.strip().rpartition(":")
    host = host.strip("[]") if colon else ""
    host = host or "127.0.0.1"
    if not port.isdigit() or int(port) > 65_535:
        raise InputError(f"--http {text!r} is no place", hint="such as 127.0.0.1:8000")
    if host not in LOOPBACK:
        raise InputError(
            f"--http {text!r} is more than this computer: others could flash your boards",
            hint="use 127.0.0.1, and from elsewhere an SSH tunnel to it",
        )
    return host, int(port)


def serve_http(settings: Settings, host: str, port: int, ready: Callable[[str], None]) -> None:
    """Serve clients over streamable HTTP; ``ready`` hears the URL. Port 0: any that is free.

    The SDK refuses a Host or an Origin that is not this computer's. Raises FwgenError.
    """
    import uvicorn

    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listening = socket.create_server((host, port), family=family)
    except OSError as error:
        raise FwgenError(
            f"cannot listen: {error.strerror or error}", where=f"--http {host}:{port}",
            hint="choose another port; 0 takes any that is free",
        ) from None  # fmt: skip
    with listening:
        there = listening.getsockname()[1]
        shown = f"[{host}]" if ":" in host else host
        app = make_server(settings).streamable_http_app(host=host)
        # Its own logging would go to stdout.
        config = uvicorn.Config(app, log_config=None, access_log=False, lifespan="on")
        server = uvicorn.Server(config)
        ready(f"http://{shown}:{there}/mcp")
        anyio.run(lambda: server.serve(sockets=[listening]))
