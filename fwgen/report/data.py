"""Results as plain data: what ``report.json`` and ``--json`` hold. docs/report.md describes it.

No time of day, no path of this machine: the same input gives the same bytes.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from fwgen.contract import describe
from fwgen.trace import Fault as FaultEvent
from fwgen.trace import Gap, Hazard
from fwgen.units import PS_PER_S

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fwgen.errors import FwgenError
    from fwgen.image.types import Image
    from fwgen.pipeline import Proof, Result
    from fwgen.trace import Trace
    from fwgen.verdict import Finding

VERSION = 1

Data = dict[str, object]


def awake_per_second(trace: Trace) -> int:
    """Core cycles not spent asleep per second of the run, rounded."""
    return round(trace.awake_cycles * PS_PER_S / trace.span_ps) if trace.span_ps else 0


def asleep_ppm(trace: Trace) -> int:
    """Share of the run that the core slept, in parts per million."""
    return trace.asleep_ps() * 1_000_000 // trace.span_ps if trace.span_ps else 0


def proof_data(proof: Proof) -> Data:
    """A proof: board, contract, image, run and findings."""
    verdict, trace = proof.verdict, proof.trace
    return {
        "fwgen_report": VERSION,
        "outcome": verdict.outcome.value,
        "exit_code": verdict.exit_code,
        "board": proof.board.name,
        "bench": trace.bench,
        "contract": {
            "title": proof.contract.title,
            "span_ps": proof.contract.span_ps,
            "says": list(describe(proof.contract, proof.board)),
        },
        "image": image_data(proof.image),
        "run": {
            "span_ps": trace.span_ps,
            "awake_cycles": trace.awake_cycles,
            "awake_cycles_per_second": awake_per_second(trace),
            "asleep_ppm": asleep_ppm(trace),
        },
        "findings": [_finding(f) for f in verdict.all],
        "faults": [
            {"t_ps": e.t_ps, "exception": e.exception, "reason": e.reason, "report": e.report}
            for e in trace.of(FaultEvent)
        ],
        "hazards": [
            {"t_ps": e.t_ps, "code": e.code, "severity": e.severity, "message": e.message,
             "section": e.section, "cure": e.cure}
            for e in trace.of(Hazard)
        ],
        "gaps": [
            {"t_ps": e.t_ps, "peripheral": e.peripheral, "register": e.register,
             "access": e.access, "detail": e.detail}
            for e in trace.of(Gap)
        ],
    }  # fmt: skip


def result_data(result: Result, files: Mapping[str, bytes] | None = None) -> Data:
    """A generated firmware and its proof; ``files`` are those beside the report."""
    data: Data = {
        "fwgen_report": VERSION,
        "prompt": result.reading.prompt,
        "model": result.model,
        "attempts": result.attempts,
        "understood": list(result.reading.understood),
        "assumed": list(result.reading.assumed),
        "plan": result.emission.plan,
    }
    data |= proof_data(result.proof)
    if files is not None:
        data["files"] = {
            name: {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
            for name, content in sorted(files.items())
        }
    return data


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


def _finding(finding: Finding) -> Data:
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
