"""Parts wired to outputs of parts: found, checked, and refused where two would drive."""

from __future__ import annotations

import pytest

from fwgen.board import load_board
from fwgen.contract import dump_contract, load_contract
from fwgen.contract.subjects import on_bench
from fwgen.errors import ContractError

BOARD = load_board("nucleo-f401")
SR = '[parts.SR]\nkind = "74hc595"\ndata = "D2"\nclock = "D3"\nlatch = "D4"\n'
SPOT = '[parts.SPOT]\nkind = "led"\npin = "SR.QA"\nlit = "high"\n'
EXPECT = '[[expect]]\nlevel = "LD2"\nis = "off"\n'


def test_a_part_stands_on_the_output_of_another_wherever_that_is_written() -> None:
    for text in (SR + SPOT, SPOT + SR):
        contract = load_contract(text + '[[expect]]\nlevel = "SPOT"\nis = "on"\n', BOARD)
        assert load_contract(dump_contract(contract, BOARD), BOARD) == contract
        board = on_bench(BOARD, contract)
        assert board.wired_outputs == ("SR.QA",)
        pin = board.find_pin("spot")
        assert pin is not None
        assert pin.name == "SR.QA"
        assert board.find_pin("sr.qa") == pin
        assert board.find_pin("SR.QB") is None


def test_several_chips_have_outputs_with_numbers() -> None:
    text = SR + "chips = 2\n" + SPOT.replace("SR.QA", "sr.qh2")
    contract = load_contract(text + EXPECT, BOARD)
    assert contract.parts[0].pin == "SR.QH2"
    with pytest.raises(ContractError, match="SR has no output 'QH2'"):
        load_contract(SR + SPOT.replace("SR.QA", "SR.QH2") + EXPECT, BOARD)


SECOND = SR.replace("parts.SR", "parts.S2")
BUTTON = '[parts.B]\nkind = "button"\npin = "SR.QA"\npressed = "low"\n'
WIRE = '[parts.W]\nkind = "wire"\npins = ["SR.QA", "SR.QB"]\n'
EXP = '[parts.SR]\nkind = "pcf8574"\nscl = "D15"\nsda = "D14"\n'


@pytest.mark.parametrize(
    ("text", "where", "message"),
    [
        (SR + SPOT.replace("QA", "QI"), "parts.SPOT.pin", "SR has no output 'QI'"),
        (SR + SPOT.replace("SR.", "SPOT."), "parts.SPOT.pin", "no pin 'SPOT.QA'"),
        (SPOT, "parts.SPOT.pin", "no pin 'SR.QA'"),
        (SR.replace('"D2"', '"SR.QA"'), "parts.SR", "itself in a loop"),
        (
            SR.replace('"D2"', '"S2.QH"') + SECOND.replace('"D2"', '"SR.QA"').replace("D3", "D6")
            .replace("D4", "D7"),
            "parts.", "itself in a loop",
        ),
        (SR + BUTTON, "parts.B", "it drives SR.QA, which SR drives, too"),
        (SR + WIRE, "parts.W", "it joins two outputs, SR.QA and SR.QB"),
        (
            SR + '[parts.S]\nkind = "hc-sr04"\ntrig = "SR.QA"\necho = "SR.QB"\n', "parts.S",
            "its echo drives SR.QB, which SR drives, too",
        ),
        (
            SR + '[parts.P]\nkind = "potentiometer"\npin = "SR.QA"\nohm = "10 kohm"\n', "parts.P",
            "gives SR.QA a voltage",
        ),
        (SR + SPOT + BUTTON.replace("QA", "QB"), "parts.B", "it drives SR.QB"),
        (EXP + SPOT.replace("QA", "P0"), "parts.SPOT", "next to no current"),
    ],
)  # fmt: skip
def test_what_cannot_be_wired_is_refused_by_its_place(text: str, where: str, message: str) -> None:
    with pytest.raises(ContractError, match=message) as caught:
        load_contract(text + EXPECT, BOARD)
    assert where in str(caught.value.where)


def test_a_button_may_pull_an_output_that_only_pulls_low() -> None:
    text = EXP + BUTTON.replace("QA", "P3") + EXPECT
    assert load_contract(text, BOARD).parts[0].pin == "SR.P3"
