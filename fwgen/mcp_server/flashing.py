"""Tools that write to a board, and the question to the person before.

What is flashed was proven just before: the machine runs it against the contract, and what fails or
is unsure is refused unless forced. What locks the board out or changes its option bytes is refused
whatever anybody says. The person at the client is asked, in the words of the contract; a client
that cannot ask gets nothing written, unless the server was started with ``--allow-flash``, and
then only what has passed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from mcp.server.mcpserver import (
    AcceptedElicitation,
    Elicit,
    ElicitationResult,
    Resolve,
)
from mcp_types import CallToolResult
from pydantic import BaseModel, Field

from fwgen.errors import InputError
from fwgen.mcp_server.contracts import contract_says
from fwgen.mcp_server.facts import BoardName
from fwgen.mcp_server.proving import NO_IMAGE, BothRoots, ImageText, given, proof_of
from fwgen.mcp_server.replies import Ctx, Reply, reply, server_of, shop_of, told
from fwgen.mcp_server.rigs import REAL, ProbeName, RigName, reached, rig_spec
from fwgen.mcp_server.work import on_board

if TYPE_CHECKING:
    from fwgen.board.types import Board
    from fwgen.hil.place import Place
    from fwgen.mcp_server.work import Phase
    from fwgen.mcp_server.workshop import Firmware
    from fwgen.pipeline import Confirmed, Proof
    from fwgen.rig.flash import Programmed
    from fwgen.rig.rigs import RigSpec

SMOKE = 'title = "it runs"\nspan = "1 s"\n[[expect]]\nasleep = "0 %"\n'
"""What firmware without a contract is run by, so that its hazards are known."""
MOST_SAID, LONGEST_SAID = 12, 200  # lines of a kind, and their length, in a question
ALLOW = "start the server with --allow-flash, or use a client that can ask (elicitation)"

FORCE = (
    "what has not passed is written only when a person says so: use a client that can ask "
    "(elicitation), or fwgen flash --force in a terminal"
)


class Confirm(BaseModel):
    """The person's word."""

    write: bool = Field(description="Write to the board", default=False)


class Programming(Reply):
    """What was written to a board."""

    outcome: Literal["flashed", "restored", "pass", "fail", "unsure"] = Field(
        description="flashed: written, read back, compared; pass, fail, unsure: checked there, too"
    )
    probe: str
    chip: str = Field(description="unique id")
    bytes: int = Field(description="programmed; 0: the chip held it already")
    sectors_erased: list[int]
    backup: str = Field(description='what was there before: restore takes the name; or ""')
    notes: list[str]
    claims: list[str] = Field(description="what the board itself was seen to do, by claim")

    def text(self) -> str:
        """What was done."""
        what = f"{self.bytes} bytes programmed, read back, compared" if self.bytes else (
            "the chip holds it already" if self.outcome != "restored" else "nothing to do"
        )  # fmt: skip
        lines = [f"{self.outcome.upper()}: {what}; probe {self.probe}, chip {self.chip}"]
        if self.backup:
            lines.append(f"what was there before is kept: {self.backup}")
        return "\n".join([*lines, *(f"note: {note}" for note in self.notes), *self.claims])


# ---------------------------------------------------------------------------- the question


def may_ask(ctx: Ctx) -> bool:
    """Whether the client can put a question with a form to a person."""
    capabilities = ctx.client_capabilities
    asks = capabilities.elicitation if capabilities is not None else None
    return asks is not None and (asks.form is not None or asks.url is None)


def question(ctx: Ctx, said: str, *, certain: bool) -> Elicit[Confirm] | Confirm:
    """The question, or the answer where none is needed. ``certain``: the server's word will do.

    Raises InputError where nobody can be asked.
    """
    if certain and shop_of(ctx).settings.allow_flash:
        return Confirm(write=True)
    if not may_ask(ctx):
        hint = ALLOW if certain else FORCE
        raise InputError(
            "nothing was written: this client cannot ask the person for a confirmation", hint=hint
        )
    return Elicit(said, Confirm)


