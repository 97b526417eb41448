"""Register maps: what they say, and how a wrong one is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fwgen.board import registers
from fwgen.board.registers import Access, known_register_maps, load_register_map
from fwgen.errors import BoardError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(registers, "boards_folder", lambda: tmp_path)
    (tmp_path / "registers" / "toy").mkdir(parents=True)
    load_register_map.cache_clear()
    return tmp_path / "registers" / "toy"


@pytest.mark.parametrize("name", known_register_maps())
def test_every_map_loads_and_names_its_source(name: str) -> None:
    found = load_register_map(name)
    assert found.source
    assert found.registers
    for register in found.registers.values():
        assert found.at(register.offset) is register
        assert found.at(register.offset + register.width // 8 - 1) is register


def test_fields_have_bits_and_access_kinds() -> None:
    sr = load_register_map("stm32.i2c_v1").registers["SR1"]
    assert sr.fields["AF"].access is Access.RC_W0
    assert sr.fields["ADDR"].access is Access.R
    ccr = load_register_map("stm32.i2c_v1").registers["CCR"]
    assert ccr.fields["CCR"].mask == 0xFFF
    assert ccr.defined == 0xCFFF


def test_an_unknown_map_is_refused_with_what_was_meant() -> None:
    with pytest.raises(BoardError, match=r"did you mean stm32\.usart_v2"):
        load_register_map("stm32.usart_v3")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[SR]\noffset = 0", "names its source"),
        ("source = 'x'\n[SR]\nreset = 0", "needs an offset"),
        ("source = 'x'\n[SR]\noffset = -4", "needs an offset"),
        ("source = 'x'\n[SR]\noffset = 0\nwidth = 24", "24 is not 8, 16 or 32"),
        ("source = 'x'\n[SR]\noffset = 0\nwidth = 8\nreset = 256", "does not fit 8 bits"),
        ("source = 'x'\n[SR]\noffset = 0\nrest = 1", "unknown key 'rest'"),
        ("source = 'x'\n[SR]\noffset = 0\nfields = { A = '3:0', B = '3' }", "overlap"),
        ("source = 'x'\n[SR]\noffset = 0\nfields = { A = '32' }", "lie outside"),
        ("source = 'x'\n[SR]\noffset = 0\nfields = { A = '0:3' }", "highest bit first"),
        ("source = 'x'\n[SR]\noffset = 0\nfields = { A = '0 rc_w9' }", "is not bits and access"),
        ("source = 'x'\n[A]\noffset = 0\n[B]\noffset = 2", "A and B overlap"),
        ("source = 'x'\nSR = 3", "a register is a table"),
        ("source =", "not valid TOML"),
    ],
)
def test_a_wrong_map_is_refused(folder: Path, text: str, message: str) -> None:
    (folder / "broken.toml").write_text(text, encoding="utf-8")
    with pytest.raises(BoardError, match=message) as caught:
        load_register_map("toy.broken")
    assert "boards/registers/toy/broken.toml" in str(caught.value)
