"""Tools that look at what is plugged in; nothing is written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from mcp_types import CallToolResult
from pydantic import BaseModel, Field

from fwgen.errors import InputError
from fwgen.mcp_server.replies import Ctx, Reply, reply, server_of, shop_of
from fwgen.mcp_server.work import on_board

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from fwgen.board.types import Board
    from fwgen.contract import Contract
    from fwgen.hil.place import Place
    from fwgen.mcp_server.work import Phase
    from fwgen.rig.doctor import Check
    from fwgen.rig.rigs import RigSpec

REAL, VIRTUAL = "real", "virtual"
RigName = Annotated[
    str,
    Field(
        description="real: the board that is plugged in; virtual: a fresh board in software; "
        "labgrid:PLACE: a farm's; or a rig file's name"
    ),
]
ProbeName = Annotated[str, Field(description="serial number of the probe, or a part of it")]


def rig_spec(rig: str, board: Board) -> RigSpec:
    """The rig of a name. Raises InputError, also for a path: an agent names rigs."""
    from fwgen.hil.place import spec_of
    from fwgen.rig.rigs import RigSpec, check_board

    name = rig.strip()
    if name in ("", REAL, VIRTUAL):
        return RigSpec(name or REAL, board.name, virtual=name == VIRTUAL)
    if not name.startswith("labgrid:") and ("/" in name or "\\" in name or name.endswith(".toml")):
        raise InputError("a rig is named, not given by a path", where=rig,
                         hint="list_rigs lists the names")  # fmt: skip
    spec = spec_of(name, board.name)
    if spec.board:
        check_board(spec, board)
    return spec


def reached(
    spec: RigSpec, probe: str, phase: Phase, contract: Contract | None = None
) -> AbstractContextManager[Place]:
    """The rig, its board halted and ours alone; a virtual one has what a contract wires to it."""
    from fwgen.hil.place import opened

    if probe.strip().startswith("remote:"):
        raise InputError("an agent reaches no probe on another computer",
                         hint="a rig file may name it")  # fmt: skip
    return opened(spec, probe=probe.strip(), progress=phase.flash, say=phase, contract=contract)


# ---------------------------------------------------------------------------- what there is


class ProbeLine(BaseModel):
    """A debug probe that is plugged in."""

    uid: str
    name: str
    board: str = Field(description='the board it says it sits on, or ""')


class Rigs(Reply):
    """What boards can be reached."""

    probes: list[ProbeLine]
    rig_files: list[str]
    note: str

    def text(self) -> str:
        """A line each."""
        lines = [f"probe {p.uid} ({p.name}) {p.board}".rstrip() for p in self.probes]
        lines += [f"rig file {name}" for name in self.rig_files]
        return "\n".join([*(lines or ["no probe is plugged in"]), self.note])


async def list_rigs(ctx: Ctx) -> Annotated[CallToolResult, Rigs]:
    """List the debug probes that are plugged in, virtual boards that run, and the rig files."""

    def look(_phase: Phase) -> Rigs:
        from fwgen.rig.probes import find_probes
        from fwgen.rig.rigs import rig_files

        probes = [
            ProbeLine(uid=p.uid, name=p.name, board=_name_of(p.board_id)) for p in find_probes()
        ]
        return Rigs(
            probes=probes,
            rig_files=[path.stem for path in rig_files()],
            note='rig "virtual" is always there: a fresh board in software',
        )

    return reply(await on_board(ctx, server_of(ctx).alone, "looking for probes", look))


def _name_of(board_id: str | None) -> str:
    from fwgen.board import board_of_probe

    board = board_of_probe(board_id or "")
    return board.name if board is not None else ""


# ---------------------------------------------------------------------------- doctor


class CheckLine(BaseModel):
    """One thing that was looked at."""

    name: str
    state: Literal["ok", "problem", "unknown"]
    said: str
    cure: str


class Diagnosis(Reply):
    """What stands between this computer and the board."""

    checks: list[CheckLine]
    problems: int

    def text(self) -> str:
        """A line each, problems with their cure."""
        lines = []
        for check in self.checks:
            cure = f" -> {check.cure}" if check.cure else ""
            lines.append(f"{check.state}: {check.name}: {check.said}{cure}")
        return "\n".join([*lines, f"{self.problems or 'no'} problems"])


async def doctor(
    ctx: Ctx,
    board: Annotated[str, Field(description="which board it should be; empty: ask the probe")] = "",
    probe: ProbeName = "",
) -> Annotated[CallToolResult, Diagnosis]:
    """Find what stands between this computer and the board, from the cable inward; writes nothing.

    A chip that does not answer is tried once more in reset.
    """
    the = shop_of(ctx).board(board) if board.strip() else None

    def look(phase: Phase) -> Diagnosis:
        checks = []
        for check in _examined(the, probe):
            phase(f"looked at: {check.name}")
            checks.append(check)
        return Diagnosis(
            checks=[
                CheckLine(name=c.name, state=c.state, said=c.said, cure=c.cure) for c in checks
            ],
            problems=sum(c.state == "problem" for c in checks),
        )

    return reply(await on_board(ctx, server_of(ctx).alone, "looking at the cable", look))


def _examined(board: Board | None, probe: str) -> Iterator[Check]:
    from fwgen.board import board_of_probe
    from fwgen.rig.doctor import Surroundings, examine

    return examine(board, probe.strip() or None, Surroundings(boards=board_of_probe))


# ---------------------------------------------------------------------------- backups


class BackupLine(BaseModel):
    """What was on a chip."""

    name: str
    board: str
    unique_id: str
    made: str
    why: str
    kind: Literal["whole", "part"]
    bytes: int


class Backups(Reply):
    """What is kept."""

    backups: list[BackupLine]

    def text(self) -> str:
        """A line each."""
        lines = [
            f"{b.name}: {b.board} {b.unique_id}, {b.bytes} bytes, {b.why}" for b in self.backups
        ]
        return "\n".join(lines) or "nothing is kept yet: the first flash of a board keeps it"


def list_backups() -> Annotated[CallToolResult, Backups]:
    """List what was on the chips before fwgen wrote to them; restore puts one back."""
    from fwgen.rig.backup import all_backups

    return reply(
        Backups(
            backups=[
                BackupLine(
                    name=b.name, board=b.board, unique_id=b.unique_id, made=b.made.isoformat(),
                    why=f"{b.why}; left by an interrupted flash" if b.interrupted else b.why,
                    kind=b.kind, bytes=b.size,
                )
                for b in all_backups()[-40:]
            ]
        )
    )  # fmt: skip
