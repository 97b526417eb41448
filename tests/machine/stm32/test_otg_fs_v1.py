"""USB OTG without a cable and without a core. RM0368 §22."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fwgen.units import PS_PER_MS
from tests.machine.stm32.alone import MHZ, US, Requests, gaps, hazards, soc_with

if TYPE_CHECKING:
    from fwgen.machine.soc import Soc

NAME = "OTG_FS"
CSRST, RXFFLSH, TXFFLSH, AHBIDL = 1, 1 << 4, 1 << 5, 1 << 31
FHMOD, FDMOD = 1 << 29, 1 << 30
PWRDWN, VBUSBSEN, NOVBUSSENS = 1 << 16, 1 << 19, 1 << 21
BSVLD, CIDSTS = 1 << 19, 1 << 16
ESUSP, USBSUSP, SDIS = 1 << 10, 1 << 11, 2
EPENA, EPDIS, SNAK, CNAK, NAKSTS = 1 << 31, 1 << 30, 1 << 27, 1 << 26, 1 << 17


def usb(hz: int = 48 * MHZ) -> Soc:
    soc = soc_with(NAME, hz=84 * MHZ)
    soc.clock("PLL48").set(hz, 0)
    return soc


@pytest.mark.parametrize("bit", [CSRST, RXFFLSH, TXFFLSH, 2, 4])
def test_resets_and_flushes_clear_themselves(bit: int) -> None:
    soc = usb()
    assert soc.read(NAME, "GRSTCTL") & AHBIDL
    soc.write(NAME, "GRSTCTL", bit)
    assert soc.read(NAME, "GRSTCTL") & bit
    soc.run_until(US)
    assert soc.read(NAME, "GRSTCTL") & (bit | AHBIDL) == AHBIDL
    assert not [h for h in hazards(soc) if h.severity != "note"]


def test_without_48_mhz_the_core_reset_never_ends_and_is_told() -> None:
    soc = usb(0)
    soc.write(NAME, "GRSTCTL", CSRST)
    soc.run_until(100 * PS_PER_MS)
    assert soc.read(NAME, "GRSTCTL") & CSRST
    assert "stands still" in hazards(soc, "usb-clock")[0].message
    soc.clock("PLL48").set(48 * MHZ, soc.now_ps)
    soc.run_until(101 * PS_PER_MS)
    assert not soc.read(NAME, "GRSTCTL") & CSRST


@pytest.mark.parametrize(("hz", "told"), [(48_100_000, 0), (48_200_000, 1), (42_000_000, 1)])
def test_a_quarter_of_a_per_cent_is_all_that_usb_bears(hz: int, told: int) -> None:
    soc = usb(hz)
    soc.write(NAME, "GCCFG", PWRDWN)
    assert len(hazards(soc, "usb-clock")) == told


def test_a_forced_mode_holds_after_25_ms() -> None:
    soc = usb()
    soc.write(NAME, "GUSBCFG", FHMOD)
    soc.run_until(25 * PS_PER_MS - 1)
    assert soc.read(NAME, "GINTSTS") & 1 == 0
    soc.run_until(25 * PS_PER_MS)
    assert soc.read(NAME, "GINTSTS") & 1 == 1
    soc.write(NAME, "GUSBCFG", FDMOD)
    soc.run_until(50 * PS_PER_MS)
    assert soc.read(NAME, "GINTSTS") & 1 == 0


def test_no_cable_is_no_session_and_nothing_follows() -> None:
    soc = usb()
    heard = Requests(soc)
    soc.write(NAME, "GINTMSK", 0xFFFF_FFDF & ~(1 << 26))
    soc.write(NAME, "GAHBCFG", 1)
    soc.write(NAME, "GCCFG", PWRDWN | VBUSBSEN)
    soc.run_until(1000 * PS_PER_MS)
    assert soc.read(NAME, "GOTGCTL") & (BSVLD | CIDSTS) == CIDSTS
    assert heard.changes == []


def test_without_vbus_sensing_it_connects_idles_and_suspends() -> None:
    soc = usb()
    heard = Requests(soc)
    soc.write(NAME, "GINTMSK", ESUSP | USBSUSP)
    soc.write(NAME, "GAHBCFG", 1)
    soc.write(NAME, "DCTL", SDIS)
    soc.write(NAME, "GCCFG", PWRDWN | NOVBUSSENS)
    assert soc.read(NAME, "GOTGCTL") & BSVLD
    soc.run_until(100 * PS_PER_MS)
    assert soc.fabric.output("OTG_FS_DP").level(soc.now_ps) is None
    soc.write(NAME, "DCTL", 0)
    assert soc.fabric.output("OTG_FS_DP").level(soc.now_ps) == 1
    soc.run_until(103 * PS_PER_MS)
    assert soc.read(NAME, "GINTSTS") & (ESUSP | USBSUSP) == ESUSP
    soc.run_until(106 * PS_PER_MS)
    assert soc.read(NAME, "GINTSTS") & (ESUSP | USBSUSP) == ESUSP | USBSUSP
    assert soc.read(NAME, "DSTS") & 1
    assert [level for _, _, level in heard.changes] == [True]
    soc.write(NAME, "GINTSTS", ESUSP | USBSUSP)
    assert not soc.read(NAME, "GINTSTS") & (ESUSP | USBSUSP)
    assert [level for _, _, level in heard.changes] == [True, False]


def test_an_endpoint_waits_for_a_host_until_it_is_disabled() -> None:
    soc = usb()
    soc.write(NAME, "DOEPCTL1", EPENA | CNAK | 1 << 15 | 64)
    assert soc.read(NAME, "DOEPCTL1") == EPENA | 1 << 15 | 64
    soc.write(NAME, "DOEPCTL1", soc.read(NAME, "DOEPCTL1") | SNAK)
    assert soc.read(NAME, "DOEPCTL1") & NAKSTS
    soc.write(NAME, "DOEPMSK", 2)
    soc.write(NAME, "DAINTMSK", 2 << 16)
    soc.write(NAME, "DOEPCTL1", soc.read(NAME, "DOEPCTL1") | EPDIS)
    assert not soc.read(NAME, "DOEPCTL1") & (EPENA | EPDIS)
    assert soc.read(NAME, "DOEPINT1") & 2
    assert soc.read(NAME, "DAINT") == 2 << 16
    assert soc.read(NAME, "GINTSTS") & (1 << 19)
    soc.write(NAME, "DOEPINT1", 2)
    assert not soc.read(NAME, "GINTSTS") & (1 << 19)


def test_an_empty_fifo_has_the_room_that_it_was_given() -> None:
    soc = usb()
    soc.write(NAME, "DIEPTXF1", 0x80 << 16 | 0x100)
    assert soc.read(NAME, "DTXFSTS1") == 0x80


def test_the_core_reset_keeps_what_the_manual_lists() -> None:
    soc = usb()
    soc.write(NAME, "DCFG", 3)
    soc.write(NAME, "DAINTMSK", 0xFFFF)
    soc.write(NAME, "GRSTCTL", CSRST)
    soc.run_until(US)
    assert soc.read(NAME, "DCFG") & 3 == 3
    assert soc.read(NAME, "DAINTMSK") == 0


def test_the_phy_is_suspended_while_its_clock_is_stopped() -> None:
    soc = usb()
    soc.write(NAME, "PCGCCTL", 1)
    assert soc.read(NAME, "PCGCCTL") == 0x11
    soc.write(NAME, "PCGCCTL", soc.read(NAME, "PCGCCTL") & ~1)
    assert soc.read(NAME, "PCGCCTL") == 0
    assert gaps(soc) == []
    assert hazards(soc) == []


@pytest.mark.parametrize("offset", [0x110, 0x13C, 0x988, 0xAE8, 0xB88, 0xCE8])
def test_what_a_larger_core_has_is_told_and_no_gap(offset: int) -> None:
    soc = usb()
    soc.bus_write(soc.peripherals[NAME].spec, offset, 4, 0xFB7F, soc.now_ps)
    assert gaps(soc) == []
    assert [h.code for h in hazards(soc)] == ["reserved-bits"]


def test_a_driver_for_many_chips_finds_which_core_it_is() -> None:
    soc = usb()
    spec = soc.peripherals[NAME].spec
    identity, features = (soc.bus_read(spec, at, 4, 0) for at in (0x40, 0x48))
    assert identity == 0x4F54281A  # "OT" 2.81a
    assert features >> 10 & 15 == 3  # endpoints beside endpoint 0
    assert gaps(soc) == []


def test_host_mode_and_fifos_are_gaps() -> None:
    soc = usb()
    soc.read(NAME, "HPRT")
    soc.bus_write(soc.peripherals[NAME].spec, 0x1000, 4, 0, soc.now_ps)
    assert gaps(soc) == ["OTG_FS.HPRT", "OTG_FS.+0x1000"]
