"""Results as plain data: what ``report.json`` and ``--json`` hold. docs/report.md describes it.

No time of day, no path of this machine: the same input gives the same bytes.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from fwgen.contract import describe
from fwgen.contract.accept import accepted, say_accepted
from fwgen.hazards import find_hazard
from fwgen.image.emission import PROVEN
from fwgen.trace import Fault as FaultEvent
from fwgen.trace import Gap, Hazard
from fwgen.units import PS_PER_S
from fwgen.verdict.accepted import occurrences

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from fwgen.board import BoardSummary
    from fwgen.board.pinmap import PinMap
    from fwgen.board.types import Board
    from fwgen.contract import Contract
    from fwgen.errors import FwgenError
    from fwgen.hazards import Kind
    from fwgen.image.types import Image, Listing
    from fwgen.model.protocol import Reading
    from fwgen.pipeline import Confirmed, Proof, Result
    from fwgen.trace import Trace
    from fwgen.verdict import Finding

VERSION = 1

Data = dict[str, object]


def awake_per_second(trace: Trace) -> int:
    """Core cycles not spent asleep per second of the run, rounded."""
    return round(trace.awake_cycles * PS_PER_S / trace.span_ps) if trace.span_ps else 0


def asleep_ppm(trace: Trace, mode: str | None = None) -> int:
    """Share of the run that the core slept, in all or in one mode, in parts per million."""
    asleep = trace.asleep_ps(mode=mode)
    return asleep * 1_000_000 // trace.span_ps if trace.span_ps else 0


def proof_data(proof: Proof) -> Data:
    """A proof: board, contract, image, run and findings."""
    verdict, trace = proof.verdict, proof.trace
    reasons = dict(proof.contract.accept)
    return {
        "fwgen_report": VERSION,
        "outcome": verdict.outcome.value,
        "exit_code": verdict.exit_code,
        "board": proof.board.name,
        "bench": trace.bench,
        "contract": _contract(proof.contract, proof.board),
        "image": image_data(proof.image),
        "run": {
            "span_ps": trace.span_ps,
            "cycles": trace.cycles or "typical",
            "awake_cycles": trace.awake_cycles,
            "awake_cycles_per_second": awake_per_second(trace),
            "asleep_ppm": asleep_ppm(trace),
            "stop_ppm": asleep_ppm(trace, "stop"),
            "standby_ppm": asleep_ppm(trace, "standby"),
        },
        "findings": [finding_data(f) for f in verdict.all],
        "faults": [
            {"t_ps": e.t_ps, "exception": e.exception, "reason": e.reason, "report": e.report}
            for e in trace.of(FaultEvent)
        ],
        "hazards": [
            {"t_ps": e.t_ps, "code": e.code, "severity": e.severity,
             "title": find_hazard(e.code).title, "message": e.message, "section": e.section,
             "cure": e.cure, "locks": find_hazard(e.code).locks,
             "accepted": reasons.get(e.code, "")}
            for e in trace.of(Hazard)
        ],
        "accepted": [
            {"what": one.what, "name": one.name, "because": one.because, "times": times}
            for one, times in occurrences(proof.contract, trace)
        ],
        "gaps": [
            {"t_ps": e.t_ps, "peripheral": e.peripheral, "register": e.register,
             "access": e.access, "detail": e.detail}
            for e in trace.of(Gap)
        ],
    }  # fmt: skip


def result_data(
    result: Result,
    files: Mapping[str, bytes] | None = None,
    confirmed: Confirmed | None = None,
) -> Data:
    """A generated firmware and its proof; ``files`` are those beside the report.

    With what a rig saw of it, the outcome is that of both.
    """
    data: Data = {
        "fwgen_report": VERSION,
        "prompt": result.reading.prompt,
        "model": result.model,
        "attempts": result.attempts,
        "understood": list(result.reading.understood),
        "assumed": list(result.reading.assumed),
        "plan": result.emission.plan,
    }
    if result.transcript:  # of a remote model
        units = result.emission.units
        data |= {
            "doubts": list(result.reading.doubts),
            "stopped": result.stopped,
            "blocks": [
                u.purpose.removeprefix(PROVEN) for u in units if u.purpose.startswith(PROVEN)
            ],
        }
    data |= proof_data(result.proof) if confirmed is None else confirmed_data(confirmed)
    if files is not None:
        data["files"] = {
            name: {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
            for name, content in sorted(files.items())
        }
    return data


def confirmed_data(confirmed: Confirmed) -> Data:
    """A firmware on both benches: the machine's proof, with ``rig`` and the outcome of both."""
    from fwgen.report.rig import rig_data

    return proof_data(confirmed.machine) | {
        "outcome": confirmed.outcome.value,
        "exit_code": confirmed.outcome.exit_code,
        "rig": rig_data(confirmed),
    }


def reading_data(reading: Reading, model: str) -> Data:
    """What was understood of a prompt, with nothing made yet."""
    from fwgen.contract import dump_contract

    doubts: Data = {"doubts": list(reading.doubts)} if model != "embedded" else {}
    return doubts | {
        "fwgen_report": VERSION,
        "outcome": "dry-run",
        "exit_code": 0,
        "prompt": reading.prompt,
        "model": model,
        "board": reading.board.name,
        "understood": list(reading.understood),
        "assumed": list(reading.assumed),
        "contract": _contract(reading.contract, reading.board),
        "contract_toml": dump_contract(reading.contract),
    }


