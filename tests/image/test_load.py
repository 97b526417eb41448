from __future__ import annotations

import contextlib
import struct
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from elftools.elf.elffile import ELFFile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fwgen.errors import ImageError
from fwgen.image.load import load_image
from fwgen.image.types import Symbol
from fwgen.image.write import bin_bytes, hex_bytes, write_bin, write_elf, write_hex

if TYPE_CHECKING:
    from fwgen.board.types import Board
    from fwgen.image.types import Image

FLASH = 0x08000000
GOOD = struct.pack("<II", 0x20018000, FLASH | 9) + b"\xfe\xe7"


def refused(path: Path, board: Board, said: str) -> ImageError:
    with pytest.raises(ImageError) as caught:
        load_image(path, board)
    assert said in str(caught.value), str(caught.value)
    assert path.name in (caught.value.where or "")
    return caught.value


def file(folder: Path, name: str, data: bytes) -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


# --- what we write, we read ---


@pytest.mark.parametrize("suffix", ["hex", "bin", "elf"])
def test_every_format_gives_the_same_image_back(
    blink: Image, board: Board, tmp_path: Path, suffix: str
) -> None:
    write = {"hex": write_hex, "bin": write_bin, "elf": write_elf}[suffix]
    read = load_image(write(blink, tmp_path / f"firmware.{suffix}"), board)
    assert read.segments == blink.segments
    assert (read.entry, read.initial_sp) == (blink.entry, blink.initial_sp)
    assert read.flash_used == blink.flash_used
    assert read.source.endswith(f"firmware.{suffix}")


@pytest.mark.parametrize("name", ["firmware", "firmware-0.1", "app.img"])
def test_an_elf_is_told_by_its_first_bytes_whatever_its_name(
    blink: Image, board: Board, tmp_path: Path, name: str
) -> None:
    read = load_image(write_elf(blink, tmp_path / name), board)  # as cargo leaves it
    assert read.segments == blink.segments
    assert {s.name for s in read.symbols} == {s.name for s in blink.symbols}


def test_names_of_rust_and_cpp_are_those_of_the_source_and_the_linkers_are_written_again(
    blink: Image, board: Board, tmp_path: Path
) -> None:
    mangled = {
        "_RNvCs9fEMpcmEePE_3pac4main": "pac::main",
        "_ZN3pac4main17h0123456789abcdefE": "pac::main",
        "_ZN4Uart4sendEPKc": "Uart::send(char const*)",
        "_Reset": "_Reset",
    }
    symbols = tuple(Symbol(name, FLASH + 8, 2, "code") for name in mangled)
    first = write_elf(replace(blink, symbols=symbols), tmp_path / "a.elf")
    read = load_image(first, board)
    assert [s.name for s in read.symbols] == list(mangled.values())
    again = write_elf(read, tmp_path / "b.elf")
    with again.open("rb") as file:
        table = ELFFile(file).get_section_by_name(".symtab")
        assert set(mangled) <= {symbol.name for symbol in table.iter_symbols()}


def test_an_elf_brings_symbols_and_ram_use(blink: Image, board: Board, tmp_path: Path) -> None:
    read = load_image(write_elf(blink, tmp_path / "f.elf"), board)
    assert {(s.name, s.address, s.size, s.kind) for s in read.symbols} == {
        (s.name, s.address, s.size, s.kind) for s in blink.symbols
    }
    assert read.ram_used == blink.ram_used == 4


def test_segments_apart_stay_apart_in_hex_and_are_filled_as_erased_in_bin(
    board: Board, tmp_path: Path
) -> None:
    from intelhex import IntelHex

    made = IntelHex()
    made.puts(FLASH, GOOD)
    made.puts(FLASH + 0x100, b"far")
    made.write_hex_file(str(tmp_path / "a.hex"))
    image = load_image(tmp_path / "a.hex", board)
    assert [s.address for s in image.segments] == [FLASH, FLASH + 0x100]
    assert image.flash_used == 13
    assert image.read(FLASH + 0x20, 1) is None
    filled = bin_bytes(image)
    assert filled[10:0x100] == b"\xff" * (0x100 - 10)
    assert filled[0x100:] == b"far"
    assert b":00000001FF" in hex_bytes(image)


# --- what cannot be a firmware for this chip is refused ---


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("a.bin", b"", "empty"),
        ("a.bin", GOOD[:6], "no vector table"),
        ("a.bin", b"\xff" * 64, "blank"),
        ("a.bin", bytes(64), "initial stack pointer 0x00000000"),
        ("a.bin", struct.pack("<II", 0x20040000, FLASH | 9) + b"\xfe\xe7", "outside the RAM"),
        ("a.bin", struct.pack("<II", 0x20017FFE, FLASH | 9) + b"\xfe\xe7", "multiple of 4"),
        ("a.bin", struct.pack("<II", 0x20018000, FLASH + 8) + b"\xfe\xe7", "even"),
        ("a.bin", struct.pack("<II", 0x20018000, 0x00000109) + b"\xfe\xe7", "another chip"),
        ("a.bin", struct.pack("<II", 0x20018000, FLASH | 0x101), "outside the image"),
        ("a.bin", GOOD + bytes(512 * 1024), "does not fit"),
        ("a.bin", b"\x7fELF" + GOOD, "is an ELF file"),
        ("a.txt", GOOD, "no firmware format"),
        ("firmware", GOOD, "no firmware format"),
        ("a.hex", b"", "empty"),
        ("a.hex", b"hello\n", "not valid Intel HEX"),
        ("a.hex", b"\xff\x00", "not text"),
        ("a.hex", b":00000001FF\n", "holds no bytes"),
        ("a.hex", b":0100000001FE\n:00000001FF\n", "boot alias"),
        ("a.hex", b":020000040800F2\n:0100000001FE\n", "no end record"),
        ("a.hex", b":020000040800F2\n:0100000001FF\n:00000001FF\n", "checksum"),
        ("a.hex", b":020000040800F2\n:0100000001FE\n:0100000001FE\n:00000001FF\n", "overlap"),
        ("a.hex", b":00000001FF\n:0100000001FE\n", "goes on after"),
        ("a.hex", b":020000042000DA\n:0100000001FE\n:00000001FF\n", "not in STM32F401RE's flash"),
        ("a.hex", b":020000041FFFDC\n:01C00000AA95\n:00000001FF\n", "options"),
        ("a.elf", b"hello, this is no ELF", "not an ELF"),
        ("a.elf", b"\x7fELF", "damaged"),
        ("a.elf", b"\x7fELF" + bytes(48), "damaged"),
    ],
)
def test_a_bad_file_is_refused_with_its_name_and_the_reason(
    board: Board, tmp_path: Path, name: str, data: bytes, said: str
) -> None:
    refused(file(tmp_path, name, data), board, said)


