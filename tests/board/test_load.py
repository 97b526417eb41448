"""Boards load, and whatever is wrong with a file is refused by name and place."""

from __future__ import annotations

import copy
import tomllib
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fwgen.board import Finding, check_board_file, list_boards, load_board, load_chip
from fwgen.board.board_file import read_board
from fwgen.board.chip_file import read_chip
from fwgen.board.registers import boards_folder
from fwgen.errors import BoardError

if TYPE_CHECKING:
    from pathlib import Path

BOARD_TEXT = (boards_folder() / "nucleo-f401.toml").read_text(encoding="utf-8")
CHIP_TEXT = (boards_folder() / "chips" / "stm32f401re.toml").read_text(encoding="utf-8")


def edited(text: str, old: str, new: str) -> str:
    assert text.count(old) >= 1, f"the file no longer says {old!r}"
    return text.replace(old, new, 1)


# ------------------------------------------------------------------------------ what is ours


def test_the_nucleo_is_what_its_manual_says() -> None:
    board = load_board("nucleo-f401")
    assert board.chip.core == "cortex-m4f"
    assert (board.hse_hz, board.hse_bypass, board.lse_hz) == (8_000_000, True, 32_768)
    led, button = board.parts["LD2"], board.parts["B1"]
    assert (led.kind, led.pin, led.active) == ("led", "PA5", 1)
    assert (button.kind, button.pin, button.active, button.pull) == ("button", "PC13", 0, 1)
    assert board.console is not None
    assert (board.console.uart, board.console.tx, board.console.rx) == ("USART2", "PA2", "PA3")
    assert board.probe == {"board_id": "0720", "target": "stm32f401retx"}


def test_every_shipped_file_has_no_finding() -> None:
    files = [*boards_folder().glob("*.toml"), *boards_folder().glob("chips/*.toml")]
    assert len(files) >= 2
    for path in files:
        assert check_board_file(path) == []


@pytest.mark.parametrize(
    ("name", "pin"),
    [
        ("PA5", "PA5"),
        ("pa5", "PA5"),
        ("D13", "PA5"),
        ("d13", "PA5"),
        ("CN10-11", "PA5"),
        ("LD2", "PA5"),
        ("the LED", "PA5"),
        ("my  Green led", "PA5"),
        ("A0", "PA0"),
        ("D14", "PB9"),
        ("CN7-23", "PC13"),
        ("the button", "PC13"),
    ],
)
def test_a_pin_is_found_by_every_name_people_use(name: str, pin: str) -> None:
    found = load_board("nucleo-f401").find_pin(name)
    assert found is not None
    assert found.name == pin


@pytest.mark.parametrize("name", ["PZ9", "D16", "", "the", "CN7-8", "console", "CN7-39"])
def test_what_is_no_pin_is_not_found(name: str) -> None:
    assert load_board("nucleo-f401").find_pin(name) is None


def test_arduino_and_morpho_headers_agree() -> None:
    """Every Arduino pin is on the morpho headers too: UM1724 wires them in parallel."""
    headers = load_board("nucleo-f401").headers
    morpho = {*headers["Morpho CN7"].values(), *headers["Morpho CN10"].values()}
    assert set(headers["Arduino"].values()) <= morpho
    assert len(headers["Arduino"]) == 22
    assert len(headers["Morpho CN7"]) == len(headers["Morpho CN10"]) == 38


def test_every_pin_of_the_package_is_on_the_morpho_headers_once() -> None:
    board = load_board("nucleo-f401")
    carried = [
        pin
        for title, header in board.headers.items()
        if title.startswith("Morpho")
        for pin in header.values()
        if pin in board.chip.pins
    ]
    assert sorted(carried) == sorted(board.chip.pins)


@pytest.mark.parametrize(
    "name",
    ["nucleo-f401", "Nucleo-F401", "NUCLEO-F401RE", "nucleo_f401re", "nucleo f401re", "f401re"],
)
def test_a_board_is_found_by_name_and_alias(name: str) -> None:
    assert load_board(name).name == "nucleo-f401"


