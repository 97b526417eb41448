"""Tools that run firmware in the machine: verify, explain, run, read a trace, save."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple

import anyio.to_thread
from mcp.server.mcpserver import Resolve
from mcp_types import CallToolResult, ListRootsResult
from pydantic import BaseModel, ConfigDict, Field

from fwgen.errors import InputError, OutputError
from fwgen.mcp_server.contracts import ContractText
from fwgen.mcp_server.facts import BoardName
from fwgen.mcp_server.replies import Ctx, Page, Reply, page, reply, server_of, shop_of
from fwgen.mcp_server.roots import folders_of, roots_for_both, roots_for_image
from fwgen.mcp_server.work import in_machine
from fwgen.mcp_server.workshop import fingerprint
from fwgen.trace.excerpt import excerpt
from fwgen.units import PS_PER_S, parse_duration, show_duration

if TYPE_CHECKING:
    from fwgen.board.types import Board
    from fwgen.contract import Contract
    from fwgen.image.emission import Emission
    from fwgen.image.problems import Problem
    from fwgen.machine.confined import ConfinedMachine
    from fwgen.mcp_server.work import Phase
    from fwgen.mcp_server.workshop import Firmware, Workshop
    from fwgen.pipeline import Proof
    from fwgen.trace import Trace

MOST_FINDINGS = 40
NO_CONTRACT = "TOML text, or the path of a .toml; contract_from_prompt makes one"
NO_IMAGE = "a name (fw-...), a path, or Intel HEX; verify gives names"
LONGEST_RUN_PS = 3600 * PS_PER_S
ImageText = Annotated[
    str,
    Field(
        description='a firmware: the name that verify gave it ("fw-..."), the path of a .hex, .bin '
        "or .elf in the working folder, or Intel HEX text"
    ),
]
ImageRoots = Annotated[ListRootsResult | None, Resolve(roots_for_image)]
BothRoots = Annotated[ListRootsResult | None, Resolve(roots_for_both)]


class UnitIn(BaseModel):
    """A unit of an emission."""

    model_config = ConfigDict(extra="forbid")
    label: str
    kind: Literal["code", "words", "bytes", "zero", "block"]
    lines: list[str] = Field(
        description='code: "asm ; hex" or "asm ; hex ; REL symbol"; words: expressions; '
        "bytes: JSON text or hex; zero: one size; block: a name"
    )


class EmissionIn(BaseModel):
    """Machine code as emission_guide tells it."""

    model_config = ConfigDict(extra="forbid")
    plan: str = Field(description="at most 80 words")
    units: list[UnitIn]
    vectors: list[str] = Field(description='"Reset=label", "SysTick=label"')


class Given(NamedTuple):
    """What a call is about."""

    board: Board
    contract: Contract | None
    firmware: Firmware | None


async def given(
    ctx: Ctx, board: str, roots: ListRootsResult | None, *, contract: str = "", image: str = ""
) -> Given:
    """Board, contract and firmware of a call, those that it names; files are read in a thread.

    Raises FwgenError for what is wrong with one.
    """
    shop, folders = shop_of(ctx), folders_of(roots)

    def read() -> Given:
        the = shop.board(board, folders)
        asked = shop.contract(contract, the, folders) if contract.strip() else None
        return Given(the, asked, shop.firmware(image, the, folders) if image.strip() else None)

    return await anyio.to_thread.run_sync(read)


# ---------------------------------------------------------------------------- verify


class Claim(BaseModel):
    """One thing that was asked, and what was seen."""

    outcome: Literal["pass", "fail", "unsure"]
    claim: str
    seen: str


class Wrong(BaseModel):
    """A place where an emission does not hold together."""

    where: str
    message: str
    hint: str


class Verified(Reply):
    """What a firmware is worth against a contract."""

    outcome: Literal["pass", "fail", "unsure", "unsound"] = Field(
        description="unsound: it does not hold together, and never ran"
    )
    image: str = Field(description='name of the firmware, for flash, run, explain, save; or ""')
    emission: str = Field(description='name of the emission, to mend it; or ""')
    trace: str = Field(description='name of what was seen, for read_trace; or ""')
    claims: list[Claim]
    wrong: list[Wrong]
    first_departure: str
    hazards: list[str]
    accepted: list[str] = Field(description="hazards that the contract accepts")
    evidence: str = Field(description="what to mend: what was seen, where the core was, registers")
    flash_bytes: int
    ram_bytes: int

    def text(self) -> str:
        """The verdict, then the evidence where there is something to mend."""
        head = [f"{self.outcome.upper()}"]
        names = [name for name in (self.image, self.emission, self.trace) if name]
        if names:
            head.append(" ".join(names))
        if self.flash_bytes:
            head.append(f"{self.flash_bytes} bytes of flash, {self.ram_bytes} of RAM")
        lines = ["; ".join(head)]
        if self.outcome == "pass":
            lines += [f"- {claim.seen}" for claim in self.claims]
        lines += [f"- accepted by the contract: {code}" for code in self.accepted]
        if self.evidence:
            lines.append(self.evidence)
        if self.outcome in ("fail", "unsound") and self.emission:
            lines.append(
                f'mend it: verify with mends="{self.emission}" and only the units that change'
            )
        return "\n".join(lines)


async def verify(
    ctx: Ctx,
    board: BoardName,
    contract: ContractText,
    emission: Annotated[
        EmissionIn | None, Field(description="machine code of yours; or else an image")
    ] = None,
    mends: Annotated[
        str,
        Field(
            description='an emission\'s name ("em-..."): yours then holds only the units that '
            "change, whole; one with no lines is taken out; vectors [] leaves them"
        ),
    ] = "",
    image: ImageText = "",
    roots: BothRoots = None,
) -> Annotated[CallToolResult, Verified]:
    """Link your machine code (or take a firmware) and prove it against a contract.

    PASS: everything asked was seen in the emulated board, with no fault and no hazard. FAIL tells
    the first departure and the evidence to mend it by. UNSURE: something not modelled was touched.
    """
    if (emission is None) == (not image.strip()):
        raise InputError("give either an emission or an image")
    the, asked, firmware = await given(ctx, board, roots, contract=contract, image=image)
    if asked is None:
        raise InputError("no contract was given", hint=NO_CONTRACT)
    if firmware is not None:
        return reply(await _proved(ctx, firmware, the, asked, ""))
    assert emission is not None
    return reply(await _of_emission(ctx, emission.model_dump(), mends, the, asked))


async def _of_emission(
    ctx: Ctx, data: dict[str, Any], mends: str, board: Board, contract: Contract
) -> Verified:
    """The verdict on an emission, mended or new."""
    from fwgen.image.problems import UnsoundEmissionError

    shop = shop_of(ctx)
    whole, name = _whole(shop, data, mends)
    try:
        emission, firmware = await anyio.to_thread.run_sync(_linked, shop, whole, board)
    except UnsoundEmissionError as error:
        return _unsound(whole, board, error.problems, name)
    return await _proved(ctx, firmware, board, contract, name, emission)


def _whole(shop: Workshop, data: dict[str, Any], mends: str) -> tuple[dict[str, Any], str]:
    """The emission as it now stands, and its name."""
    import hashlib
    import json

    from fwgen.model.remote.emissions import merge, shown

    standing = shop.emissions.get(mends) if mends.strip() else None
    whole: dict[str, Any] = merge(standing, shown(data))
    text = json.dumps(whole, sort_keys=True)
    name = f"em-{hashlib.sha256(text.encode()).hexdigest()[:12]}"
    shop.emissions.put(name, whole)
    return whole, name


def _linked(shop: Workshop, whole: dict[str, Any], board: Board) -> tuple[Emission, Firmware]:
    from fwgen.image.link import link
    from fwgen.model.remote.emissions import parsed

    emission = parsed(whole, board)
    return emission, shop.keep(link(emission, board), board, emission)


def _unsound(
    whole: dict[str, Any], board: Board, problems: tuple[Problem, ...], name: str
) -> Verified:
    from fwgen.image.problems import UnsoundEmissionError
    from fwgen.image.wire import parse_emission
    from fwgen.model.protocol import Feedback
    from fwgen.model.remote.blocks import taken_apart
    from fwgen.model.remote.evidence import MOST_PROBLEMS, evidence

    emission: Emission | None = None
    try:  # to quote the lines that are wrong
        import json

        emission = parse_emission(json.dumps(taken_apart(whole)[0]))
    except UnsoundEmissionError:
        emission = None
    feedback = Feedback(emission, tuple(map(str, problems)), unsound=problems)
    return Verified(
        outcome="unsound", image="", emission=name, trace="", claims=[],
        wrong=[
            Wrong(where=p.where, message=p.message, hint=p.hint or "")
            for p in problems[:MOST_PROBLEMS]
        ],
        first_departure="", hazards=[], accepted=[], evidence=evidence(feedback, board),
        flash_bytes=0, ram_bytes=0,
    )  # fmt: skip


async def proof_of(
    ctx: Ctx,
    firmware: Firmware,
    board: Board,
    contract: Contract,
    emission: Emission | None = None,
) -> tuple[Proof, str]:
    """The proof of a firmware, made once for each contract; and the evidence against it."""
    from fwgen.contract import dump_contract

    server, shop = server_of(ctx), shop_of(ctx)
    key = f"{firmware.id} {fingerprint(board)} {dump_contract(contract)}"
    known = shop.proofs.find(key)
    if known is not None:
        return known, shop.evidence.find(key) or ""

    def work(machine: ConfinedMachine, phase: Phase) -> tuple[Proof, str]:
        from fwgen.contract.subjects import fitted
        from fwgen.model.remote.evidence import evidence
        from fwgen.pipeline import feedback_on, prove

        phase(f"running {show_duration(contract.span_ps)} of the board's time in the machine")
        proof = prove(firmware.image, board, contract, confined=machine)
        if proof.passed:
            return proof, ""
        phase("looking at the first departure")
        feedback = feedback_on(emission or firmware.emission, proof, machine)
        return proof, evidence(feedback, fitted(board, contract))

    proof, said = await in_machine(ctx, board, shop.settings.run_s, server.slots, work)
    shop.proofs.put(key, proof, len(proof.trace.events))
    shop.evidence.put(key, said)
    return proof, said


async def _proved(
    ctx: Ctx,
    firmware: Firmware,
    board: Board,
    contract: Contract,
    name: str,
    emission: Emission | None = None,
) -> Verified:
    from fwgen.contract import dump_contract
    from fwgen.contract.subjects import fitted
    from fwgen.trace import Hazard

    proof, said = await proof_of(ctx, firmware, board, contract, emission)
    verdict, trace = proof.verdict, proof.trace
    accepted = dict(contract.accept)
    hazards = {h.code: h.message for h in trace.of(Hazard) if h.severity != "note"}
    first = verdict.first_departure
    key = f"{firmware.id} {fingerprint(board)} {dump_contract(contract)}"
    return Verified(
        outcome=verdict.outcome.value,
        image=firmware.id,
        emission=name,
        trace=shop_of(ctx).keep_trace(trace, fitted(board, contract), key),
        claims=[
            Claim(outcome=f.outcome.value, claim=f.claim, seen=f.text)
            for f in verdict.all[:MOST_FINDINGS]
        ],
        wrong=[],
        first_departure=f"{show_duration(first.t_ps)}: {first.text}" if first is not None else "",
        hazards=[f"{code}: {said}" for code, said in hazards.items() if code not in accepted],
        accepted=[f"{code}: {said}" for code, said in hazards.items() if code in accepted],
        evidence=said,
        flash_bytes=firmware.image.flash_used,
        ram_bytes=firmware.image.ram_used,
    )


# ---------------------------------------------------------------------------- explain


class Explained(Page):
    """A part of a listing."""

    image: str
    flash_bytes: int

    def text(self) -> str:
        """The name, and the lines."""
        return f"{self.image}; {self.flash_bytes} bytes of flash\n{super().text()}"


async def explain(
    ctx: Ctx,
    board: BoardName,
    image: ImageText,
    offset: Annotated[int, Field(description="first line")] = 0,
    limit: Annotated[int, Field(description="how many lines, at most 400")] = 100,
    roots: ImageRoots = None,
) -> Annotated[CallToolResult, Explained]:
    """A firmware as an annotated listing: instructions, and the registers and fields they touch."""
    from fwgen.image.disassemble import disassemble

    the, _, firmware = await given(ctx, board, roots, image=image)
    if firmware is None:
        raise InputError("no firmware was given", hint=NO_IMAGE)

    def lines() -> list[str]:
        own = firmware.image.listing
        listing = own if own.lines else disassemble(firmware.image, the)
        return [line.text for line in listing.lines]

    shown = await anyio.to_thread.run_sync(lines)
    return reply(
        Explained(
            image=firmware.id, flash_bytes=firmware.image.flash_used, **page(shown, offset, limit)
        )
    )


# ---------------------------------------------------------------------------- run


class Ran(Page):
    """What a run showed."""

    trace: str = Field(description="name of all that was seen, for read_trace")
    ran: str
    says: str = Field(description="what the console said, at most 2000 characters")
    faults: list[str]
    hazards: list[str]
    gaps: list[str] = Field(description="what was touched and is not modelled")
    asleep_percent: float

    def text(self) -> str:
        """What went wrong, what was said, then the events."""
        lines = [f"ran {self.ran}, asleep {self.asleep_percent:g} % of it; {self.trace}"]
        lines += [f"FAULT {line}" for line in self.faults]
        lines += [f"HAZARD {line}" for line in self.hazards]
        lines += [f"NOT MODELLED {line}" for line in self.gaps]
        if self.says:
            lines.append(f"the console said: {self.says!r}")
        return "\n".join([*lines, super().text()])


async def run(
    ctx: Ctx,
    board: BoardName,
    image: ImageText,
    span: Annotated[str, Field(description='how long, in the board\'s time: "2 s"')] = "1 s",
    do: Annotated[
        list[dict[str, str | int]],
        Field(
            description='what is done to the board, as a contract has it: {"press": "B1", "at": '
            '"1 s", "for": "200 ms"}, {"drive": "D2", "at": "1 s", "to": "high"}, '
            '{"send": "hi\\n", "at": "1 s", "to": "console"}, {"set": "A0", "at": "0 s", '
            '"to": "1 V"}'
        ),
    ] = [],  # noqa: B006 - likewise
    parts: Annotated[
        dict[str, dict[str, Any]],
        Field(
            description="what is wired to the board, as [parts] of a contract has it (resource "
            'fwgen://docs/parts): {"ARM": {"kind": "servo", "signal": "D9"}}'
        ),
    ] = {},  # noqa: B006 - a schema's default: nobody changes it
    limit: Annotated[int, Field(description="how many lines of events, at most 400")] = 60,
    roots: ImageRoots = None,
) -> Annotated[CallToolResult, Ran]:
    """Run a firmware on the emulated board without a contract, and see what it does."""
    from fwgen.contract.subjects import fitted, on_bench

    server, shop = server_of(ctx), shop_of(ctx)
    the, _, firmware = await given(ctx, board, roots, image=image)
    if firmware is None:
        raise InputError("no firmware was given", hint=NO_IMAGE)
    span_ps = parse_duration(span)
    if not 0 < span_ps <= LONGEST_RUN_PS:
        raise InputError(f"{span!r} is no time to run", hint='more than nothing, at most "1 h"')
    given_to = _given_to(do, parts, the, span)
    stimuli, wired = given_to.stimuli, fitted(the, given_to)
    key = f"run {firmware.id} {fingerprint(the)} {span_ps} {stimuli!r} {parts!r}"

    def work(machine: ConfinedMachine, phase: Phase) -> Trace:
        phase(f"running {show_duration(span_ps)} of the board's time in the machine")
        return machine.run(firmware.image, stimuli, span_ps)

    bench = on_bench(the, given_to)
    trace = await in_machine(ctx, bench, shop.settings.run_s, server.slots, work)
    return reply(_ran(trace, wired, shop.keep_trace(trace, wired, key), limit))


def _given_to(
    do: list[dict[str, str | int]], parts: dict[str, dict[str, Any]], board: Board, span: str
) -> Contract:
    """Parts and stimuli as a contract has them. Raises ContractError that names the entry."""
    from fwgen.contract import read_contract

    data: dict[str, object] = {
        "span": span,
        "do": [dict(entry) for entry in do],
        "expect": [{"asleep": "0 %"}],  # a contract asks for something
        **({"parts": parts} if parts else {}),
    }
    return read_contract(data, board, where="run")


def _ran(trace: Trace, board: Board, name: str, limit: int) -> Ran:
    from fwgen.report.data import asleep_ppm
    from fwgen.trace import Fault, Gap, Hazard, SerialByte

    console = board.console.uart if board.console is not None else ""
    said = bytes(e.byte for e in trace.of(SerialByte) if e.direction == "tx" and e.port == console)
    hazards = dict.fromkeys(
        f"{h.code}: {h.message}" + (f"; cure: {h.cure}" if h.cure else "")
        for h in trace.of(Hazard)
        if h.severity != "note"
    )
    gaps = dict.fromkeys(
        f"{g.access} of {g.peripheral}.{g.register}{f': {g.detail}' if g.detail else ''}"
        for g in trace.of(Gap)
    )
    return Ran(
        trace=name,
        ran=show_duration(trace.span_ps),
        says=said.decode("utf-8", "backslashreplace")[:2000],
        faults=[
            "\n".join([f"{e.exception}: {e.reason}", *e.report.splitlines()[:16]])
            for e in list(trace.of(Fault))[:1]
        ],
        hazards=list(hazards)[:8],
        gaps=list(gaps)[:8],
        asleep_percent=asleep_ppm(trace) / 10_000,
        **page(excerpt(trace, board), 0, limit),
    )


# ---------------------------------------------------------------------------- traces


class Excerpt(Page):
    """A part of a trace."""

    trace: str


def read_trace(
    ctx: Ctx,
    trace: Annotated[str, Field(description='the name that verify or run gave: "tr-..."')],
    start: Annotated[str, Field(description='from this time on: "1.5 s"')] = "",
    stop: Annotated[str, Field(description="up to this time")] = "",
    subjects: Annotated[
        list[str], Field(description='only of these: "LD2", "PA5", "D7", "console", "I2C1"')
    ] = [],  # noqa: B006
    offset: Annotated[int, Field(description="first line")] = 0,
    limit: Annotated[int, Field(description="how many lines, at most 400")] = 80,
) -> Annotated[CallToolResult, Excerpt]:
    """Read on in what a run showed: edges, serial lines, resets, faults and hazards by time."""
    from fwgen.contract.subjects import resolve

    found, board = shop_of(ctx).traces.get(trace)
    only = []
    for name in subjects[:16]:
        subject = resolve(name, board)
        module = subject.module.name if subject.module is not None else ""
        only += [text for text in (subject.pin, subject.port, subject.bus, module, name) if text]
    lines = excerpt(
        found, board,
        start_ps=parse_duration(start) if start.strip() else 0,
        stop_ps=parse_duration(stop) if stop.strip() else None,
        subjects=only,
    )  # fmt: skip
    return reply(Excerpt(trace=trace, **page(lines, offset, limit)))


# ---------------------------------------------------------------------------- save


class Saved(Reply):
    """Where a result was written."""

    folder: str
    files: list[str]
    outcome: Literal["pass", "fail", "unsure"]

    def text(self) -> str:
        """The folder and its files."""
        note = "" if self.outcome == "pass" else f"; {self.outcome.upper()}: FAILED.txt says why"
        return f"{self.folder}: {', '.join(self.files)}{note}"


async def save(
    ctx: Ctx,
    board: BoardName,
    contract: ContractText,
    image: ImageText,
    name: Annotated[str, Field(description="of a new folder below the output folder")] = "",
    roots: BothRoots = None,
) -> Annotated[CallToolResult, Saved]:
    """Write what verify proved into a folder: .hex, .bin, .elf, listing, contract, trace, report.

    The image must come from an emission. A folder that holds another result is left alone.
    """
    shop = shop_of(ctx)
    the, asked, firmware = await given(ctx, board, roots, contract=contract, image=image)
    if asked is None or firmware is None:
        raise InputError("save takes a contract and an image", hint=NO_IMAGE)
    if firmware.emission is None:
        raise InputError(f"{firmware.id} was not emitted here: it is a file of yours already")
    proof, _ = await proof_of(ctx, firmware, the, asked)
    return reply(await anyio.to_thread.run_sync(_save, shop, firmware, proof, name))


def _save(shop: Workshop, firmware: Firmware, proof: Proof, name: str) -> Saved:
    from fwgen.contract import describe
    from fwgen.model.protocol import Reading
    from fwgen.pipeline import Result
    from fwgen.report.folder import REPORT, contents, folder_name
    from fwgen.report.folder import save as write

    contract, board = proof.contract, proof.board
    prompt = contract.prompt or contract.title
    reading = Reading(prompt, tuple(describe(contract, board)), contract, board)
    assert firmware.emission is not None
    stopped = "" if proof.passed else "it was saved as it was"
    result = Result(reading, "agent", firmware.emission, replace(proof), 1, stopped)
    files = contents(result)
    folder = shop.settings.output / (_plain(name) or folder_name(prompt, board.name))
    if not folder.resolve().is_relative_to(shop.settings.output.resolve()):
        raise OutputError("the folder leads out of the output folder", where=str(folder))
    report = folder / REPORT
    if report.is_file() and report.read_bytes() != files[REPORT]:
        raise OutputError("this folder holds another result", where=str(folder),
                          hint="give another name")  # fmt: skip
    write(files, folder)
    return Saved(folder=str(folder), files=sorted(files), outcome=proof.verdict.outcome.value)


def _plain(name: str) -> str:
    """A folder's name, as one that leads nowhere else. Raises InputError."""
    name = name.strip()
    plain = all(c.isalnum() or c in "-_." for c in name) and name.strip(".") == name
    if not plain or len(name) > 80:
        raise InputError(f"{name[:80]!r} is no name for a folder",
                         hint="letters, digits, - and _")  # fmt: skip
    return name
