"""What is kept of a test that failed: firmware, contract, and what either bench saw."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from fwgen.hil.claims import Seen
    from fwgen.pipeline import Confirmed

LONGEST = 100  # of a folder's name


def evidence(confirmed: Confirmed) -> dict[str, bytes]:
    """The files of a firmware that was held against its contract on both benches, by name."""
    from fwgen.contract import dump_contract
    from fwgen.image.write import hex_bytes
    from fwgen.report.data import confirmed_data, to_json
    from fwgen.report.folder import REPORT
    from fwgen.report.rig import rig_files
    from fwgen.trace import dump_trace, dump_vcd

    proof = confirmed.machine
    return {
        "firmware.hex": hex_bytes(proof.image),
        "contract.toml": dump_contract(proof.contract).encode(),
        "trace.jsonl": dump_trace(proof.trace).encode(),
        "trace.vcd": dump_vcd(proof.trace, proof.board).encode(),
        **rig_files(confirmed),
        REPORT: to_json(confirmed_data(confirmed)).encode(),
    }


def keep(asked: Sequence[Seen], test: str, folder: Path) -> Mapping[int, Path]:
    """Save what a failed test was shown: each question that did not pass, or else the last one.

    ``test`` is pytest's id of it, of which the folder below ``folder`` has its name. Gives where
    each question went, counted from 1. Raises OutputError.
    """
    from fwgen.report.folder import save

    chosen = [n for n, seen in enumerate(asked, 1) if _tells(seen)] or [len(asked)]
    name = re.sub(r"[^\w.-]+", "-", test).strip("-")[-LONGEST:].lstrip("-.")
    return {
        n: save(evidence(asked[n - 1].confirmed), folder / name / f"question-{n}") for n in chosen
    }


def _tells(seen: Seen) -> bool:
    return not seen.confirmed.passed or bool(seen.confirmed.differences)