def test_an_unknown_board_is_refused_with_what_was_meant() -> None:
    with pytest.raises(BoardError, match="did you mean nucleo-f401") as caught:
        load_board("nucelo-f401")
    assert "no board 'nucelo-f401'" in str(caught.value)
    with pytest.raises(BoardError, match=r"known: .*nucleo-f401"):
        load_board("arduino")
    for odd in ("", "..", "../boards/nucleo-f401", "chips/stm32f401re"):
        with pytest.raises(BoardError):
            load_board(odd)


def test_an_unknown_chip_is_refused_with_what_was_meant() -> None:
    with pytest.raises(BoardError, match="did you mean stm32f401re"):
        load_chip("stm32f401rb")


def test_listing_boards_names_their_chip() -> None:
    listed = {board.name: board for board in list_boards()}
    assert listed["nucleo-f401"].chip == "stm32f401re"
    assert listed["nucleo-f401"].title


def test_the_boot_alias_mirrors_the_flash() -> None:
    chip = load_chip("stm32f401re")
    boot = chip.memories["boot"]
    assert (boot.base, boot.alias_of, boot.size) == (0, "flash", chip.flash.size)
    assert chip.flash.sectors == (0x4000,) * 4 + (0x10000,) + (0x20000,) * 3


# ------------------------------------------------------------------------------ what is wrong


@pytest.mark.parametrize(
    ("old", "new", "place", "message"),
    [
        ('lit = "high"', 'lit = "hihg"', "parts.LD2.lit", "'hihg' is unknown"),
        ('lit = "high"', 'light = "high"', "parts.LD2.light", "unknown key 'light'"),
        ('pin = "PA5"', 'pin = "PA55"', "parts.LD2.pin", "has no pin 'PA55'"),
        ('pin = "PA5"', 'pin = "PC13"', "parts.B1.pin", "belongs to LD2"),
        ('pin = "PA5"', 'pin = "PA2"', "parts.LD2.pin", "belongs to the console's tx"),
        ('pin = "PA5"', 'pin = "PA13"', "parts.LD2.pin", "belongs to the debug probe"),
        ('kind = "led"', 'kind = "lamp"', "parts.LD2.kind", "'lamp' is unknown"),
        ('pull = "up"', 'pull = "down"', "parts.B1.pull", "means pressed"),
        ('tx = "PA2"', 'tx = "PA5"', "console.tx", "PA5 cannot be USART2_TX"),
        ('rx = "PA3"', 'rx = "PA2"', "console.rx", "PA2 cannot be USART2_RX"),
        ('uart = "USART2"', 'uart = "USART9"', "console.uart", "'USART9' is unknown"),
        ("baud = 115200", "baud = -1", "console.baud", "-1 is not from 1"),
        ("baud = 115200", 'baud = "fast"', "console.baud", "should be a whole number"),
        ("baud = 115200", "baud = true", "console.baud", "should be a whole number"),
        ('D13 = "PA5"', 'D13 = "PG5"', "headers.Arduino.D13", "has no pin 'PG5'"),
        ('D13 = "PA5"', 'd12 = "PA5"', "headers.Arduino.d12", "already a label"),
        ('D13 = "PA5"', 'PA6 = "PA5"', "headers.Arduino.PA6", "name of another pin"),
        ('"PC10", "PC11"', '"PC10", "PE11"', "headers.Morpho CN7.CN7-2", "no pin 'PE11'"),
        ('"led" = "LD2"', '"led" = "LD3"', "words.led", "no part or pin 'LD3'"),
        ('"led" = "LD2"', '"LED2" = "B1"', "words.led2", "already means B1"),
        ('hse = "8 MHz"', 'hse = "80 MHz"', "clocks.hse", "takes 1000000 to 50000000 Hz"),
        ('hse = "8 MHz"', "hse = 8", "clocks.hse", "needs a unit"),
        ('hse = "8 MHz"', 'hse = "8 MHz"\nhsi = "1 Hz"', "clocks.hsi", "unknown key 'hsi'"),
        ('supply = "3.3 V"', 'supply = "5 V"', "supply", "no wait states"),
        ('supply = "3.3 V"', 'supply = "3.3 A"', "supply", "no unit of voltage"),
        ('chip = "stm32f401re"', 'chip = "stm32f410re"', "boards/chips", "no chip 'stm32f410re'"),
        ('chip = "stm32f401re"', "", "chip", "is missing"),
        ('board_id = "0720"', 'boardid = "0720"', "probe.boardid", "unknown key 'boardid'"),
        ("[parts]", "[prats]\n[parts]", "prats", "unknown key 'prats'"),
    ],
)
def test_a_wrong_board_is_refused_by_place(
    tmp_path: Path, old: str, new: str, place: str, message: str
) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(edited(BOARD_TEXT, old, new), encoding="utf-8")
    with pytest.raises(BoardError):
        load_board(path)
    findings = check_board_file(path)
    told = [str(f.error()) for f in findings]
    assert any(place in f.where and message in f.message for f in findings), told


