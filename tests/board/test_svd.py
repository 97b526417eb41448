"""SVD files become register maps that load."""

from __future__ import annotations

import tomllib
import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING

import pytest

from fwgen.board import registers, svd
from fwgen.board.registers import Access, load_register_map
from fwgen.errors import BoardError

if TYPE_CHECKING:
    from pathlib import Path

TOY = """<?xml version="1.0"?>
<device>
 <name>TOY</name><size>32</size><resetValue>0</resetValue><access>read-write</access>
 <peripherals>
  <peripheral>
   <name>UART1</name><baseAddress>0x40000000</baseAddress>
   <registers>
    <register>
     <name>SR</name><addressOffset>0x0</addressOffset><resetValue>0xC0</resetValue>
     <access>read-only</access>
     <fields>
      <field><name>TXE</name><bitOffset>7</bitOffset><bitWidth>1</bitWidth></field>
      <field><name>TC</name><lsb>6</lsb><msb>6</msb><access>read-write</access>
       <modifiedWriteValues>zeroToClear</modifiedWriteValues></field>
     </fields>
    </register>
    <register>
     <name>DR</name><addressOffset>0x4</addressOffset><size>0x10</size>
     <fields><field><name>DR</name><bitRange>[8:0]</bitRange></field></fields>
    </register>
    <register>
     <dim>3</dim><dimIncrement>4</dimIncrement><dimIndex>A,B,C</dimIndex>
     <name>BUF%s</name><addressOffset>0x8</addressOffset>
    </register>
    <register><name>DR_BYTE</name><addressOffset>0x4</addressOffset><size>8</size></register>
    <cluster>
     <dim>2</dim><dimIncrement>0x10</dimIncrement><name>CH[%s]</name>
     <addressOffset>0x20</addressOffset>
     <register><name>CR</name><addressOffset>0x0</addressOffset><access>write-only</access>
     </register>
     <register derivedFrom="CR"><name>CR2</name><addressOffset>0x4</addressOffset></register>
    </cluster>
   </registers>
  </peripheral>
  <peripheral derivedFrom="UART1"><name>UART2</name></peripheral>
  <peripheral derivedFrom="UART9"><name>LOST</name></peripheral>
  <peripheral derivedFrom="LOOP"><name>LOOP</name></peripheral>
 </peripherals>
</device>
"""


def toy() -> ET.Element:
    return ET.fromstring(TOY)


@pytest.mark.parametrize(
    ("text", "value"),
    [("0x20", 32), ("00000010", 10), ("#101", 5), ("0b11x1", 13), ("4k", 4096), ("+7", 7)],
)
def test_numbers_are_read_as_svd_defines_them(text: str, value: int) -> None:
    assert svd.svd_number(text) == value


@pytest.mark.parametrize("text", ["", "x", "0x", "-1", "1.5", "0xG"])
def test_what_is_no_number_is_refused(text: str) -> None:
    with pytest.raises(BoardError, match="not a number"):
        svd.svd_number(text)


def test_registers_arrays_and_clusters_are_counted_out() -> None:
    found = {r.name: r.offset for r in svd.peripheral_registers(toy(), "UART1")}
    assert found == {
        "SR": 0,
        "DR": 4,
        "DR_BYTE": 4,
        "BUFA": 8,
        "BUFB": 12,
        "BUFC": 16,
        "CH0_CR": 0x20,
        "CH0_CR2": 0x24,
        "CH1_CR": 0x30,
        "CH1_CR2": 0x34,
    }


def test_a_derived_peripheral_has_the_registers_of_its_original() -> None:
    assert svd.peripheral_registers(toy(), "UART2") == svd.peripheral_registers(toy(), "UART1")


def test_the_map_loads_and_keeps_access_kinds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = svd.register_map_toml(toy(), "UART1", 'a "toy"')
    assert "left out: DR_BYTE" in text
    monkeypatch.setattr(registers, "boards_folder", lambda: tmp_path)
    target = tmp_path / "registers" / "toy" / "uart.toml"
    target.parent.mkdir(parents=True)
    target.write_text(text, encoding="utf-8")
    load_register_map.cache_clear()
    made = load_register_map("toy.uart")
    assert made.source == 'a "toy"'
    sr = made.registers["SR"]
    assert (sr.reset, sr.fields["TXE"].access) == (0xC0, Access.R)
    assert sr.fields["TC"].access is Access.RC_W0
    assert (made.registers["DR"].width, made.registers["DR"].fields["DR"].mask) == (16, 0x1FF)
    assert "DR_BYTE" not in made.registers


@pytest.mark.parametrize(("name", "missing"), [("UART3", "UART3"), ("LOST", "UART9")])
def test_a_peripheral_that_is_not_there_is_refused(name: str, missing: str) -> None:
    with pytest.raises(BoardError, match=f"no peripheral '{missing}'"):
        svd.peripheral_registers(toy(), name)


def test_a_peripheral_derived_from_itself_has_no_registers() -> None:
    assert svd.peripheral_registers(toy(), "LOOP") == ()


def test_the_command_prints_a_map_or_says_why_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "toy.svd"
    path.write_text(TOY, encoding="utf-8")
    assert svd.main([str(path), "UART1"]) == 0
    assert tomllib.loads(capsys.readouterr().out)["SR"]["reset"] == 0xC0
    assert svd.main([str(path), "UART3"]) == 2
    assert "did you mean UART2 or UART1" in capsys.readouterr().err
    assert svd.main([str(tmp_path / "none.svd"), "UART1"]) == 2
    assert "cannot be read" in capsys.readouterr().err
    path.write_text("<html/>", encoding="utf-8")
    assert svd.main([str(path), "UART1"]) == 2
    assert "no SVD" in capsys.readouterr().err
    assert svd.main([]) == 2
