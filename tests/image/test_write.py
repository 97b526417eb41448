from __future__ import annotations

import contextlib
import io
import os
import re
import shutil
import signal
import subprocess
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from fwgen.board.types import Memory
from fwgen.errors import OutputError
from fwgen.image.link import link
from fwgen.image.write import (
    bin_bytes,
    hex_bytes,
    write_atomic,
    write_bin,
    write_elf,
    write_hex,
    write_listing,
)

from .build import HALT, code, emission

if TYPE_CHECKING:
    from pathlib import Path

    from elftools.elf.elffile import ELFFile

    from fwgen.board.types import Board
    from fwgen.image.types import Image


def elf_of(image: Image) -> ELFFile:
    from elftools.elf.elffile import ELFFile

    from fwgen.image.elf import elf_bytes

    return ELFFile(io.BytesIO(elf_bytes(image, "firmware.lst")))


def test_the_same_image_gives_the_same_bytes(blink: Image, tmp_path: Path) -> None:
    for write, name in (
        (write_bin, "f.bin"), (write_hex, "f.hex"), (write_elf, "f.elf"), (write_listing, "f.lst"),
    ):  # fmt: skip
        first = write(blink, tmp_path / name).read_bytes()
        assert write(blink, tmp_path / name).read_bytes() == first
        assert first
    assert (tmp_path / "f.bin").read_bytes() == bin_bytes(blink) == blink.segments[0].data
    assert (tmp_path / "f.hex").read_bytes() == hex_bytes(blink)
    assert b"\r" not in (tmp_path / "f.hex").read_bytes()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["f.bin", "f.elf", "f.hex", "f.lst"]


def test_folders_are_made(blink: Image, tmp_path: Path) -> None:
    assert write_bin(blink, tmp_path / "a" / "b" / "f.bin").is_file()


def test_a_folder_that_cannot_be_written_is_an_output_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError, match="cannot be written"):
        write_atomic(tmp_path / "file" / "f.bin", b"")
    (tmp_path / "taken.bin").mkdir()
    with pytest.raises(OutputError):
        write_atomic(tmp_path / "taken.bin", b"")
    with pytest.raises(OutputError):
        write_atomic("a\0b.bin", b"")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "taken.bin"]


def test_a_write_that_fails_half_way_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_atomic(tmp_path / "f.bin", b"old")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.replace", full)
    with pytest.raises(OutputError, match="No space left"):
        write_atomic(path, b"new")
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["f.bin"]


# --- the ELF file, as pyelftools reads it ---


def test_program_headers_place_the_flash_and_reserve_the_ram(blink: Image) -> None:
    elf = elf_of(blink)
    flash, ram = list(elf.iter_segments())
    assert flash["p_paddr"] == flash["p_vaddr"] == 0x08000000
    assert flash.data() == blink.segments[0].data
    assert (ram["p_vaddr"], ram["p_filesz"], ram["p_memsz"]) == (0x20000000, 0, 4)
    assert elf["e_entry"] == blink.entry
    assert elf["e_flags"] == 0x05000000


def test_symbols_have_the_thumb_bit_and_a_section(blink: Image) -> None:
    elf = elf_of(blink)
    table = elf.get_section_by_name(".symtab")
    (tick,) = table.get_symbol_by_name("tick")
    assert tick["st_value"] == blink.find("tick").address | 1
    assert tick["st_size"] == blink.find("tick").size
    assert tick["st_info"] == {"bind": "STB_GLOBAL", "type": "STT_FUNC"}
    assert elf.get_section(tick["st_shndx"]).name == ".text"
    (count,) = table.get_symbol_by_name("count")
    assert elf.get_section(count["st_shndx"]).name == ".bss"
    binds = [symbol["st_info"]["bind"] for symbol in table.iter_symbols()]
    assert binds == sorted(binds, key=("STB_LOCAL", "STB_GLOBAL").index)
    assert table["sh_info"] == binds.index("STB_GLOBAL")


def test_mapping_symbols_tell_code_from_data(blink: Image) -> None:
    table = elf_of(blink).get_section_by_name(".symtab")
    marks = [(s["st_value"], s.name) for s in table.iter_symbols() if s.name in ("$t", "$d")]
    assert marks == [
        (0x08000000, "$d"),
        (blink.find("reset").address, "$t"),
        (blink.find("k_rcc").address, "$d"),
        (blink.find("default_handler").address, "$t"),
    ]


def test_every_instruction_has_its_line_of_the_listing(blink: Image) -> None:
    dwarf = elf_of(blink).get_dwarf_info()
    (unit,) = dwarf.iter_CUs()
    program = dwarf.line_program_for_CU(unit)
    assert program["file_entry"][0].name == b"firmware.lst"
    rows = {
        entry.state.address: entry.state.line
        for entry in program.get_entries()
        if entry.state is not None and not entry.state.end_sequence
    }
    code = {x.address: x.number for x in blink.listing.lines if x.kind == "code"}
    assert rows == code
    text = str(blink.listing).splitlines()
    for address, number in rows.items():
        assert text[number - 1].startswith(f"{address:08x}  ")


