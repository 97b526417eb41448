"""Wrong and hostile input: exit code 2, what is wrong in words, never a traceback."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from fwgen.cli import main as cli

from .conftest import BOARD, QUIET
from .firmware import bin_of, hex_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from .conftest import Ran

    Call = Callable[..., Ran]

BLINK = "blink LED at 2Hz"


def refused(ran: Ran, *messages: str) -> None:
    assert ran.code == 2
    assert ran.out == ""
    assert "Traceback" not in ran.err
    assert ran.err.startswith(" error ")
    for message in messages:
        assert message in ran.said


# ---------------------------------------------------------------------------- command line


def test_no_board_lists_the_boards(fwgen: Call) -> None:
    refused(fwgen(BLINK), "no board was named", "add --board NAME; known: blackpill-f411")


def test_an_unknown_board_is_asked_back(fwgen: Call) -> None:
    refused(fwgen(BLINK, "--board", "nucleo-f410"), "there is no board 'nucleo-f410'",
            "did you mean nucleo-f4")  # fmt: skip


def test_the_board_may_come_from_the_environment(
    fwgen: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FWGEN_BOARD", BOARD)
    assert fwgen(BLINK, "--dry-run").code == 0


def test_an_unknown_option_is_asked_back(fwgen: Call) -> None:
    refused(
        fwgen(BLINK, "--bord", BOARD),
        "no such option: --bord",
        "did you mean --board or --force or --model?",
    )


def test_a_misspelt_command_is_asked_back(fwgen: Call) -> None:
    refused(fwgen("verfiy", "x.hex", "--board", BOARD), "did you mean verify (as a command)?")


def test_a_misspelt_subcommand_is_asked_back(fwgen: Call) -> None:
    refused(fwgen("boards", "shw"), "no such command 'shw'", "did you mean show?")


def test_a_command_behind_an_option_is_told_to_come_first(fwgen: Call) -> None:
    refused(fwgen("--board", BOARD, "run", "x.hex"), "a command comes first: fwgen run IMAGE")


def test_an_option_without_its_value(fwgen: Call) -> None:
    refused(fwgen(BLINK, "--board"), "option '--board' requires an argument")


def test_an_option_with_a_wrong_value(fwgen: Call) -> None:
    refused(
        fwgen(BLINK, "--board", BOARD, "--attempts", "0"),
        "'--attempts'",
        "greater than or equal to 1",
    )
    refused(fwgen("run", "x.hex", "--pace", "warp"), "'--pace'", "'real', 'virtual'")


def test_an_unknown_model_names_those_there_are(fwgen: Call) -> None:
    refused(fwgen(BLINK, "--board", BOARD, "--model", "embeded"), "there is no model 'embeded'",
            "did you mean embedded?")  # fmt: skip


# ---------------------------------------------------------------------------- prompts


@pytest.mark.parametrize("prompt", ["", "   ", "\n\t"])
def test_an_empty_prompt(fwgen: Call, prompt: str) -> None:
    refused(fwgen(prompt, "--board", BOARD), "empty")


def test_no_prompt_at_all(fwgen: Call) -> None:
    refused(fwgen("--board", BOARD), "missing argument 'prompt'", '"fwgen make --help"')


def test_a_prompt_half_understood_names_the_words(fwgen: Call) -> None:
    refused(fwgen("blink LED at 2Hz and make coffee", "--board", BOARD), "coffee")


def test_a_prompt_of_noise(fwgen: Call) -> None:
    refused(fwgen("colourless green ideas sleep furiously", "--board", BOARD), "understand")


@pytest.mark.parametrize(
    "prompt",
    ["\x00\x1b[31m", "🦆 " * 50, "blink " * 3000, "'", '"', "(" * 99],
    ids=["control", "ducks", "endless", "quote", "double-quote", "brackets"],
)
def test_a_hostile_prompt_is_refused_in_words(fwgen: Call, prompt: str) -> None:
    ran = fwgen(prompt, "--board", BOARD)
    refused(ran)
    assert "fwgen itself failed" not in ran.err
    assert "\x1b" not in ran.err


def test_unquoted_words_are_one_prompt(fwgen: Call) -> None:
    quoted = fwgen("blink LED at 2Hz", "--board", BOARD, "--dry-run", "--json")
    loose = fwgen("blink", "LED", "at", "2Hz", "--board", BOARD, "--dry-run", "--json")
    assert loose.code == 0
    assert loose.out == quoted.out


@pytest.mark.parametrize("command", cli.COMMANDS)
def test_a_quoted_prompt_may_begin_with_a_commands_name(fwgen: Call, command: str) -> None:
    ran = fwgen(f"{command} and blink LED at 2Hz", "--board", BOARD, "--dry-run")
    assert "no such" not in ran.said
    assert "usage" not in ran.said.casefold()


def test_make_takes_a_commands_name_as_a_prompt(fwgen: Call) -> None:
    refused(fwgen("make", "run", "--board", BOARD), "the sentence stops too early, after 'run'")


def test_an_unquoted_prompt_that_begins_with_a_command_is_told_to_use_quotes(fwgen: Call) -> None:
    refused(fwgen("run", "a", "chaser", "--board", BOARD),
            'if this is a prompt that begins with "run", put it in quotes')  # fmt: skip


# ---------------------------------------------------------------------------- output folders


def test_an_output_path_that_is_a_file(fwgen: Call, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("mine")
    ran = fwgen(BLINK, "--board", BOARD, "--out", "out")
    refused(ran, "the output folder is a file", "where out", "choose another folder with --out")
    assert (tmp_path / "out").read_text() == "mine"


def test_an_output_folder_of_someone_else(fwgen: Call, tmp_path: Path) -> None:
    (tmp_path / "firmware.bin").write_bytes(b"mine")
    ran = fwgen(BLINK, "--board", BOARD, "--out", tmp_path)
    refused(ran, "holds firmware.bin, which fwgen did not write")
    assert [p.name for p in tmp_path.iterdir()] == ["firmware.bin"]


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs /proc")
def test_an_output_folder_that_cannot_be_written(fwgen: Call) -> None:
    ran = fwgen(BLINK, "--board", BOARD, "--out", "/proc/fwgen")
    assert ran.code == 2
    assert "error the output folder cannot be written: " in ran.said
    assert "choose another folder with --out" in ran.said
    said = json.loads(fwgen(BLINK, "--board", BOARD, "--out", "/proc/fwgen", "--json").out)
    assert said["error"]["kind"] == "OutputError"


# ---------------------------------------------------------------------------- contracts


def test_a_missing_contract(fwgen: Call, image: Callable[[str], Path]) -> None:
    refused(fwgen("verify", image("spin"), "--board", BOARD, "--contract", "nowhere.toml"),
            "there is no such contract file", "nowhere.toml")  # fmt: skip


@pytest.mark.parametrize("command", ["verify", "make"])
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("span = ", "TOML"),
        ("\x00\xff", "cannot be read"),
        ("", "nothing is expected"),
        (QUIET.replace("quiet = true", "quiets = true"), "did you mean quiet"),
        (QUIET.replace("quiet = true", 'blinks = "PZ9"\nrate = "2 Hz"'), "PZ9"),
        (QUIET.replace("quiet = true", 'blinks = "LD2"\nrate = "2 Volt"'), "2 Volt"),
        (QUIET.replace('"50 ms"', '"-1 s"'), "-1 s"),
        (
            QUIET.replace("quiet = true", 'level = "LD2"\nis = "on"')
            + '\n[[expect]]\nlevel = "LD2"\nis = "off"\n',
            "LD2",
        ),
        (QUIET.replace("nucleo-f401", "arduino-uno"), "arduino-uno"),
    ],
    ids=["cut", "binary", "empty", "unknown-key", "unknown-pin", "unit", "negative", "contradicts",
         "other-board"],
)  # fmt: skip
def test_a_wrong_contract_is_refused_by_its_place(
    fwgen: Call, image: Callable[[str], Path], tmp_path: Path, command: str, text: str, message: str
) -> None:
    contract = tmp_path / "c.toml"
    contract.write_bytes(text.encode("latin-1"))
    what = image("spin") if command == "verify" else BLINK
    ran = fwgen(command, what, "--board", BOARD, "--contract", contract)
    refused(ran, message, "c.toml")
    assert not (tmp_path / "fwgen-out").exists()


# ---------------------------------------------------------------------------- images


def hex_record(address: int, data: bytes) -> bytes:
    body = bytes([len(data), address >> 8 & 0xFF, address & 0xFF, 0]) + data
    return b":" + (body + bytes([-sum(body) & 0xFF])).hex().upper().encode() + b"\n"


BASE_RECORD, END_RECORD = b":020000040800F2\n", b":00000001FF\n"
OVERLAP = BASE_RECORD + hex_record(0, bin_of("spin")) + hex_record(4, bytes(8)) + END_RECORD


@pytest.mark.parametrize("command", ["verify", "run", "explain"])
@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("empty.hex", b"", "is empty"),
        ("empty.bin", b"", "is empty"),
        ("empty.elf", b"", "is empty"),
        ("cut.hex", hex_of("spin")[:-20], "cut.hex"),
        ("cut.bin", bin_of("spin")[:5], "5 bytes hold no vector table"),
        ("cut.elf", b"\x7fELF\x01\x01\x01" + bytes(9), "damaged or truncated ELF"),
        ("large.bin", bin_of("spin") + bytes(512 * 1024), "does not fit"),
        ("overlap.hex", OVERLAP, "overlap"),
        ("random.bin", random.Random(1).randbytes(4096), "initial stack pointer"),
        ("random.hex", random.Random(2).randbytes(4096), "not Intel HEX"),
        ("random.elf", random.Random(3).randbytes(4096), "is not an ELF file"),
        ("zero.bin", bytes(64), "initial stack pointer 0x00000000"),
        ("blank.bin", b"\xff" * 64, "blank"),
        ("rp2040.bin", bytes.fromhex("0020042015000010") + bytes(64), "made for another chip"),
        ("avr.hex", b":100000000C945C000C946E000C946E000C946E00CA\n" + END_RECORD, "0x00000000"),
        ("notes.txt", b"hello", ".txt is no firmware format that we read"),
        ("noformat", b"hello", "without a suffix"),
    ],
)
def test_a_damaged_or_foreign_image(
    fwgen: Call, quiet: Path, tmp_path: Path, command: str, name: str, content: bytes, message: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    more = ["--contract", quiet] if command == "verify" else []
    refused(fwgen(command, path, "--board", BOARD, *more), message, name)


@pytest.mark.parametrize("command", ["verify", "run", "explain"])
def test_an_image_that_is_not_there(fwgen: Call, quiet: Path, tmp_path: Path, command: str) -> None:
    more = ["--contract", quiet] if command == "verify" else []
    refused(fwgen(command, "nowhere.hex", "--board", BOARD, *more), "nowhere.hex")
    (tmp_path / "folder.hex").mkdir()
    refused(fwgen(command, "folder.hex", "--board", BOARD, *more), "folder.hex")


# ---------------------------------------------------------------------------- live stimuli


@pytest.mark.parametrize(
    ("option", "text", "message"),
    [
        ("--press", "B1", "'B1' says no time"),
        ("--press", "B1@soon", "'soon' is not a duration"),
        ("--press", "B9@1s", "has no button 'B9'"),
        ("--press", "@1s", "says no time"),
        ("--drive", "D2@1s=hihg", "did you mean high?"),
        ("--drive", "D99@1s=high", "has no pin 'D99'"),
        ("--send", r"a\q@1s", r"\q is no escape"),
        ("--send", "hello", "says no time"),
        ("--for", "5 parsecs", "parsecs"),
        ("--for", "0s", "no time to run"),
    ],
)
def test_a_wrong_stimulus(
    fwgen: Call, image: Callable[[str], Path], option: str, text: str, message: str
) -> None:
    more = [] if option == "--for" else ["--for", "1s"]
    ran = fwgen("run", image("spin"), "--board", BOARD, option, text, "--quiet", *more)
    refused(ran, message)


# ---------------------------------------------------------------------------- in JSON


@pytest.mark.parametrize(
    "arguments",
    [
        ["--json"],
        [BLINK, "--json"],
        [BLINK, "--board", "x", "--json"],
        ["", "--board", BOARD, "--json"],
        ["make coffee", "--board", BOARD, "--json"],
        ["verify", "--json"],
        ["verify", "x.hex", "--board", BOARD, "--contract", "c.toml", "--json"],
        ["explain", "x.hex", "--board", BOARD, "--json"],
        ["boards", "show", "x", "--json"],
        ["boards", "shw", "--json"],
        [BLINK, "--jsn", "--json"],
    ],
    ids=" ".join,
)
def test_an_error_is_one_json_object(fwgen: Call, arguments: list[str]) -> None:
    ran = fwgen(*arguments)
    assert ran.code == 2
    assert ran.err == ""
    said = json.loads(ran.out)
    assert said["outcome"] == "error"
    assert said["exit_code"] == 2
    assert said["error"]["message"]
    assert set(said["error"]) == {"kind", "message", "where", "hint", "words"}


def test_a_mistake_of_ours_is_said_to_be_one(fwgen: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_arguments: list[str]) -> int:
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr(cli, "_dispatch", broken)
    refused(fwgen("boards"), "fwgen itself failed: ZeroDivisionError", "FWGEN_TRACEBACK=1")
    monkeypatch.setenv("FWGEN_TRACEBACK", "1")
    with pytest.raises(ZeroDivisionError):
        fwgen("boards")
