"""``fwgen verify``: any firmware against any contract."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fwgen.cli.options import BoardOption, ImageArgument, JsonOption, the_board
from fwgen.cli.output import put_json, screen


def verify(
    image: ImageArgument,
    *,
    contract: Annotated[Path, typer.Option("--contract", "-c", help="Contract (TOML).")],
    board: BoardOption = "",
    as_json: JsonOption = False,
    vcd: Annotated[
        Path | None, typer.Option("--vcd", help="Also write what was seen as a VCD file.")
    ] = None,
    trace: Annotated[
        Path | None, typer.Option("--trace", help="Also write what was seen as JSON Lines.")
    ] = None,
) -> int:
    """Prove a firmware (ours or a compiler's) against a contract.

    Exit codes: 0 pass, 1 fail, 2 error, 3 unsure.
    """
    from fwgen.pipeline import verify as prove_it

    the = the_board(board)
    proof = prove_it(image, the, contract)
    if vcd is not None or trace is not None:
        from fwgen.image.write import write_atomic
        from fwgen.trace import dump_trace, dump_vcd

        if vcd is not None:
            write_atomic(vcd, dump_vcd(proof.trace, the).encode())
        if trace is not None:
            write_atomic(trace, dump_trace(proof.trace).encode())
    if as_json:
        from fwgen.report.data import proof_data

        put_json(proof_data(proof))
        return proof.verdict.exit_code
    from fwgen.report import console as show

    console = screen()
    console.print()
    show.show_contract(console, proof.contract, the)
    show.show_image(console, proof)
    show.show_verdict(console, proof)
    console.print()
    return proof.verdict.exit_code