def test_functions_are_in_the_debug_information(blink: Image) -> None:
    dwarf = elf_of(blink).get_dwarf_info()
    (unit,) = dwarf.iter_CUs()
    found = {
        die.attributes["DW_AT_name"].value.decode(): die.attributes["DW_AT_low_pc"].value
        for die in unit.iter_DIEs()
        if die.tag == "DW_TAG_subprogram"
    }
    assert found == {s.name: s.address for s in blink.symbols if s.kind == "code"}


# --- and as the GNU tools do ---


def tool(*names: str) -> str:
    found = next((path for path in map(shutil.which, names) if path), None)
    if found is None:
        pytest.skip(f"{names[0]} is not installed")
    return found


def run(*command: str, folder: Path) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    assert not done.stderr.strip(), done.stderr
    return done.stdout


def test_readelf_finds_nothing_to_warn_about(blink: Image, tmp_path: Path) -> None:
    readelf = tool("arm-none-eabi-readelf", "readelf")
    write_elf(blink, tmp_path / "firmware.elf")
    shown = run(readelf, "-a", "-w", "firmware.elf", folder=tmp_path)
    assert "Microcontroller" in shown
    assert "firmware.lst" in shown
    assert "warning" not in shown.lower()


def test_objdump_disassembles_code_and_leaves_data(blink: Image, tmp_path: Path) -> None:
    objdump = tool("arm-none-eabi-objdump")
    write_elf(blink, tmp_path / "firmware.elf")
    shown = run(objdump, "-d", "firmware.elf", folder=tmp_path)
    assert "<tick>:" in shown
    assert "wfi" in shown
    assert "3830 4002" in shown  # the literal k_rcc, dumped and not disassembled


def gdb(folder: Path, *commands: str) -> str:
    program = tool("gdb-multiarch", "arm-none-eabi-gdb")
    options = [part for command in commands for part in ("-ex", command)]
    running = subprocess.Popen(
        [program, "-nx", "-batch", *options, "firmware.elf"],
        cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        start_new_session=True,
    )  # fmt: skip
    try:
        return running.communicate(timeout=60)[0]
    finally:
        with contextlib.suppress(ProcessLookupError):  # gdb, and the emulator it started
            os.killpg(running.pid, signal.SIGKILL)


@pytest.fixture
def out(blink: Image, tmp_path: Path) -> Path:
    write_elf(blink, tmp_path / "firmware.elf")
    write_listing(blink, tmp_path / "firmware.lst")
    return tmp_path


def test_gdb_knows_the_line_of_an_address(blink: Image, out: Path) -> None:
    address = blink.find("toggle").address
    number = blink.listing.line_for(address).number
    shown = gdb(out, f"info line *{address:#x}")
    assert f'Line {number} of "firmware.lst" starts at address {address:#x}' in shown


def test_gdb_lists_the_listing_as_source(blink: Image, out: Path) -> None:
    shown = gdb(out, "list tick")
    line = blink.listing.line_for(blink.find("tick").address)
    assert line.text in shown


def test_a_gdb_breakpoint_by_symbol_stops_at_its_first_instruction(blink: Image, out: Path) -> None:
    address = blink.find("tick").address
    number = blink.listing.line_for(address).number
    shown = gdb(out, "break tick")
    assert f"Breakpoint 1 at {address:#x}: file firmware.lst, line {number}." in shown


def test_gdb_steps_through_the_listing_on_qemu(board: Board, tmp_path: Path) -> None:
    """Linked for QEMU's mps2-an386 (Cortex-M4: code at 0), stepped by gdb line by line."""
    qemu = tool("qemu-system-arm")
    memories = {
        "flash": Memory("flash", 0, 0x400000, "flash"),
        "sram": Memory("sram", 0x20000000, 0x400000, "ram"),
    }
    chip = replace(board.chip, memories=memories)
    image = link(
        emission(
            code("reset", "movs r0, #1", "bl double @THM_CALL double", HALT),
            code("double", "adds r0, r0, r0", "bx lr"),
        ),
        chip,
    )
    write_elf(image, tmp_path / "firmware.elf")
    write_listing(image, tmp_path / "firmware.lst")
    machine = f"{qemu} -M mps2-an386 -kernel firmware.elf -S -gdb stdio -display none"
    steps = ["step"] * 4
    shown = gdb(
        tmp_path,
        f"target remote | {machine} -monitor none -serial none",
        *steps,
        "info registers r0",
        "kill",
    )
    stepped = re.findall(r"^(\d+)\t(.*)", shown, re.MULTILINE)
    lines = str(image.listing).splitlines()
    assert all(text.strip() == lines[int(number) - 1].strip() for number, text in stepped)
    met = [re.split(r"\s{2,}", text.strip())[2] for _, text in stepped]
    assert met == ["movs r0, #1", "bl double", "adds r0, r0, r0", "bx lr", "b halt"], shown
    assert re.search(r"r0 +0x2 ", shown), shown