def test_code_linked_at_the_boot_alias_is_the_flashs(board: Board, tmp_path: Path) -> None:
    data = struct.pack("<II", 0x20018000, 0x9) + b"\xfe\xe7"
    image = load_image(file(tmp_path, "a.bin", data), board)
    assert image.entry == 0x9  # as the vector has it: the core runs at the alias


def test_what_is_not_a_file_is_refused(board: Board, tmp_path: Path) -> None:
    refused(tmp_path / "none.hex", board, "no such file")
    (tmp_path / "folder.bin").mkdir()
    refused(tmp_path / "folder.bin", board, "not a file")


@pytest.mark.parametrize(
    ("offset", "value", "said"),
    [
        (18, b"\x3e", "is for X86_64"),
        (5, b"\x02", "big-endian"),
        (4, b"\x02", ""),
        (16, b"\x01", "object file"),
        (16, b"\x03", "not an executable"),
        (28, b"\xff\xff", "truncated"),  # e_phoff
        (44, b"\xff", "truncated"),  # e_phnum
        (32, b"\xff\xff", "section headers are cut off"),  # e_shoff
        (52 + 4, b"\xff\xff\xff\x0f", "truncated"),  # p_offset
        (52 + 12, b"\0\0\0\x30", "in no memory"),  # p_paddr
    ],
)
def test_an_elf_with_one_field_wrong_is_refused(
    blink: Image, board: Board, tmp_path: Path, offset: int, value: bytes, said: str
) -> None:
    data = bytearray(write_elf(blink, tmp_path / "good.elf").read_bytes())
    data[offset : offset + len(value)] = value
    refused(file(tmp_path, "bad.elf", bytes(data)), board, said)


def test_an_elf_that_needs_more_ram_than_there_is(
    blink: Image, board: Board, tmp_path: Path
) -> None:
    data = bytearray(write_elf(blink, tmp_path / "good.elf").read_bytes())
    struct.pack_into("<I", data, 52 + 32 + 20, 0x100000)  # p_memsz of .bss
    refused(file(tmp_path, "bad.elf", bytes(data)), board, "needs RAM up to")


def test_a_program_for_this_computer_is_refused(board: Board, tmp_path: Path) -> None:
    native = Path("/bin/ls")
    if not native.is_file() or native.read_bytes()[:4] != b"\x7fELF":
        pytest.skip("this computer has no ELF programs")
    path = file(tmp_path, "ls.elf", native.read_bytes())
    with pytest.raises(ImageError, match=r"not for a 32-bit Arm|executable"):
        load_image(path, board)


FUZZ = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@FUZZ
@given(st.sampled_from(["hex", "bin", "elf"]), st.binary(max_size=200))
def test_any_bytes_are_loaded_or_refused(
    board: Board, tmp_path: Path, suffix: str, data: bytes
) -> None:
    with contextlib.suppress(ImageError):
        load_image(file(tmp_path, f"x.{suffix}", data), board)


@FUZZ
@given(
    st.sampled_from(["hex", "elf"]),
    st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), max_size=6),
    st.integers(0, 400),
)
def test_a_damaged_file_is_loaded_or_refused(
    blink: Image,
    board: Board,
    tmp_path: Path,
    suffix: str,
    changes: list[tuple[int, int]],
    cut: int,
) -> None:
    path = tmp_path / f"good.{suffix}"
    if not path.exists():
        {"hex": write_hex, "elf": write_elf}[suffix](blink, path)
    data = bytearray(path.read_bytes())
    for at, value in changes:
        data[at % len(data)] = value
    with contextlib.suppress(ImageError):
        load_image(file(tmp_path, f"x.{suffix}", bytes(data[: len(data) - cut])), board)


@FUZZ
@given(st.lists(st.tuples(st.integers(0, 51 + 64), st.integers(0, 255)), min_size=1, max_size=3))
def test_damaged_elf_headers_are_loaded_or_refused(
    blink: Image, board: Board, tmp_path: Path, changes: list[tuple[int, int]]
) -> None:
    path = tmp_path / "good.elf"
    if not path.exists():
        write_elf(blink, path)
    data = bytearray(path.read_bytes())
    for at, value in changes:
        data[at] = value
    with contextlib.suppress(ImageError):
        load_image(file(tmp_path, "x.elf", bytes(data)), board)
