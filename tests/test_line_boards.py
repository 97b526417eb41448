"""The vocabulary on every board: what is asked in the board's own words passes there, too."""

from __future__ import annotations

import ast
import re
import shutil
from pathlib import Path

import pytest

import fwgen.pipeline as line
from fwgen.board import list_boards, load, load_board, registers
from fwgen.cli.rigs import opened
from fwgen.errors import FwgenError, PromptError
from fwgen.pipeline import confirm
from fwgen.rig.identity import Identity, refuse_wrong_chip
from fwgen.trace import Hazard
from fwgen.verdict import Outcome
from tests.test_line import PROMPTS as EVERYTHING

BOARDS = [board.name for board in list_boards()]
NEW = [name for name in BOARDS if name != "nucleo-f401"]
# Pins of the Nucleo's header that the prompts name -> pins of boards without that header.
PINS = {
    "blackpill-f411": {
        **{
            f"D{n}": pin
            for n, pin in enumerate(["B3", "B4", "B5", "B6", "B7", "B8", "B9", "B10"], start=2)
        },
        **{f"PC{n}": f"PB{n + 12}" for n in range(4)},
    },
    "stm32f4-discovery": {f"D{n}": f"PE{n + 5}" for n in range(2, 10)},
}
TEXTS = "hello|.boot.|count|uptime in (?:seconds|ms)|hi|go|counter|the LED"
SOME = [
    "blink LED at 2Hz",
    "blink LED at 1 kHz with 10 % duty",
    "blink LED at 2Hz and D7 at 3 Hz",
    "send SOS in morse on LED",
    "chaser on D2 to D6 every 100 ms",
    "print hello every second",
    "toggle LED when the button is pressed",
    "toggle the LED on each press of the button and print the press count",
    "while the button is held blink LED at 5 Hz, otherwise at 1 Hz",
    "LED inverts the button",
]


def said_for(board: str, prompt: str) -> str:
    """A prompt in the words of a board: its pins, and a port where there is no console."""
    names = PINS.get(board, {})
    prompt = re.sub(r"\bD2-D9\b", "D2 to D9", prompt)
    prompt = re.sub(r"\b(D\d|PC\d)\b", lambda found: names.get(found[1], found[1]), prompt)
    if load_board(board).console is None and "uart" not in prompt:
        prompt = re.sub(rf"\b(print (?:\S+ )*?(?:{TEXTS}))\b", r"\1 on USART1", prompt, count=1)
    return prompt


@pytest.mark.parametrize("prompt", SOME)
@pytest.mark.parametrize("board", NEW)
def test_the_vocabulary_passes_on_every_board(board: str, prompt: str) -> None:
    result = line.generate(said_for(board, prompt), load_board(board))
    assert result.passed, [f.text for f in result.proof.verdict.all if f.outcome.exit_code]
    assert not list(result.proof.trace.of(Hazard)), "not even a note"


def test_an_led_that_is_lit_low_is_low_when_it_is_on() -> None:
    result = line.generate("turn on the LED", load_board("blackpill-f411"))
    assert result.passed
    *_, (_, level) = result.proof.trace.edges("PC13")
    assert level == 0


def test_what_counts_down_into_a_high_pin_writes_no_reserved_bits() -> None:
    """PC13 is so high a bit that a count above it leaves the port's sixteen."""
    result = line.generate(
        "blink LED at 2 Hz for 3 seconds, then at 5 Hz", load_board("blackpill-f411")
    )
    assert result.passed
    assert not list(result.proof.trace.of(Hazard))


def test_a_key_without_a_resistor_is_pulled_by_the_chip() -> None:
    board = load_board("blackpill-f411")
    assert board.parts["KEY"].pull is None
    result = line.generate("LED follows the button", board)
    assert result.passed
    before_press = [level for t, level in result.proof.trace.edges("PA0") if t < 10**11]
    assert before_press[-1] == 1


def test_each_led_of_several_is_called_by_its_colour() -> None:
    board = load_board("stm32f4-discovery")
    for colour, pin in {"green": "PD12", "orange": "PD13", "red": "PD14", "blue": "PD15"}.items():
        part = board.find_part(f"the {colour} LED")
        assert part is not None
        assert (part.pin, part.colour) == (pin, colour)
    result = line.generate("blink the red LED at 3 Hz and the blue LED at 1 Hz", board)
    assert result.passed


@pytest.mark.parametrize("board", ["blackpill-f411", "stm32f4-discovery"])
def test_a_board_without_a_console_refuses_to_print_and_names_its_ports(board: str) -> None:
    with pytest.raises(PromptError, match="this board has no console to print to") as caught:
        line.generate("print hello every second", load_board(board))
    assert "USART1, USART2" in str(caught.value.hint)


