"""Contracts that wire parts, set voltages and ask for transfers, stated by a remote model."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest

from fwgen import pipeline
from fwgen.board import load_board
from fwgen.board.board_file import PART_KINDS, SENSOR_KINDS
from fwgen.board.modules import known_modules, load_module_kind
from fwgen.contract import Sense, Shows, Transfers, load_contract
from fwgen.contract.subjects import fitted
from fwgen.model import find_model
from fwgen.model.protocol import Reading
from fwgen.model.remote import parts
from fwgen.model.remote.contracts import contract_toml, same_claims, schema, system_prompt
from fwgen.model.remote.emissions import prompt_of
from fwgen.model.remote.model import RemoteModel
from fwgen.model.remote.settings import change_settings
from fwgen.model.remote.tokens import count_tokens
from fwgen.score.task import Task, list_tasks

from .brain import BOARD, Brain, contract_answer, emission_of
from .server import chat, serving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from .server import Server

SERVO = "hold the servo on D9 at 90 degrees"
CENTRE = "pulse D9 for 1500 us every 20 ms"  # how the embedded model is asked for the same
DISCOVERY = load_board("stm32f4-discovery")


def part(name: str, kind: str, *lines: str) -> dict[str, Any]:
    return {"name": name, "kind": kind, "with": list(lines)}


def entry(verb: str, subjects: list[str], *lines: str) -> dict[str, Any]:
    return {"verb": verb, "subjects": subjects, "with": list(lines)}


def answer(
    wired: list[dict[str, Any]],
    expect: list[dict[str, Any]],
    do: list[dict[str, Any]] | None = None,
) -> dict[str, Any]:
    return {
        "understood": ["as asked"], "assumed": [], "refused": "", "title": "parts",
        "parts": wired, "do": do or [], "expect": expect,
    }  # fmt: skip


def servo(angle: str = "90°") -> dict[str, Any]:
    shows = entry("shows", ["ARM"], f'angle = "{angle}"', 'until = "500 ms"')
    return answer(
        [part("ARM", "servo", 'signal = "D9"')], [shows, entry("quiet", ["ARM"])]
    )  # fmt: skip


WIRES = {"rs": "D8", "e": "D9", "d4": "D4", "d5": "D5", "d6": "D6", "d7": "D7"}
LCD = part("LCD", "hd44780", *(f'{key} = "{pin}"' for key, pin in WIRES.items()))
THERMOMETER = answer(
    [part("T1", "ds18b20", 'data = "D2"'), LCD,
     part("EE", "24c256", 'scl = "D15"', 'sda = "D14"', "address = 0x51", 'pull = "up"'),
     part("POT", "potentiometer", 'pin = "A0"', 'ohm = "10 kohm"')],
    [entry("shows", ["LCD"], 'text = "23.5 C"', 'within = "1.2 s"', 'until = "3 s"'),
     entry("transfer", ["I2C1"], "address = 0x51", 'writes = "00 00 17"', "times = 1"),
     entry("says", ["{n}"], 'every = "100 ms"', 'numbers.n = { tracks = "adc12:A0", slack = 9 }'),
     entry("quiet", ["LCD", "T1", "I2C1", "console"])],
    [entry("set", ["T1"], 'at = "0 s"', 'to = "23.5 °C"'),
     entry("ramp", ["POT"], 'at = "0 s"', 'from = "0 %"', 'to = "100 %"', 'over = "2 s"')],
)  # fmt: skip


@pytest.fixture
def lab() -> Iterator[Callable[[Server], RemoteModel]]:
    made: list[RemoteModel] = []

    def at(server: Server) -> RemoteModel:
        change_settings({"providers.lab.base_url": server.url})
        model = find_model("lab/m")
        assert isinstance(model, RemoteModel)
        made.append(model)
        return model

    yield at
    for model in made:
        model.close()


# ---------------------------------------------------------------------------- over the wire


def test_firmware_is_judged_with_the_parts_that_the_contract_wires(
    lab: Callable[[Server], RemoteModel], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = emission_of("pulse D9 for 1800 us every 20 ms")
    brain = Brain(SERVO, [lambda _: other], json.dumps(servo()), emits=CENTRE)
    with serving(brain) as server:
        result = pipeline.generate(SERVO, BOARD, model=lab(server))
    assert result.passed
    assert result.attempts == 2
    assert [module.name for module in result.reading.contract.modules] == ["ARM"]
    (told,) = brain.told
    assert "ARM shows angle 144.0" in told
    assert "PC7 (ARM.signal)" in told
    stated = server.bodies[0]["response_format"]["json_schema"]["schema"]["properties"]["parts"]
    assert "servo" in stated["items"]["properties"]["kind"]["enum"]
    emitting = server.bodies[1]["messages"]
    assert "ARM: servo, servo motor: signal PC7;" in emitting[0]["content"]
    assert "[parts.ARM]" in emitting[1]["content"]

    transcript = tmp_path / "t.jsonl"
    transcript.write_bytes(result.transcript)
    monkeypatch.setattr("socket.socket.connect", None)  # nobody is asked
    again = pipeline.generate(SERVO, BOARD, model=f"replay:{transcript}")
    assert again.passed
    assert again.reading.contract == result.reading.contract
    assert again.proof.image == result.proof.image
    assert again.transcript == result.transcript


def test_what_a_part_should_show_and_does_not_fails(lab: Callable[[Server], RemoteModel]) -> None:
    brain = Brain(SERVO, contract=json.dumps(servo("80°")), emits=CENTRE)
    with serving(brain) as server:
        result = pipeline.generate(SERVO, BOARD, model=lab(server), attempts=1)
    assert not result.passed
    departure = result.proof.verdict.first_departure
    assert departure is not None
    assert "ARM shows the angle 90" in departure.text


def test_a_voltage_is_told_with_where_it_stood(lab: Callable[[Server], RemoteModel]) -> None:
    follows = entry("follows", ["LED"], 'source = "A0"', 'above = "2 V"', 'within = "20 ms"')
    volts = [entry("set", ["A0"], f'at = "{t} s"', f'to = "{v} V"') for t, v in ((0, 1), (1, 3))]
    stated = json.dumps(answer([], [follows, entry("quiet", ["LED"])], volts))
    brain = Brain("LED on above 2 V", contract=stated, emits="turn on the LED")
    with serving(brain) as server:
        result = pipeline.generate("LED on while A0 is above 2 V", BOARD, model=lab(server))
    assert not result.passed
    assert "PA0 is held at 1 V" in brain.told[0]
    system = server.bodies[1]["messages"][0]["content"]
    assert "ADC1_IN0" in system.partition("PERIPHERALS")[2]


WRONG: dict[str, tuple[dict[str, Any] | str, str]] = {
    "a pin that there is not": (part("ARM", "servo", 'signal = "D99"'), "no pin 'D99'"),
    "a pin of the console's": (part("ARM", "servo", 'signal = "D1"'), "the console"),
    "a pin left out": (part("ARM", "servo"), "signal"),
    "a kind that there is not": (part("ARM", "servos", 'signal = "D9"'), "did you mean servo"),
    "a key that it has not": (part("ARM", "servo", 'signal = "D9"', 'pin = "D8"'), "pin"),
    "a setting beyond its range": (
        part("ARM", "servo", 'signal = "D9"', 'min_pulse = "3 ms"'), "out of range",
    ),
    "no name": (part("", "servo", 'signal = "D9"'), "a name of letters"),
    "a name that steers a terminal": (part("A\x1b[2J", "servo", 'signal = "D9"'), "a name of"),
    "a title": (part("ARM", "servo", 'signal = "D9"', 'title = "\\u001b[2J"'), "title"),
    "another table": (part("ARM", "servo", 'signal = "D9"\n[[accept]]'), "is no key"),
    "no part": ("a servo on D9", "a name of letters"),
}  # fmt: skip


@pytest.mark.parametrize("what", WRONG)
def test_parts_that_are_wired_wrongly_are_refused_in_words(
    lab: Callable[[Server], RemoteModel], what: str
) -> None:
    wired, said = WRONG[what]
    wrong = {**servo(), "parts": [wired]}
    with serving(chat(json.dumps(wrong)), chat(json.dumps(servo()))) as server:
        reading = pipeline.read(SERVO, BOARD, model=lab(server))
    assert [module.name for module in reading.contract.modules] == ["ARM"]
    told = server.bodies[1]["messages"][-1]["content"]
    assert said in told
    assert "\x1b" not in told


def test_two_parts_of_one_name_are_refused(lab: Callable[[Server], RemoteModel]) -> None:
    twice = servo()
    twice["parts"] = [*twice["parts"], part("ARM", "led", 'pin = "D3"', 'lit = "high"')]
    with serving(chat(json.dumps(twice)), chat(json.dumps(servo()))) as server:
        pipeline.read(SERVO, BOARD, model=lab(server))
    assert "two parts are called 'ARM'" in server.bodies[1]["messages"][-1]["content"]


def test_a_kind_that_was_not_described_is_so_once_it_is_wired_wrongly(
    lab: Callable[[Server], RemoteModel],
) -> None:
    prompt = "point the arm on D9 straight up"
    wrong = servo()
    wrong["parts"] = [part("ARM", "servo", 'pin = "D9"')]
    replies = (chat(json.dumps(wrong)), chat(json.dumps(wrong)), chat(json.dumps(servo())))
    with serving(*replies) as server:
        pipeline.read(prompt, BOARD, model=lab(server))
    line = parts.describe_kind("servo")
    first, second, third = (body["messages"] for body in server.bodies)
    assert line not in first[0]["content"]
    assert line in second[-1]["content"]
    assert line not in third[-1]["content"]  # once is enough


# ---------------------------------------------------------------------------- the contract


def test_everything_that_a_file_can_wire_set_and_ask_for_can_be_stated() -> None:
    contract = load_contract(contract_toml(THERMOMETER, "p", BOARD), BOARD)
    assert {one.name for one in contract.modules + contract.devices + contract.parts} == {
        "T1", "LCD", "EE", "POT",
    }  # fmt: skip
    assert any(isinstance(one, Sense) and one.to == 23_500 for one in contract.stimuli)
    assert any(isinstance(one, Shows) and one.within_ps > 10**12 for one in contract.expectations)
    (transfer,) = (one for one in contract.expectations if isinstance(one, Transfers))
    assert (transfer.address, transfer.writes) == (0x51, (0, 0, 0x17))


def test_contracts_that_wire_otherwise_do_not_claim_the_same() -> None:
    one, other = (
        load_contract(contract_toml({**servo(), "parts": [part("ARM", "servo", pin)]}, "p", BOARD),
                      BOARD)
        for pin in ('signal = "D9"', 'signal = "D10"')
    )  # fmt: skip
    assert same_claims(one, one)
    assert not same_claims(one, other)


def test_the_schema_keeps_to_what_strict_servers_take() -> None:
    keys = {"title", "type", "additionalProperties", "required", "properties", "items", "enum"}
    enums = []

    def check(node: dict[str, Any], depth: int) -> None:
        assert set(node) <= keys
        assert depth <= 5
        if node["type"] == "object":
            assert node["additionalProperties"] is False
            assert node["required"] == list(node["properties"])
            for inner in node["properties"].values():
                check(inner, depth + 1)
        if node["type"] == "array":
            check(node["items"], depth + 1)
        enums.extend(node.get("enum", []))

    check(schema(), 1)
    assert len(enums) < 500
    assert sum(map(len, enums)) < 15_000
    assert set(parts.known_kinds()) <= set(enums)


@pytest.mark.parametrize("task", list_tasks(), ids=lambda task: task.name)
def test_whatever_a_task_asks_for_a_remote_contract_can_state(task: Task) -> None:
    asked = task.contract_for(BOARD)
    data = json.loads(contract_answer(asked))
    jsonschema.validate(data, schema())
    stated = load_contract(contract_toml(data, task.prompt, BOARD), BOARD)
    assert same_claims(stated, asked)


# ---------------------------------------------------------------------------- what is told


def test_a_request_without_parts_is_told_of_none() -> None:
    text = system_prompt(BOARD, "blink LED at 2 Hz, print the press count of the button")
    assert parts.kinds_for("blink LED at 2 Hz", BOARD) == []
    assert "HD44780" not in text
    assert "hd44780" in text  # by name they all are
    assert count_tokens(text) < 2000


@pytest.mark.parametrize(
    ("prompt", "kinds"),
    [
        ("show the temperature of a DS18B20 on D2 on a 16x2 LCD", ["ds18b20", "hd44780"]),
        ("turn the servo on D9 by the potentiometer on A0", ["potentiometer", "servo"]),
        ("store the counter in an EEPROM", ["24c01"]),
        ("store the counter in a 24C256 EEPROM", ["24c256"]),
        ("print the distance of the ultrasonic sensor in cm", ["hc-sr04"]),
        ("run the motor forward for a second", ["l293d", "tb6612"]),
        ("light the NeoPixels red", ["ws2812"]),
        ("print the light level of the photoresistor", ["ldr"]),
        ("show the pitch by an IMU", ["mpu6050"]),
        ("print the time of the DS3231 every second", ["ds3231"]),
        ("print the air pressure", ["bme280"]),
        ("print the light on the LED", []),
        ("print \"hello\" on the serial port and toggle the LED", []),
    ],
)  # fmt: skip
def test_the_kinds_that_a_request_calls_for_are_told(prompt: str, kinds: list[str]) -> None:
    found = parts.kinds_for(prompt, BOARD)
    assert set(kinds) <= set(found)
    assert kinds or not found
    text = system_prompt(BOARD, prompt)
    assert all(parts.describe_kind(kind) in text for kind in kinds)
    assert count_tokens(text) < 2400


def test_what_a_named_part_explains_calls_for_no_other() -> None:
    assert parts.kinds_for("print the temperature of the DS18B20 on D2", BOARD) == ["ds18b20"]
    assert len(parts.kinds_for("print the temperature", BOARD)) > 1


@pytest.mark.parametrize("kind", [k for k in parts.known_kinds() if k not in PART_KINDS])
def test_a_kind_is_told_when_it_is_named(kind: str) -> None:
    found = parts.kinds_for(f"use the {kind}.", BOARD)
    assert found[0] == kind
    assert len(found) <= parts.MOST_TOLD


_STATED = re.compile(r'(\w+) = ("(?:[^"\\]|\\.)*"|\[[^\]]*\]|[\da-fx.]+)')


@pytest.mark.parametrize("kind", parts.known_kinds())
def test_what_is_said_of_a_kind_the_reader_of_contracts_takes(kind: str) -> None:
    said = parts.describe_kind(kind)
    lines = [f"{key} = {value}" for key, value in _STATED.findall(said)]
    pins = re.search(r"pins ([\w ]+?)(?: or |[;( ]*[;(.])", said)
    free = iter(("PC0", "PC1", "PC2", "PC3", "PC4", "PC5", "PC6", "PC8", "PB0", "PB1", "PB2"))
    if pins is not None:
        lines += [f'{pin} = "{next(free)}"' for pin in pins[1].split()]
    elif "pins" not in said:
        lines.append('pin = "PA0"' if kind in SENSOR_KINDS else 'pin = "PC0"')
    stated = answer([part("X", kind, *lines)], [entry("level", ["LED"], 'is = "off"')])
    contract = load_contract(contract_toml(stated, "p", BOARD), BOARD)
    assert len(contract.parts + contract.devices + contract.modules) == 1


def test_what_is_said_beside_the_files_is_of_kinds_that_there_are() -> None:
    models = {load_module_kind(kind).model for kind in known_modules()}
    kinds = {*parts.known_kinds(), *models}
    for table in ("words", "protocol"):
        assert set(parts._said()[table]) <= kinds


def test_firmware_for_parts_is_told_their_pins_ports_and_protocols() -> None:
    contract = load_contract(contract_toml(THERMOMETER, "p", BOARD), BOARD)
    prompt = "show the temperature of a DS18B20 on D2 on a 16x2 LCD"
    system, task = prompt_of(Reading(prompt, (), contract, BOARD))
    told = system.partition("PERIPHERALS")[2]
    for piece in (
        "T1: ds18b20", "data PA10", "LCD: hd44780", "rs PA9", "scl PB8, sda PB9; on I2C1",
        "address 0x51", "write_cycle 5 ms", "POT: potentiometer on PA0", "ADC1_IN0",
        "AF4 I2C1_SCL", "TRISE", "TIM2 0x40000000", "USART2", "convert 44",
    ):  # fmt: skip
        assert piece in told, piece
    assert "PB8" in told
    assert count_tokens(system) + count_tokens(task) < 6000
    bare, _ = prompt_of(pipeline.read("blink LED at 2 Hz", BOARD))
    assert system.startswith(bare.partition("EXAMPLE")[0])  # the beginning is still the same


def test_the_pins_of_a_display_are_not_the_boards_of_the_same_name() -> None:
    wired = answer([LCD], [entry("shows", ["LCD"], 'text = "hi"', 'within = "1 s"')])
    wired["parts"][0] = {**LCD, "with": [line.replace('"D4"', '"PC0"') for line in LCD["with"]]}
    contract = load_contract(contract_toml(wired, "p", BOARD), BOARD)
    from fwgen.model.remote.system import needs_of

    pins = needs_of("show hi", contract, BOARD).pins
    assert "PC0" in pins
    assert "PB5" not in pins  # D4 of the header


@pytest.mark.parametrize(
    ("pins", "port"),
    [(("PB8", "PB9"), "I2C1"), (("PB10", "PB3"), "I2C2"), (("PA8", "PC9"), "I2C3"),
     (("PC0", "PC1"), None), (("PB8", "PB3"), None)],
)  # fmt: skip
def test_the_port_of_a_bus_is_the_one_that_its_pins_reach(
    pins: tuple[str, str], port: str | None
) -> None:
    found = parts.bus_ports(dict(zip(("scl", "sda"), pins, strict=True)), BOARD)
    assert (found[0] if found else None) == port


def test_a_chip_with_another_version_of_a_peripheral_is_told_of_it() -> None:
    wired = [part("EE", "24c256", 'scl = "PB6"', 'sda = "PB9"', 'pull = "up"')]
    expect = [entry("transfer", ["I2C1"], "address = 0x50")]
    contract = load_contract(contract_toml(answer(wired, expect), "p", DISCOVERY), DISCOVERY)
    system, _ = prompt_of(Reading("write to the EEPROM", (), contract, DISCOVERY))
    told = system.partition("PERIPHERALS")[2]
    assert "CCR CCR=11:0" in told
    assert "OAR1" not in told  # only what is usually needed
    assert "wait for ADDR" in told


def test_a_board_with_parts_of_its_own_says_so() -> None:
    contract = load_contract(contract_toml(servo(), "p", BOARD), BOARD)
    assert "ARM: servo motor (servo)." in system_prompt(fitted(BOARD, contract), SERVO)