def plain(text: str) -> str:
    """An agent's words within a question: one line of it, that looks like no other."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if len(line) <= LONGEST_SAID else f"{line[:LONGEST_SAID]}..."


def refuse_unless(answer: ElicitationResult[Confirm]) -> None:
    """Raise InputError unless the person said yes."""
    if isinstance(answer, AcceptedElicitation) and answer.data.write:
        return
    raise InputError("nothing was written: the person did not confirm",
                     hint="ask why before you try again")  # fmt: skip


# ---------------------------------------------------------------------------- flash


@dataclass(frozen=True, slots=True)
class Prepared:
    """A firmware that may be asked for: proven as far as it is, for a rig that there is."""

    board: Board
    firmware: Firmware
    proof: Proof
    spec: RigSpec
    has_contract: bool

    @property
    def passed(self) -> bool:
        """Whether it did what a contract asks for."""
        return self.has_contract and self.proof.passed


@told
async def prepare(
    ctx: Ctx,
    board: str,
    image: str,
    contract: str,
    force: bool,
    rig: str,
    roots: BothRoots = None,
) -> Prepared:
    """Prove what is to be flashed. Raises InputError for what is refused."""
    text = contract if contract.strip() else SMOKE
    the, asked, firmware = await given(ctx, board, roots, contract=text, image=image)
    if asked is None or firmware is None:
        raise InputError("no firmware was given", hint=NO_IMAGE)
    spec = rig_spec(rig, the)
    proof, said = await proof_of(ctx, firmware, the, asked)
    made = Prepared(the, firmware, proof, spec, bool(contract.strip()))
    _refuse_locking(proof)
    if not made.passed and not force:
        why = f"it is {proof.verdict.outcome.value.upper()}" if made.has_contract else (
            "no contract was given, so nothing is proven"
        )  # fmt: skip
        hint = "mend it and verify again" if made.has_contract else "give the contract"
        detail = f"\n{said}" if made.has_contract and said else ""
        raise InputError(
            f"not flashed: {why}{detail}",
            hint=f"{hint}; force=true writes it all the same, when the person says so",
        )
    if not made.passed and spec.virtual:
        raise InputError("a virtual board takes only what has passed",
                         hint="run and verify show what it does")  # fmt: skip
    return made


def _refuse_locking(proof: Proof) -> None:
    """Raise InputError for what locks the board, whatever the contract accepts."""
    hazard = proof.locks
    if hazard is not None:
        raise InputError(
            f"not flashed: {hazard.message} [{hazard.code}]",
            hint=f"this is never written to a board; {hazard.cure}",
        )


@told
def ask_flash(
    ctx: Ctx, prepared: Annotated[Prepared, Resolve(prepare)], probe: str
) -> Elicit[Confirm] | Confirm:
    """The question before a flash. A board in software is nobody's: there is none."""
    if prepared.spec.virtual:
        return Confirm(write=True)
    return question(ctx, _said(prepared, probe), certain=prepared.passed)


def _said(prepared: Prepared, probe: str) -> str:
    firmware, contract = prepared.firmware, prepared.proof.contract
    where = f" by probe {plain(probe)}" if probe.strip() else ""
    where += f" on rig {plain(prepared.spec.name)}" if prepared.spec.name != REAL else ""
    what = f"{firmware.id} ({firmware.image.flash_used} bytes)"
    lines = [f"Flash {what} onto {prepared.board.title}{where}?"]
    if prepared.passed:
        lines.append("It has passed in the emulator:")
    elif prepared.has_contract:
        lines.append(f"IT HAS NOT PASSED ({prepared.proof.verdict.outcome.value.upper()}):")
        bad = [f for f in prepared.proof.verdict.all if f.outcome.exit_code]
        lines += [f"- {plain(f.text)}" for f in bad[:MOST_SAID]]
        lines.append("It was asked for:")
    else:
        lines.append("NOTHING IS PROVEN of it: no contract was given.")
    if prepared.has_contract:
        says = contract_says(contract, prepared.board)
        lines += [f"- {plain(line)}" for line in says.says[:MOST_SAID]]
        if len(says.says) > MOST_SAID:
            lines.append(f"- and {len(says.says) - MOST_SAID} more")
        lines += [f"- {plain(line)}" for line in says.accepts]
    return "\n".join(lines)