@pytest.mark.parametrize(
    ("old", "new", "place", "message"),
    [
        ("size = 0x1_8000", "size = 0x3000_0000", "peripherals.TIM2", "overlaps memories.sram"),
        ("base = 0x2000_0000", "base = 0x0800_1000", "memories.sram", "overlaps memories.flash"),
        ("base = 0x4000_0400", "base = 0x4000_0200", "peripherals.TIM3", "overlaps peripher"),
        ("0x4000, 0x4000, 0x4000, 0x4000", "0x4000", "memories.flash.sectors", "add up to"),
        ('alias_of = "flash"', 'alias_of = "flahs"', "memories.boot.alias_of", "no memory"),
        ('kind = "ram"', 'kind = "rma"', "memories.sram.kind", "'rma' is unknown"),
        ("irqs = { global = 28 }", "irqs = { global = 29 }", "29", "raise the same interrupt"),
        ("irqs = { global = 28 }", "irqs = { global = 39 }", "TIM2.irqs.global", "no line"),
        ('24 = ["TIM1.brk", ', "24 = [", "shared_interrupts.24", "raise the same interrupt"),
        ('24 = ["TIM1.brk"', '24 = ["TIM1.up"', "shared_interrupts.24", "does not raise line"),
        ('bus = "APB1"', 'bus = "ABP1"', "peripherals.TIM2.bus", "'ABP1' is unknown"),
        ('28 = "TIM2"', '28 = "TIM3"', "interrupts.29", "already the name of line 28"),
        ('28 = "TIM2"', '285 = "TIM2"', "interrupts.285", "no interrupt number"),
        ("stm32.tim_v1", "stm32.tim_v7", "peripherals.TIM2.kind", "no register map"),
        ('"APB1ENR.0"', '"APB1ENR.44"', "peripherals.TIM2.gate", "is not register.bit"),
        ('"APB1ENR.0"', '"APB1ENR.4"', "peripherals.TIM2.gate", "bit 4 of RCC_APB1ENR is reser"),
        ('"APB1ENR.0"', '"APB9ENR.0"', "peripherals.TIM2.gate", "no register 'APB9ENR'"),
        ('gate = "APB1ENR.0", ', "", "peripherals.TIM2.reset", "needs a gate"),
        ("size = 0x400, bus", "size = 0x10, bus", "peripherals.TIM2.size", "leaves out its reg"),
        ('itr = ["TIM1", ""', 'itr = ["TIM8", ""', "TIM2.options.itr", "no peripheral 'TIM8'"),
        ('rx = ["DMA1.5.4"]', 'rx = ["DMA3.5.4"]', "USART2.dma.rx", "no peripheral 'DMA3'"),
        ('rx = ["DMA1.5.4"]', 'rx = ["DMA1.8.4"]', "USART2.dma.rx", "controller.stream.channel"),
        ('rx = ["DMA1.5.4"]', "rx = 5", "USART2.dma.rx", "5 is not controller.stream"),
        ("vos_pll_off = 1", "vos_pll_off = 9", "clocks.vos_pll_off", "not among vos_hclk_max"),
        (
            'reset = "APB1RSTR"',
            'reset = "APB1RSTR.x"',
            "peripherals.TIM2.reset",
            "not register.bit",
        ),
        (
            'reset = "APB1RSTR"',
            'reset = "APB1RSTR.9"',
            "TIM2.reset",
            "bit 9 of RCC_APB1RSTR is res",
        ),
        ("[memories]", '[chapters]\nX = "RM1"\n[memories]', "chapters.X", "no manual 'RM1'"),
        ("[memories]", '[chapters]\nRM0368 = "DS10086"\n[memories]', "chapters.RM", "of this chip"),
        ("{ MODER = 0xA8", "{ MODRE = 0xA8", "GPIOA.options.reset", "no register 'MODRE'"),
        ("[30, 60, 84]", "[30, 30, 84]", "wait_states[0].hclk_mhz", "must rise"),
        ("[30, 60, 84]", "[30, 60, 90]", "wait_states[0].hclk_mhz", "above hclk_max"),
        ('["2.4 V", "2.7 V"]', '["2.4 V", "2.8 V"]', "wait_states[1].supply", "overlaps"),
        ('["2.4 V", "2.7 V"]', '["2.7 V", "2.4 V"]', "wait_states[1].supply", "is above"),
        ("m = [2, 63]", "m = [63, 2]", "clocks.pll.m", "63 is above 2"),
        ('APB1 = "42 MHz"', 'APB1 = "142 MHz"', "clocks.apb_max.APB1", "above hclk_max"),
        ('lsi = "15 us"', 'lsi = "15"', "clocks.startup.lsi", "is not a duration"),
        ("priority_bits = 4", "priority_bits = 40", "priority_bits", "40 is not from 2 to 8"),
        ('core = "cortex-m4f"', 'core = "cortex-m4ff"', "core", "'cortex-m4ff' is unknown"),
        ("PA0 = { at = 14", "PA0 = { at = 15", "pins.PA1.at", "already at position 15"),
        ("PA0 = {", "PA16 = {", "pins.PA16", "is no pin"),
        ("PA0 = {", "PK0 = {", "pins.PK0", "no port GPIOK"),
        ('1 = "TIM2_CH1 TIM2_ETR"', '1 = "TIM7_CH1"', "pins.PA0.af.1", "no signal 'TIM7_CH1'"),
        ('1 = "TIM2_CH1 TIM2_ETR"', '16 = "TIM2_CH1"', "pins.PA0.af.16", "from 0 to 15"),
        ('also = "ADC1_IN0 WKUP"', 'also = "ADC7_IN0"', "pins.PA0.also", "no signal 'ADC7_IN0'"),
        ("reset_af = 0", "reset_af = 3", "pins.PA13.reset_af", "no alternate function 3"),
        ('I2S2 = "SPI2"', 'I2S2 = "SPI9"', "signals.aliases.I2S2", "no peripheral 'SPI9'"),
    ],
)
def test_a_wrong_chip_is_refused_by_place(
    tmp_path: Path, old: str, new: str, place: str, message: str
) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(edited(CHIP_TEXT, old, new), encoding="utf-8")
    findings = check_board_file(path)
    told = [str(f.error()) for f in findings]
    assert any(place in f.where and message in f.message for f in findings), told