def image_data(image: Image) -> Data:
    """The sizes of an image."""
    return {
        "flash_bytes": image.flash_used,
        "ram_bytes": image.ram_used,
        "stack_reserve_bytes": image.stack_reserve,
        "base": image.base,
        "entry": image.entry,
        "initial_sp": image.initial_sp,
    }


def listing_data(image: Image, board: Board, listing: Listing) -> Data:
    """A firmware as an annotated listing, and its symbols."""
    return {
        "fwgen_report": VERSION,
        "outcome": "explained",
        "exit_code": 0,
        "board": board.name,
        "image": image_data(image),
        "symbols": [
            {"name": s.name, "address": s.address, "bytes": s.size, "kind": s.kind}
            for s in image.symbols
        ],
        "listing": [{"address": line.address, "text": line.text} for line in listing.lines],
    }


def boards_data(boards: Iterable[BoardSummary]) -> Data:
    """The boards that this installation knows."""
    return {
        "fwgen_report": VERSION,
        "outcome": "listed",
        "exit_code": 0,
        "boards": [
            {"name": b.name, "title": b.title, "chip": b.chip, "aliases": list(b.aliases)}
            for b in boards
        ],
    }


def board_data(board: Board, pins: PinMap) -> Data:
    """A board: its chip, parts, console and pins."""
    chip, console = board.chip, board.console
    return {
        "fwgen_report": VERSION,
        "outcome": "shown",
        "exit_code": 0,
        "board": board.name,
        "title": board.title,
        "chip": {
            "name": chip.name,
            "title": chip.title,
            "core": chip.core,
            "hclk_max_hz": chip.clocks.hclk_max_hz,
            "flash_bytes": chip.flash.size,
            "ram_bytes": chip.ram.size,
            "modelled": [p.name for p in chip.peripherals.values() if p.kind is not None],
            "not_modelled": [p.name for p in chip.peripherals.values() if p.kind is None],
        },
        "console": (
            {"uart": console.uart, "tx": console.tx, "rx": console.rx, "baud": console.baud}
            if console
            else None
        ),
        "parts": [
            {"name": p.name, "kind": p.kind, "pin": p.pin, "active": p.active}
            for p in board.parts.values()
        ],
        "words": dict(board.words),
        "pins": [
            {
                "group": group.title,
                "label": row.label,
                "pin": row.pin,
                "net": row.net,
                "used_by": row.used_by,
                "also": list(row.labels),
                "alternate": [{"af": n, "signals": names} for n, names in row.alternate],
                "analog": list(row.analog),
            }
            for group in pins.groups
            for row in group.rows
        ],
    }


def hazards_data(groups: Mapping[str, Iterable[Kind]]) -> Data:
    """The hazards that the machine tells."""
    return {
        "fwgen_report": VERSION,
        "outcome": "listed",
        "exit_code": 0,
        "hazards": [
            {"code": k.code, "severity": k.severity.value, "title": k.title,
             "section": k.section, "meaning": k.meaning, "cure": k.cure, "locks": k.locks}
            for kinds in groups.values()
            for k in kinds
        ],
    }  # fmt: skip


def check_data(path: str, findings: Sequence[FwgenError]) -> Data:
    """What is to mend in a board file."""
    return {
        "fwgen_report": VERSION,
        "outcome": "error" if findings else "sound",
        "exit_code": 2 if findings else 0,
        "file": path,
        "findings": [{"where": f.where, "message": f.message, "hint": f.hint} for f in findings],
    }


def error_data(error: FwgenError) -> Data:
    """An error, as ``--json`` prints it."""
    return {
        "fwgen_report": VERSION,
        "outcome": "error",
        "exit_code": 2,
        "error": {
            "kind": type(error).__name__,
            "message": error.message,
            "where": error.where,
            "hint": error.hint,
            "words": list(getattr(error, "words", ())),
        },
    }


def to_json(data: Data) -> str:
    """Data as text, the same data the same text."""
    return json.dumps(data, indent=2, ensure_ascii=False) + "\n"


def _contract(contract: Contract, board: Board) -> Data:
    return {
        "title": contract.title,
        "span_ps": contract.span_ps,
        "says": list(describe(contract, board)),
        "accepts": [
            {"what": one.what, "name": one.name, "because": one.because,
             "says": say_accepted(one)}
            for one in accepted(contract.accept)
        ],
    }  # fmt: skip


def finding_data(finding: Finding) -> Data:
    """One finding."""
    return {
        "about": finding.about,
        "claim": finding.claim,
        "outcome": finding.outcome.value,
        "text": finding.text,
        "figures": [
            {"name": f.name, "value": f.value, "unit": f.unit, "text": f.text}
            for f in finding.figures
        ],
        "departure": (
            {"t_ps": finding.departure.t_ps, "text": finding.departure.text}
            if finding.departure
            else None
        ),
    }