async def flash(
    ctx: Ctx,
    board: BoardName,
    image: ImageText,
    prepared: Annotated[Prepared, Resolve(prepare)],
    answer: Annotated[ElicitationResult[Confirm], Resolve(ask_flash)],
    contract: Annotated[
        str, Field(description="what it is proven against: TOML, or the path of a .toml")
    ] = "",
    rig: RigName = REAL,
    probe: ProbeName = "",
    check: Annotated[
        bool, Field(description="then watch the board itself against the contract")
    ] = False,
    force: Annotated[
        bool, Field(description="also what has not passed, when the person confirms it")
    ] = False,
) -> Annotated[CallToolResult, Programming]:
    """Write a firmware onto a board: prove it, ask the person, erase, program, read back, compare.

    Refused: what has not passed (unless forced and confirmed), another chip than the board's, and
    always what would lock the board out. What was on the chip is kept; restore puts it back.
    """
    refuse_unless(answer)
    if check and not prepared.has_contract:
        raise InputError("there is nothing to check by: no contract was given")

    def work(phase: Phase) -> Programming:
        wired = prepared.proof.contract if check else None
        with reached(prepared.spec, probe, phase, wired) as place:
            if check:
                return _checked(place, prepared.proof)
            from fwgen.rig.flash import program

            backup = False if place.virtual is not None else None
            done = program(
                place.connection, prepared.firmware.image, backup=backup, progress=phase.flash
            )  # fmt: skip
            return _programmed(done, place.probe.uid, "flashed")

    return reply(await on_board(ctx, server_of(ctx).alone, "reaching the board", work))


def _checked(place: Place, proof: Proof) -> Programming:
    """Flash it and watch the board; the verdict is that of both benches."""
    from fwgen.pipeline import confirm

    bench = place.bench(proof.contract)
    confirmed = confirm(proof, bench)
    assert bench.programmed is not None
    made = _programmed(bench.programmed, place.probe.uid, "flashed")
    differ = [f"the machine and the board differ: {d.text}" for d in confirmed.differences[:3]]
    return made.model_copy(
        update={
            "outcome": confirmed.outcome.value,
            "notes": [*made.notes, *differ],
            "claims": _claims(confirmed),
        }
    )


def _claims(confirmed: Confirmed) -> list[str]:
    lines = []
    for claim in confirmed.claims[:20]:
        seen = claim.rig or claim.machine
        if seen is not None:
            lines.append(f"{claim.outcome.value}: {seen.text}")
    return lines


def _programmed(
    done: Programmed, probe: str, outcome: Literal["flashed", "restored"]
) -> Programming:
    return Programming(
        outcome=outcome,
        probe=probe,
        chip=done.identity.unique_id or "",
        bytes=done.bytes,
        sectors_erased=list(done.erased),
        backup=done.backup.name if done.backup is not None else "",
        notes=list(done.notes),
        claims=[],
    )


# ---------------------------------------------------------------------------- restore


@told
def ask_restore(ctx: Ctx, board: str, backup: str, rig: str) -> Elicit[Confirm] | Confirm:
    """The question before a restore."""
    the = shop_of(ctx).board(board)
    if rig_spec(rig, the).virtual:
        raise InputError("a virtual board is fresh each time: there is nothing to put back")
    _refuse_path(backup)
    what = f"the backup {plain(backup)}" if backup.strip() else "the whole flash as first seen"
    said = f"Put back {what} onto {the.title}? What is on the chip now is kept first."
    return question(ctx, said, certain=True)


def _refuse_path(backup: str) -> None:
    if "/" in backup or "\\" in backup or backup.strip().endswith(".zip"):
        raise InputError("a backup is named, not given by a path", where=backup,
                         hint="list_backups lists the names")  # fmt: skip


async def restore(
    ctx: Ctx,
    board: BoardName,
    answer: Annotated[ElicitationResult[Confirm], Resolve(ask_restore)],
    backup: Annotated[
        str,
        Field(
            description='name of a backup; "last": what the last flash replaced; empty: the whole '
            "flash as first seen"
        ),
    ] = "",
    rig: RigName = REAL,
    probe: ProbeName = "",
) -> Annotated[CallToolResult, Programming]:
    """Put back what was on the chip before fwgen wrote to it, when the person confirms."""
    refuse_unless(answer)
    the = shop_of(ctx).board(board)
    spec = rig_spec(rig, the)

    def work(phase: Phase) -> Programming:
        from fwgen.rig.backup import Store, choose_backup
        from fwgen.rig.flash import restore as put_back

        with reached(spec, probe, phase) as place:
            store = Store(place.connection.identity.unique_id or place.probe.uid)
            found = choose_backup(store.backups(), backup.strip() or None)
            done = put_back(place.connection, found, progress=phase.flash)
            return _programmed(done, place.probe.uid, "restored")

    return reply(await on_board(ctx, server_of(ctx).alone, "reaching the board", work))