def test_all_findings_are_given_not_only_the_first(tmp_path: Path) -> None:
    text = edited(BOARD_TEXT, 'pin = "PA5"', 'pin = "PA55"')
    text = edited(text, "baud = 115200", "baud = 0")
    text = edited(text, '"led" = "LD2"', '"led" = "LD7"')
    path = tmp_path / "mine.toml"
    path.write_text(text, encoding="utf-8")
    places = [finding.where for finding in check_board_file(path)]
    assert places == [f"{path}: {key}" for key in ("parts.LD2.pin", "console.baud", "words.led")]


def test_what_should_be_a_table_is_one_finding(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    text = edited(BOARD_TEXT, "[parts]\n", "[parts]\nLD3 = 5\n")
    path.write_text(text, encoding="utf-8")
    (finding,) = check_board_file(path)
    assert str(finding.error()) == f"{path}: parts.LD3: should be a table"


def test_a_missing_pin_is_refused_with_what_was_meant(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(edited(BOARD_TEXT, 'tx = "PA2"', 'tx = "PA4"'), encoding="utf-8")
    with pytest.raises(BoardError, match="these can: PA2") as caught:
        load_board(path)
    assert caught.value.where == f"{path}: console.tx"


def test_a_makers_board_may_bring_its_own_chip(tmp_path: Path) -> None:
    (tmp_path / "mychip.toml").write_text(
        edited(CHIP_TEXT, 'title = "STM32F401RE"', 'title = "Mine"'), encoding="utf-8"
    )
    board = tmp_path / "mine.toml"
    board.write_text(
        edited(BOARD_TEXT, 'chip = "stm32f401re"', 'chip = "./mychip.toml"'), encoding="utf-8"
    )
    assert load_board(str(board)).chip.title == "Mine"
    (tmp_path / "mychip.toml").write_text("title = 3", encoding="utf-8")
    with pytest.raises(BoardError, match=r"mychip\.toml: title"):
        load_board(board)


@pytest.mark.parametrize(
    "content",
    [b"", b"\xff\xfe", b"[", b"x = " + b"[" * 5000, b"x = " + b"9" * 9000, b"peripherals = 3"],
)
def test_a_file_that_is_no_board_is_a_finding_not_a_crash(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.toml"
    path.write_bytes(content)
    assert check_board_file(path)
    with pytest.raises(BoardError):
        load_board(path)


def test_a_file_that_is_not_there_is_a_finding(tmp_path: Path) -> None:
    assert "no such file" in check_board_file(tmp_path / "none.toml")[0].message
    assert check_board_file(tmp_path)
    with pytest.raises(BoardError, match="no such file"):
        load_board("none.toml")


def places(data: object, at: tuple[object, ...] = ()) -> list[tuple[object, ...]]:
    found = [at] if at else []
    if isinstance(data, dict):
        for key, value in data.items():
            found += places(value, (*at, key))
    elif isinstance(data, list):
        for index, value in enumerate(data):
            found += places(value, (*at, index))
    return found


BOARD_DATA, CHIP_DATA = tomllib.loads(BOARD_TEXT), tomllib.loads(CHIP_TEXT)
VALUES = st.one_of(
    st.integers(-(2**40), 2**40),
    st.floats(),
    st.booleans(),
    st.sampled_from(
        ["", "9" * 5000, "PA5", "8 MHz", "high", "LD2", "console", "x.y", "-1 s", "1 uHz"]
    ),
    st.lists(st.one_of(st.integers(-1, 9), st.text(max_size=3)), max_size=3),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_no_value_anywhere_crashes_the_reader(data: st.DataObject) -> None:
    """Whatever stands at whatever place: findings, or a board; never another exception."""
    is_chip = data.draw(st.booleans())
    mutant: Any = copy.deepcopy(CHIP_DATA if is_chip else BOARD_DATA)
    *way, last = data.draw(st.sampled_from(places(mutant)))
    holder = mutant
    for key in way:
        holder = holder[key]
    if isinstance(holder, dict) and data.draw(st.booleans()):
        holder[data.draw(st.sampled_from(["", "9" * 5000, "-1", "٣", "x", "PA99"]))] = holder.pop(
            last
        )
    else:
        holder[last] = data.draw(VALUES)
    findings: list[Finding] = []
    if is_chip:
        read_chip(mutant, "x", "x.toml", findings)
    else:
        made = read_board(mutant, "x", "x.toml", load_chip, findings)
        assert made is not None or findings
    assert all(f.where.startswith(("x.toml", "boards/chips")) for f in findings)
