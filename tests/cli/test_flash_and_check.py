"""``--flash --rig``: after the machine's PASS, flashed, watched, judged by the same contract."""

from __future__ import annotations

from pathlib import Path

import pytest

from fwgen.board import load_board
from fwgen.cli.rigs import opened
from fwgen.contract import load_contract
from fwgen.image.load import load_image
from fwgen.pipeline import confirm, prove
from fwgen.verdict import Outcome

EXAMPLES = Path(__file__).parents[2] / "examples"
BOARD = load_board("nucleo-f401")


@pytest.fixture(autouse=True)
def data_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("FWGEN_DATA", str(tmp_path / "data"))


@pytest.mark.parametrize("name", sorted(p.name for p in EXAMPLES.iterdir() if p.is_dir()))
def test_every_example_has_the_same_verdict_on_the_virtual_rig(name) -> None:
    image = load_image(EXAMPLES / name / "firmware.hex", BOARD)
    contract = load_contract(EXAMPLES / name / "contract.toml", BOARD)
    proof = prove(image, BOARD, contract)
    with opened(BOARD, "virtual", contract) as rig:
        confirmed = confirm(proof, rig)
    for claim in confirmed.claims:
        if claim.machine is not None and claim.rig is not None and claim.rig.about != "hazards":
            assert claim.rig.outcome is claim.machine.outcome, claim.rig.text
    assert confirmed.outcome is proof.verdict.outcome is Outcome.PASS
    assert not confirmed.differences