def test_a_port_of_its_own_is_taken_from_pins_that_no_part_holds() -> None:
    """UART4_TX is PA0, the button's, and PC10."""
    board = load_board("stm32f4-discovery")
    result = line.generate("print hello on UART4 every second", board)
    assert result.passed
    assert "PC10" in " ".join(item.text for item in result.proof.image.listing.lines)


@pytest.mark.parametrize("board", NEW)
def test_the_virtual_rig_agrees_with_the_machine(
    board: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FWGEN_DATA", str(tmp_path))
    made = line.generate("toggle the LED on each press of the button", load_board(board)).proof
    with opened(made.board, "virtual", made.contract) as rig:
        confirmed = confirm(made, rig)
    assert confirmed.outcome is Outcome.PASS
    assert not confirmed.differences


@pytest.mark.parametrize("board", BOARDS)
def test_every_other_boards_chip_is_refused(board: str) -> None:
    ours = load_board(board)
    for name in BOARDS:
        chip = load_board(name).chip
        identity = Identity(core="Cortex-M4", idcode=chip.idcode, flash_bytes=chip.flash.size)
        if (chip.idcode, chip.flash.size) == (ours.chip.idcode, ours.chip.flash.size):
            refuse_wrong_chip(ours, identity)
            continue
        with pytest.raises(FwgenError, match="STM32F"):
            refuse_wrong_chip(ours, identity)


# ------------------------------------------------------------------- boards are data

PACKAGE = Path(line.__file__).parent


def _deciding(tree: ast.AST) -> set[str]:
    """Texts on which code decides: compared, matched, looked up."""
    texts: set[str] = set()
    for node in ast.walk(tree):
        parts: list[ast.AST] = []
        if isinstance(node, ast.Compare):
            parts = [node.left, *node.comparators]
        elif isinstance(node, ast.MatchValue):
            parts = [node.value]
        elif isinstance(node, ast.Dict):
            parts = [key for key in node.keys if key is not None]
        elif isinstance(node, ast.Subscript):
            parts = [node.slice]
        for part in parts:
            constants = (n.value for n in ast.walk(part) if isinstance(n, ast.Constant))
            texts |= {value for value in constants if isinstance(value, str)}
    return texts


def test_no_code_decides_by_the_name_of_a_board_or_a_chip() -> None:
    boards = [load_board(name) for name in BOARDS]
    names = {
        name.casefold()
        for board in boards
        for name in (board.name, board.title, *board.aliases, board.chip.name, board.chip.title)
    }
    for path in PACKAGE.rglob("*.py"):
        texts = _deciding(ast.parse(path.read_text(encoding="utf-8")))
        assert not {text for text in texts if text.casefold() in names}, path
    assert "compare" in _deciding(ast.parse('x == "compare"'))


def test_a_board_and_a_chip_that_nobody_has_heard_of_work_by_their_files_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A chip of another name, two of whose timers have no model, on a board with other parts."""
    folder = tmp_path / "boards"
    shutil.copytree(registers.boards_folder(), folder)
    chip = (folder / "chips" / "stm32f411ce.toml").read_text(encoding="utf-8")
    chip = chip.replace("STM32F411CE", "STM32X999").replace("0x1000_6431", "0x1000_6999")
    timers = re.compile(r'^(TIM[24] = .*)kind = "stm32.tim_v1"', re.M)
    chip, without = timers.subn(r'\1registers = "stm32.tim_v1"', chip)
    assert without == 2
    (folder / "chips" / "stm32x999.toml").write_text(chip, encoding="utf-8")
    (folder / "strange.toml").write_text(
        'title = "Strange"\nchip = "stm32x999"\n[parts]\n'
        'EYE = { kind = "led", pin = "PB1", lit = "low" }\n'
        'PAW = { kind = "button", pin = "PB12", pressed = "high" }\n'
        '[words]\n"eye" = "EYE"\n"led" = "EYE"\n"paw" = "PAW"\n"button" = "PAW"\n',
        encoding="utf-8",
    )
    monkeypatch.setattr(load, "boards_folder", lambda: folder)
    load.load_chip.cache_clear()
    try:
        assert "strange" in [board.name for board in load.list_boards()]
        board = load.load_board("strange")
        for prompt in ("blink LED at 2Hz", "toggle the eye when the paw is pressed"):
            assert line.generate(prompt, board).passed
    finally:
        load.load_chip.cache_clear()


def test_the_other_prompts_can_be_said_in_every_boards_words() -> None:
    for board in BOARDS:
        for prompt in EVERYTHING:
            for name in re.findall(r"\b(?:D\d|PC\d)\b", said_for(board, prompt)):
                assert load_board(board).find_pin(name), (board, prompt)
