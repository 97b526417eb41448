"""Each proven block does what the model is told that it does, alone, in the machine."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from fwgen import pipeline
from fwgen.board import load_board
from fwgen.contract import Contract, load_contract
from fwgen.image.emission import PROVEN, Emission
from fwgen.image.link import link
from fwgen.image.problems import UnsoundEmissionError
from fwgen.image.wire import SCHEMA, parse_emission
from fwgen.model.remote.blocks import (
    aligned,
    blocks_of,
    offer,
    put_in,
    schema_with_blocks,
    taken_apart,
)
from fwgen.model.remote.model import Options, RemoteModel
from fwgen.model.remote.settings import change_settings
from fwgen.model.remote.system import needs_of, system_prompt
from fwgen.model.remote.tokens import count_tokens
from fwgen.thumb import encode, manual

from .brain import BOARD, contract_answer
from .server import chat, serving

QUIET = '[[expect]]\nquiet = true\nbut = ["console"]\n'
HEAD = 'title = "blocks"\nboard = "nucleo-f401"\n'


def firmware(main: list[str], blocks: dict[str, str], **units: list[str]) -> dict[str, Any]:
    """An answer: "asm [@ REL symbol]" lines of main, blocks by label, further units."""
    lines = []
    for text in main:
        asm, _, rel = text.partition("@")
        head, colon, rest = asm.partition(":")
        bare = (rest if colon else asm).strip()
        label = f"{head.strip()}: " if colon else ""
        lines.append(
            f"{label}{bare} ; {manual(encode(bare))}" + (f" ; {rel.strip()}" if rel else "")
        )
    made = [{"label": "main", "kind": "code", "lines": lines}]
    for label, words in units.items():
        made.append({"label": label, "kind": words[0], "lines": words[1:]})
    made += [{"label": label, "kind": "block", "lines": [name]} for label, name in blocks.items()]
    return {"plan": "", "units": made, "vectors": ["Reset=main"]}


def whole(data: dict[str, Any]) -> Emission:
    own, blocks = taken_apart(data)
    return put_in(aligned(parse_emission(json.dumps(own))), blocks, BOARD)


def proven(data: dict[str, Any], contract: str) -> pipeline.Proof:
    asked: Contract = load_contract(HEAD + contract, BOARD)
    return pipeline.prove(link(whole(data), BOARD), BOARD, asked)


def seen(proof: pipeline.Proof) -> list[str]:
    return [f.text for f in proof.verdict.all if f.outcome.exit_code]


SPEAK = {"init": "console.init", "puts": "console.puts", "putu": "console.putu",
         "putc": "console.putc", "wait": "wait.ms"}  # fmt: skip


@pytest.mark.parametrize("number", [0, 7, 10, 909, 4095, 65536, 1000000000, 4294967295])
def test_a_number_is_said_in_decimal(number: int) -> None:
    data = firmware(
        ["bl init @CALL init", "adr r0, text @PC8 text", "bl puts @CALL puts",
         "ldr r0, value @PC8 value", "bl putu @CALL putu", "movs r0, #10", "bl putc @CALL putc",
         "idle: wfi", "b idle @J11 idle"],
        SPEAK, text=["bytes", '"n ="', "20 00"], value=["words", str(number)],
    )  # fmt: skip
    proof = proven(data, f'[[expect]]\nsays = "n = {number}"\ntimes = 1\n{QUIET}')
    assert proof.passed, seen(proof)


def test_waiting_takes_its_time_and_sleeps() -> None:
    data = firmware(
        ["bl init @CALL init", "movs r4, #0", "again: adds r4, #1", "movs r0, r4",
         "bl putu @CALL putu", "movs r0, #10", "bl putc @CALL putc", "movs r0, #250",
         "bl wait @CALL wait", "b again @J11 again"],
        SPEAK,
    )  # fmt: skip
    proof = proven(
        data,
        '[[expect]]\nsays = "{n}"\nevery = "250 ms ± 1 %"\nnumbers.n = { first = 1, step = 1 }\n'
        '[[expect]]\nasleep = "99 %"\n[[expect]]\nquiet = true\nbut = ["console"]\n',
    )
    assert proof.passed, seen(proof)


def test_waiting_no_time_returns() -> None:
    data = firmware(
        ["bl init @CALL init", "movs r0, #0", "bl wait @CALL wait", "adr r0, text @PC8 text",
         "bl puts @CALL puts", "idle: wfi", "b idle @J11 idle"],
        SPEAK, text=["bytes", '"up\\n"', "00"],
    )  # fmt: skip
    assert proven(data, '[[expect]]\nsays = "up"\ntimes = 1\nfirst_by = "5 ms"\n').passed


def test_what_is_heard_is_returned() -> None:
    data = firmware(
        ["bl init @CALL init", "loop: bl getc @CALL getc", "bl putc @CALL putc",
         "b loop @J11 loop"],
        {**SPEAK, "getc": "console.getc"},
    )  # fmt: skip
    sent = '[[do]]\nsend = "ping\\r\\n"\nat = "20 ms"\n'
    said = '[[expect]]\nsays = "ping"\ntimes = 1\nfirst_by = "30 ms"\n'
    proof = proven(data, f"{sent}{said}{QUIET}")
    assert proof.passed, seen(proof)


def test_registers_that_a_block_may_not_change_are_kept() -> None:
    keep = [f"movs r{n}, #{40 + n}" for n in range(4, 8)]
    check = [line for n in range(4, 8) for line in (f"cmp r{n}, #{40 + n}", "bne bad @J8 bad")]
    data = firmware(
        [*keep, "bl init @CALL init", "movs r0, #99", "bl putu @CALL putu", "movs r0, #1",
         "bl wait @CALL wait", *check, "adr r0, good @PC8 good", "bl puts @CALL puts",
         "bad: wfi", "b bad @J11 bad"],
        SPEAK, good=["bytes", '" kept\\n"', "00"],
    )  # fmt: skip
    assert proven(data, '[[expect]]\nsays = "99 kept"\ntimes = 1\n').passed


def test_every_block_is_offered_and_small() -> None:
    text = offer(BOARD)
    assert set(blocks_of(BOARD)) == {
        "console.init", "console.putc", "console.puts", "console.putu", "console.getc", "wait.ms",
    }  # fmt: skip
    assert all(f"\n{name}: " in text for name in blocks_of(BOARD))
    assert count_tokens(text) < 250


def test_a_board_without_a_console_is_offered_no_console() -> None:
    bare = replace(load_board("nucleo-f401"), console=None)
    assert set(blocks_of(bare)) == {"wait.ms"}


def test_an_unknown_block_is_refused_by_name() -> None:
    with pytest.raises(UnsoundEmissionError, match=r"no block 'console\.put'") as told:
        whole(firmware(["b x @J11 x"], {"x": "console.put"}))
    assert "did you mean" in (told.value.hint or "")


def test_the_schema_with_blocks_is_flat_and_the_other_is_as_it_was() -> None:
    with_blocks = schema_with_blocks()["properties"]["units"]["items"]["properties"]["kind"]
    without = SCHEMA["properties"]["units"]["items"]["properties"]["kind"]
    assert with_blocks["enum"] == [*without["enum"], "block"]


def test_blocks_are_offered_only_where_they_help() -> None:
    speaking = pipeline.read('print "hi" every second', BOARD)
    needs = needs_of(speaking.prompt, speaking.contract, BOARD)
    assert "console.puts" in system_prompt(BOARD, needs, blocks=True)
    assert "console.puts" not in system_prompt(BOARD, needs)
    silent = pipeline.read("blink LED at 2 Hz", BOARD)
    needs = needs_of(silent.prompt, silent.contract, BOARD)
    assert system_prompt(BOARD, needs, blocks=True) == system_prompt(BOARD, needs)


def test_a_model_may_name_blocks_unless_it_must_be_pure() -> None:
    prompt = 'print "hi" every second'
    answer = firmware(
        ["bl init @CALL init", "again: adr r0, text @PC8 text", "bl puts @CALL puts",
         "ldr r0, pause @PC8 pause", "bl wait @CALL wait", "b again @J11 again"],
        SPEAK, text=["bytes", '"hi\\r\\n"', "00"], pause=["words", "1000 - 1"],
    )  # fmt: skip
    contract = json.loads(contract_answer(pipeline.read(prompt, BOARD).contract))
    change_settings({"providers.lab.base_url": "http://x"})
    results = []
    for pure in (False, True):
        with serving(chat(json.dumps(contract)), chat(json.dumps(answer))) as server:
            change_settings({"providers.lab.base_url": server.url})
            model = RemoteModel.named("lab/m")
            model.options = Options(pure=pure)
            if pure:
                with pytest.raises(UnsoundEmissionError, match="'block' is not a kind"):
                    pipeline.generate(prompt, BOARD, model=model, attempts=1)
            else:
                results.append(pipeline.generate(prompt, BOARD, model=model))
            model.close()
            kinds = str(server.bodies[1]["response_format"])
            assert ("'block'" in kinds) != pure
    assert results[0].passed, seen(results[0].proof)
    named = [u.purpose for u in results[0].emission.units if u.purpose.startswith(PROVEN)]
    assert len(named) == len(SPEAK)
