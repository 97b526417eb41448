"""``fwgen verify``: any firmware against any contract."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fwgen.cli.options import BoardOption, CyclesOption, ImageArgument, JsonOption, the_board
from fwgen.cli.output import put_json, screen
from fwgen.cli.plugged import ProbeOption
from fwgen.cli.rigs import ForceOption, RigNameOption, check_rig, confirmed_on

if TYPE_CHECKING:
    from fwgen.pipeline import Proof


def verify(
    image: ImageArgument,
    *,
    contract: Annotated[Path, typer.Option("--contract", "-c", help="Contract (TOML).")],
    board: BoardOption = "",
    rig: RigNameOption = "",
    probe: ProbeOption = "",
    force: ForceOption = False,
    cycles: CyclesOption = None,
    as_json: JsonOption = False,
    vcd: Annotated[
        Path | None, typer.Option("--vcd", help="Also write what was seen as a VCD file.")
    ] = None,
    trace: Annotated[
        Path | None, typer.Option("--trace", help="Also write what was seen as JSON Lines.")
    ] = None,
) -> int:
    """Prove a firmware (ours or a compiler's) against a contract.

    With --cycles the machine runs once, with these cycle counts alone. With --rig it is flashed
    and checked there, too, unless it has failed in the machine.
    Exit codes: 0 pass, 1 fail, 2 error, 3 unsure.
    """
    from fwgen.pipeline import verify as prove_it
    from fwgen.verdict import Outcome

    the = the_board(board)
    wanted = bool(rig or probe)
    check_rig(the, rig)
    proof = prove_it(image, the, contract, cycles=cycles.value if cycles is not None else None)
    _write(proof, vcd, trace)
    on_rig = wanted and proof.verdict.outcome is not Outcome.FAIL
    if as_json:
        from fwgen.report.data import confirmed_data, proof_data

        if on_rig:
            confirmed = confirmed_on(proof, rig, probe=probe, force=force)
            _write(confirmed.rig, _of_rig(vcd), _of_rig(trace))
            put_json(confirmed_data(confirmed))
            return confirmed.outcome.exit_code
        put_json(proof_data(proof))
        return proof.verdict.exit_code
    from fwgen.report import console as show

    console = screen()
    console.print()
    show.show_contract(console, proof.contract, the)
    show.show_image(console, proof)
    show.show_verdict(console, proof)
    console.print()
    if on_rig:
        from fwgen.report.rig import show_confirmed

        confirmed = confirmed_on(proof, rig, probe=probe, force=force, console=console)
        _write(confirmed.rig, _of_rig(vcd), _of_rig(trace))
        show_confirmed(console, confirmed)
        console.print()
        return confirmed.outcome.exit_code
    if wanted:
        console.print(" [dim]not flashed: it failed in the machine[/]\n")
    return proof.verdict.exit_code


def _write(proof: Proof, vcd: Path | None, trace: Path | None) -> None:
    """What a bench saw, where it was asked for."""
    if vcd is None and trace is None:
        return
    from fwgen.image.write import write_atomic
    from fwgen.trace import dump_trace, dump_vcd

    if vcd is not None:
        write_atomic(vcd, dump_vcd(proof.trace, proof.board).encode())
    if trace is not None:
        write_atomic(trace, dump_trace(proof.trace).encode())


def _of_rig(path: Path | None) -> Path | None:
    """Where the rig's trace goes beside the machine's: "x.vcd" and "x.rig.vcd"."""
    return path and path.with_suffix(f".rig{path.suffix}")
