"""What each tool answers, in data and in words; and what it answers to nonsense."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fwgen.board import load_board
from fwgen.mcp_server.server import TOOLS, make_server
from fwgen.mcp_server.workshop import Settings
from tests.cli.firmware import hex_of

from .conftest import BLINK, BOARD, contract_of, data_of, emission_of, here, text_of

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.anyio
QUIET = 'span = "50 ms"\n[[expect]]\nquiet = true\n'


async def test_every_tool_says_what_it_does_and_whether_it_changes_anything(tmp_path: Path) -> None:
    async with here(tmp_path) as client:
        tools = (await client.list_tools()).tools
    assert {tool.name for tool in tools} == {function.__name__ for function, _, _ in TOOLS}
    writes = set()
    for tool in tools:
        hints = tool.annotations
        assert tool.description
        assert tool.output_schema is not None
        assert hints is not None
        assert None not in (hints.read_only_hint, hints.idempotent_hint, hints.open_world_hint)
        if not hints.read_only_hint:
            writes.add((tool.name, hints.destructive_hint))
        for schema in (tool.input_schema, tool.output_schema):
            jsonschema.Draft202012Validator.check_schema(schema)
    assert writes == {("save", False), ("flash", True), ("restore", True)}


async def test_what_the_server_fills_in_is_no_argument_of_an_agent(tmp_path: Path) -> None:
    async with here(tmp_path) as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
    for name, tool in tools.items():
        asked = set(tool.input_schema.get("properties", {}))
        assert not asked & {"ctx", "roots", "answer", "prepared"}, name
    assert {"force", "check", "contract"} <= set(tools["flash"].input_schema["properties"])


async def test_what_is_listed_costs_an_agent_little(tmp_path: Path) -> None:
    async with here(tmp_path) as client:
        tools = (await client.list_tools()).tools
    shown = [{"n": t.name, "d": t.description, "i": t.input_schema} for t in tools]
    assert len(json.dumps(shown)) < 16_000  # characters: some 4000 tokens
    assert '"title"' not in json.dumps(shown)


async def test_a_board_is_told_in_short(tmp_path: Path) -> None:
    async with here(tmp_path) as client:
        boards = data_of(await client.call_tool("list_boards", {}))
        facts = data_of(await client.call_tool("board_facts", {"board": BOARD, "pins": ["D7"]}))
    assert BOARD in [board["name"] for board in boards["boards"]]
    assert "LD2: led on PA5" in facts["facts"]
    assert "USART2" in facts["modelled"]
    assert "I2C1" in facts["modelled"]
    assert "ETM" in facts["not_modelled"]
    assert facts["headers"]["Arduino"]["D7"] == "PA8"
    assert [pin["name"] for pin in facts["pins"]] == ["PA8"]
    assert "TIM1_CH1 (AF1)" in facts["pins"][0]["functions"]


async def test_registers_are_found_by_name_and_by_address(tmp_path: Path) -> None:
    async with here(tmp_path) as client:

        async def registers(**which: str) -> dict[str, Any]:
            return data_of(await client.call_tool("registers", {"board": BOARD, **which}))

        whole = await registers(peripheral="usart2")
        by_name = await registers(peripheral="GPIOA", register="GPIOA_ODR")
        by_address = await registers(address="0x4002_0014")
    assert by_name["registers"] == by_address["registers"]
    assert by_name["registers"][0]["address"] == "0x40020014"
    assert by_name["registers"][0]["fields"] == {"ODR0..15": "1 bit each from 0"}
    sr = whole["registers"][0]
    assert (sr["name"], sr["reset"], sr["fields"]["TC"]) == ("SR", "0xc0", "6 rc_w0")
    assert whole["clock_enable"] == "RCC_APB1ENR bit 17"
    assert whole["interrupts"] == {"global": 38}


async def test_no_field_of_a_register_is_lost_when_they_are_folded() -> None:
    from fwgen.board.registers import known_register_maps, load_register_map
    from fwgen.mcp_server.facts import _folded

    for name in known_register_maps():
        for register in load_register_map(name).registers.values():
            fields = sorted(register.fields.values(), key=lambda f: f.lsb)
            told: dict[str, tuple[int, int]] = {}
            for key, bits in _folded(fields):
                if ".." in key:
                    first, last = key.split("..")
                    stem = first.rstrip("0123456789")
                    low, count = int(first[len(stem) :]), int(last)
                    width, start = int(bits.split()[0]), int(bits.split(" from ")[1].split()[0])
                    for n in range(low, count + 1):
                        told[f"{stem}{n}"] = (start + (n - low) * width, width)
                else:
                    high, _, lsb = bits.split()[0].partition(":")
                    told[key] = (int(lsb or high), int(high) - int(lsb or high) + 1)
            assert told == {f.name: (f.lsb, f.width) for f in fields}, (name, register.name)


async def test_hex_is_held_against_the_assembly(tmp_path: Path) -> None:
    lines = [
        "movs r0, #1", "movs r0, #1 ; 2001", "movs r0, #1 ; 2002", "x: b x ; e000 ; J11 x",
        "bl putc ; f000 d000 ; CALL putc", "frobnicate r0", "movs r0, #1 ; zz",
    ]  # fmt: skip
    async with here(tmp_path) as client:
        told = data_of(await client.call_tool("encode", {"lines": lines}))["lines"]
    assert [line["hex"] for line in told][:5] == ["2001", "2001", "2002", "e000", "f000 d000"]
    assert [bool(line["wrong"]) for line in told] == [
        False, False, True, False, False, True, True,
    ]  # fmt: skip
    assert "movs r0, #2" in told[2]["wrong"]


async def test_what_is_encoded_is_decoded_again(tmp_path: Path) -> None:
    async with here(tmp_path) as client:
        told = data_of(await client.call_tool("decode", {"code": "0x2001 f000 f801 e7fe"}))
        odd = await client.call_tool("decode", {"code": "200"})
    assert [line["asm"] for line in told["lines"]] == [
        "movs r0, #1", "bl #0x8000008", "b #0x8000006",
    ]  # fmt: skip
    assert odd.is_error
    assert "hex" in text_of(odd)


async def test_a_sentence_becomes_a_contract_or_its_words_are_named(tmp_path: Path) -> None:
    async with here(tmp_path) as client:
        read = data_of(
            await client.call_tool("contract_from_prompt", {"prompt": BLINK, "board": BOARD})
        )
        says = data_of(
            await client.call_tool("check_contract", {"contract": read["contract"], "board": BOARD})
        )
        strange = await client.call_tool(
            "contract_from_prompt", {"prompt": "blink LED at 2Hz and brew coffee", "board": BOARD}
        )
    assert read["understood"] == ["LD2 blinks at 2 Hz: 250 ms on, 250 ms off"]
    assert read["says"] == says["says"]
    assert strange.is_error
    assert "coffee" in text_of(strange)
    assert "hint: " in text_of(strange)


async def test_what_is_wrong_with_a_contract_is_told_by_its_place(tmp_path: Path) -> None:
    wrong = '[[expect]]\nquiet = true\n[[expect]]\nblinks = "LD3"\nrate = "2 Hz"\n'
    async with here(tmp_path) as client:
        told = await client.call_tool("check_contract", {"contract": wrong, "board": BOARD})
        torn = await client.call_tool("check_contract", {"contract": "[[expect\n", "board": BOARD})
    assert told.is_error
    assert "expect[2].blinks" in text_of(told)
    assert "LD2" in text_of(told)
    assert "line 1" in text_of(torn)


async def test_the_guide_holds_what_a_remote_model_is_told(tmp_path: Path) -> None:
    from fwgen.contract import load_contract
    from fwgen.model.protocol import Reading
    from fwgen.model.remote.emissions import prompt_of

    board = load_board(BOARD)
    asked = load_contract(contract_of(), board)
    async with here(tmp_path) as client:
        told = data_of(
            await client.call_tool("emission_guide", {"board": BOARD, "contract": contract_of()})
        )
    system, task = prompt_of(Reading(BLINK, (), asked, board))
    assert told["guide"] == f"{system}\n\n{task}"


async def test_verify_tells_the_verdict_and_a_firmware_to_go_on_with(tmp_path: Path) -> None:
    asked = {"board": BOARD, "contract": contract_of()}
    async with here(tmp_path) as client:
        result = await client.call_tool("verify", {**asked, "emission": emission_of()})
        told = data_of(result)
        again = data_of(await client.call_tool("verify", {**asked, "image": told["image"]}))
        seen = data_of(
            await client.call_tool("read_trace", {"trace": told["trace"], "subjects": ["LD2"]})
        )
        shown = data_of(
            await client.call_tool("explain", {"board": BOARD, "image": told["image"], "limit": 12})
        )
    assert told["outcome"] == again["outcome"] == "pass"
    assert text_of(result).startswith("PASS; fw-")
    assert {claim["outcome"] for claim in told["claims"]} == {"pass"}
    assert told["evidence"] == ""
    assert all("PA5 (LD2)" in line for line in seen["lines"])
    assert shown["next_offset"] == 12
    assert "vector table" in "\n".join(shown["lines"])


async def test_what_departs_comes_back_with_evidence_and_is_mended_by_what_changes(
    tmp_path: Path,
) -> None:
    asked = {"board": BOARD, "contract": contract_of()}
    slow = emission_of("blink LED at 1Hz")
    right = {unit["label"]: unit for unit in emission_of()["units"]}
    changed = [unit for unit in right.values() if unit not in slow["units"]]
    gone = [
        {**unit, "lines": []} for unit in slow["units"] if unit["label"] not in right
    ]  # fmt: skip
    assert 0 < len(changed) < len(right)
    async with here(tmp_path) as client:
        first = data_of(await client.call_tool("verify", {**asked, "emission": slow}))
        mend = {"plan": "the right length", "units": changed + gone, "vectors": []}
        second = data_of(
            await client.call_tool(
                "verify", {**asked, "emission": mend, "mends": first["emission"]}
            )
        )
    assert first["outcome"] == "fail"
    assert "First departure at" in first["evidence"]
    assert "the core is" in first["evidence"]
    assert "it blinks at 1 Hz" in first["first_departure"]
    assert second["outcome"] == "pass"


async def test_bytes_that_are_not_what_their_assembly_says_never_run(tmp_path: Path) -> None:
    emission = emission_of()
    lines = emission["units"][0]["lines"]
    at = next(n for n, line in enumerate(lines) if "movs r1, #1 ; 2101" in line)
    lines[at] = lines[at].replace("2101", "2102")
    asked = {"board": BOARD, "contract": contract_of(), "emission": emission}
    async with here(tmp_path) as client:
        result = await client.call_tool("verify", asked)
    told = data_of(result)
    assert told["outcome"] == "unsound"
    assert told["image"] == ""
    assert f"line {at + 1}" in told["wrong"][0]["where"]
    assert "movs r1, #2" in told["wrong"][0]["message"]
    assert told["emission"] in text_of(result)


@pytest.mark.parametrize(
    ("program", "outcome", "said"),
    [
        ("clock-off", "fail", "HAZARD clock-off"),
        ("overflow", "fail", "FAULT at"),
        ("unmodelled", "unsure", "NOT MODELLED"),
    ],
)
async def test_a_firmware_that_is_not_emitted_here_is_judged_too(
    tmp_path: Path, program: str, outcome: str, said: str
) -> None:
    image = hex_of(program).decode()
    async with here(tmp_path) as client:
        result = await client.call_tool(
            "verify", {"board": BOARD, "contract": QUIET, "image": image}
        )
    assert data_of(result)["outcome"] == outcome
    assert said in text_of(result)


async def test_a_hazard_that_the_contract_accepts_is_told_all_the_same(tmp_path: Path) -> None:
    contract = f'{QUIET}[[accept]]\nhazard = "clock-off"\nbecause = "it is a test"\n'
    asked = {"board": BOARD, "contract": contract, "image": hex_of("clock-off").decode()}
    async with here(tmp_path) as client:
        result = await client.call_tool("verify", asked)
    told = data_of(result)
    assert told["outcome"] == "pass"
    assert told["hazards"] == []
    assert told["accepted"][0].startswith("clock-off: ")
    assert "accepted by the contract: clock-off" in text_of(result)


async def test_a_run_shows_what_happens_when_something_is_done(tmp_path: Path) -> None:
    do = [{"send": "hi\n", "at": "10 ms", "to": "console"}, {"press": "B1", "at": "20 ms"}]
    asked = {"board": BOARD, "image": hex_of("echo").decode(), "span": "60 ms", "do": do}
    async with here(tmp_path) as client:
        told = data_of(await client.call_tool("run", asked))
        wrong = await client.call_tool("run", {**asked, "do": [{"press": "B7", "at": "1 ms"}]})
        long = await client.call_tool("run", {**asked, "span": "2 h"})
        rest = data_of(await client.call_tool("read_trace", {"trace": told["trace"], "offset": 1}))
    assert told["says"] == "hi\n"
    assert any("USART2 says b'hi" in line for line in told["lines"])
    assert any("PC13 (B1) pressed" in line for line in told["lines"])
    assert rest["lines"] == told["lines"][1:]
    assert wrong.is_error
    assert "do[1].press" in text_of(wrong)
    assert long.is_error


ARM = {"kind": "servo", "signal": "D9"}
POINTS = """
[parts.ARM]
kind = "servo"
signal = "D9"
[[expect]]
shows = { part = "ARM", angle = "90°" }
until = "300 ms"
[[expect]]
quiet = true
but = ["ARM"]
"""


async def test_firmware_is_judged_with_the_parts_of_its_contract(tmp_path: Path) -> None:
    asked = {"board": BOARD, "contract": POINTS}
    right, wrong = (emission_of(f"pulse D9 for {us} us every 20 ms") for us in (1500, 1800))
    async with here(tmp_path) as client:
        says = data_of(await client.call_tool("check_contract", asked))
        guide = text_of(await client.call_tool("emission_guide", asked))
        passed = data_of(await client.call_tool("verify", {**asked, "emission": right}))
        failed = data_of(await client.call_tool("verify", {**asked, "emission": wrong}))
        seen = data_of(
            await client.call_tool("read_trace", {"trace": failed["trace"], "subjects": ["ARM"]})
        )
        nowhere = {**asked, "contract": POINTS.replace("D9", "D99"), "emission": right}
        refused = await client.call_tool("verify", nowhere)
    assert says["says"][0] == "ARM is wired: a servo motor, signal at PC7 (D9)"
    assert "ARM: servo, servo motor: signal PC7;" in guide
    assert passed["outcome"] == "pass"
    assert failed["outcome"] == "fail"
    assert "ARM shows angle 144.0" in failed["evidence"]
    assert any("ARM shows angle 144.0" in line for line in seen["lines"])
    assert any("PC7 (ARM.signal)" in line for line in seen["lines"])
    assert refused.is_error
    assert "parts.ARM.signal" in text_of(refused)


async def test_a_run_has_the_parts_that_it_is_given(tmp_path: Path) -> None:
    made = emission_of("pulse D9 for 1500 us every 20 ms")
    async with here(tmp_path) as client:
        proof = data_of(
            await client.call_tool(
                "verify", {"board": BOARD, "contract": QUIET, "emission": made}
            )
        )  # fmt: skip
        asked = {"board": BOARD, "image": proof["image"], "span": "50 ms"}
        bare = data_of(await client.call_tool("run", asked))
        told = data_of(await client.call_tool("run", {**asked, "parts": {"ARM": ARM}}))
        kind = {**ARM, "kind": "servos"}
        wrong = await client.call_tool("run", {**asked, "parts": {"ARM": kind}})
    assert not any("ARM" in line for line in bare["lines"])
    assert any("ARM shows angle 90" in line for line in told["lines"])
    assert told["trace"] != bare["trace"]
    assert wrong.is_error
    assert "did you mean servo" in text_of(wrong)


async def test_a_long_trace_comes_in_pages(tmp_path: Path) -> None:
    do = [
        {"send": "ab", "at": f"{at} ms", "to": "console"} for at in range(1, 40)
    ]  # fmt: skip
    asked = {
        "board": BOARD,
        "image": hex_of("echo").decode(),
        "span": "50 ms",
        "do": do,
        "limit": 5,
    }
    async with here(tmp_path) as client:
        told = data_of(await client.call_tool("run", asked))
        lines, at = [], 0
        while at is not None:
            part = data_of(
                await client.call_tool(
                    "read_trace", {"trace": told["trace"], "offset": at, "limit": 7}
                )
            )
            lines += part["lines"]
            at = part["next_offset"]
        window = data_of(
            await client.call_tool(
                "read_trace", {"trace": told["trace"], "start": "10 ms", "stop": "12 ms"}
            )
        )
    assert len(told["lines"]) == 5
    assert len(lines) == told["total"] == part["total"]
    assert 0 < window["total"] < told["total"]


@pytest.mark.parametrize("name", ["fw-000000000000", "nothing.hex", ":00", "", "fw-x"])
async def test_a_firmware_that_there_is_not_is_an_error_in_words(tmp_path: Path, name: str) -> None:
    async with here(tmp_path) as client:
        result = await client.call_tool("explain", {"board": BOARD, "image": name})
    assert result.is_error
    assert len(text_of(result)) > len("Error executing tool explain: ")


async def test_resources_and_prompts_are_there(tmp_path: Path) -> None:
    async with here(tmp_path) as client:
        listed = {str(one.uri) for one in (await client.list_resources()).resources}
        for uri in listed:
            assert (await client.read_resource(uri)).contents[0].text  # type: ignore[union-attr]
        page = await client.read_resource(f"fwgen://registers/{BOARD}/TIM2")
        chip = await client.read_resource("fwgen://chips/stm32f401re")
        prompts = (await client.list_prompts()).prompts
        said = await client.get_prompt("make_firmware", {"board": BOARD, "what": BLINK})
        templates = (await client.list_resource_templates()).resource_templates
    assert {f"fwgen://boards/{BOARD}", "fwgen://docs/contracts", "fwgen://examples/blink"} <= listed
    assert "CCMR1" in page.contents[0].text  # type: ignore[union-attr]
    assert "[peripherals" in chip.contents[0].text  # type: ignore[union-attr]
    assert {prompt.name for prompt in prompts} == {"make_firmware", "prove_firmware"}
    assert BLINK in said.messages[0].content.text  # type: ignore[union-attr]
    assert len(templates) == 2


async def test_every_tool_that_a_prompt_names_is_there(tmp_path: Path) -> None:
    import re

    from fwgen.mcp_server.prompts import MAKE, PROVE
    from fwgen.mcp_server.server import INSTRUCTIONS

    names = {function.__name__ for function, _, _ in TOOLS}
    said = set(re.findall(r"\b([a-z]+_[a-z_]+)\b", f"{MAKE} {PROVE} {INSTRUCTIONS}"))
    assert said <= names, said - names
    assert set(re.findall(r"\b([a-z_]+)\(", f"{MAKE} {PROVE}")) <= names


async def test_a_resource_that_there_is_not_is_told_with_what_there_is(tmp_path: Path) -> None:
    from mcp import MCPError

    async with here(tmp_path) as client:
        for uri, said in (
            (f"fwgen://registers/{BOARD}/GPIOQ", "did you mean GPIO"),
            ("fwgen://chips/stm32f400", "stm32f401re"),
            ("fwgen://examples/nothing", "Unknown resource"),
        ):
            with pytest.raises(MCPError, match=said):
                await client.read_resource(uri)


async def test_arguments_complete(tmp_path: Path) -> None:
    from mcp_types import PromptReference, ResourceTemplateReference

    registers = ResourceTemplateReference(uri="fwgen://registers/{board}/{peripheral}")
    async with here(tmp_path) as client:
        boards = await client.complete(
            PromptReference(name="make_firmware"), {"name": "board", "value": "nuc"}
        )
        found = await client.complete(
            registers, {"name": "peripheral", "value": "usart"}, {"board": BOARD}
        )
    assert BOARD in boards.completion.values
    assert found.completion.values == ["USART2", "USART1", "USART6"]


# ---------------------------------------------------------------------------- nonsense

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=12),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3)
    ),
    max_leaves=6,
)
_TEXTS = st.text(max_size=40) | st.sampled_from(
    [
        "fw-",
        "../../etc/passwd",
        "/dev/zero",
        "\0",
        ":00000001FF",
        "a = [",
        "=",
        "LD2",
        BOARD,
        "1e99 s",
    ]
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
async def test_nothing_that_an_agent_sends_is_more_than_an_error_in_words(
    tmp_path: Path, data: st.DataObject
) -> None:
    quick = [
        function for function, _, hints in TOOLS
        if hints.read_only_hint and not hints.open_world_hint
    ]  # fmt: skip
    function = data.draw(st.sampled_from(quick))
    server = make_server(Settings(tmp_path))
    schema = server.tool_named(function.__name__).parameters["properties"]
    arguments = {
        name: BOARD if name == "board" and data.draw(st.booleans()) else data.draw(_TEXTS | _JSON)
        for name in schema
        if data.draw(st.integers(0, 4))
    }
    from mcp import Client

    async with Client(server) as client:
        result = await client.call_tool(function.__name__, arguments)
    # The bare sentence is what the SDK says of an exception that nobody meant.
    assert text_of(result) != f"Error executing tool {function.__name__}", arguments


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    units=st.lists(
        st.fixed_dictionaries(
            {
                "label": st.sampled_from(["reset", "k", "", "a b", "é"]) | st.text(max_size=6),
                "kind": st.sampled_from(["code", "words", "bytes", "zero", "block"]),
                "lines": st.lists(
                    st.sampled_from(
                        [
                            "nop ; bf00",
                            "b reset ; e000 ; J11 reset",
                            "1",
                            "GPIOA",
                            '"hi"',
                            "wait.ms",
                        ]
                    )
                    | st.text(max_size=20),
                    max_size=4,
                ),
            }
        ),
        max_size=4,
    ),
    vectors=st.lists(st.sampled_from(["Reset=reset", "15=k", "x"]), max_size=2),
)
async def test_no_emission_brings_the_server_down(
    tmp_path: Path, units: list[dict[str, Any]], vectors: list[str]
) -> None:
    emission = {"plan": "", "units": units, "vectors": vectors}
    async with here(tmp_path) as client:
        result = await client.call_tool(
            "verify", {"board": BOARD, "contract": QUIET, "emission": emission}
        )
    assert data_of(result)["outcome"] in ("unsound", "pass", "fail", "unsure")
