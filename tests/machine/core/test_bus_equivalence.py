"""However a run is sped up, it is the same run, also while it waits for a bus.

Random firmware that exchanges frames with a serial flash and bytes with an EEPROM, polls flags,
counts, and perhaps is interrupted by the SysTick.
"""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fwgen.errors import EmissionError
from fwgen.machine import Machine
from fwgen.trace import Hazard, I2cTransfer, SpiFrame
from tests.machine.core.dma import poke
from tests.machine.core.firmware import firmware
from tests.machine.core.test_equivalence import HANDLER as TICKS
from tests.machine.core.test_equivalence import TICK, loops, plain, same_run
from tests.machine.stm32.buses import board_with

BOARD = board_with(
    FL={"kind": "w25q16", "sck": "PA5", "miso": "PA6", "mosi": "PA7", "cs": "PB6"},
    EE={"kind": "24c02", "scl": "PB8", "sda": "PB9", "address": 0x50, "pull": "up"},
)
RCC, GPIOA, GPIOB = 0x4002_3830, 0x4002_0000, 0x4002_0400
SPI1, I2C1 = 0x4001_3000, 0x4000_5400


def setup(br: int, ccr: int) -> str:
    """All on at 16 MHz: SPI1 on PA5 to PA7 with its select on PB6, I2C1 on PB8 and PB9."""
    return poke(
        (RCC, 3), (RCC + 0x10, 1 << 21), (RCC + 0x14, 1 << 12),
    ) + "\nnop" * 8 + "\n" + poke(
        (GPIOA, 0xA800_A800), (GPIOA + 0x20, 0x5550_0000),
        (GPIOB + 0x18, 1 << 6), (GPIOB + 4, 0x300), (GPIOB + 0x24, 0x44), (GPIOB, 0xA1280),
        (SPI1, 0x344 | br << 3),
        (I2C1 + 4, 16), (I2C1 + 0x1C, ccr), (I2C1 + 0x20, 17), (I2C1, 1),
    )  # fmt: skip


def waits(offset: int, shift: int, branch: str, base: int, limit: int = 4000) -> str:
    """A bounded loop until a flag, moved up to the sign, says so."""
    return f"""
        ldr r0, ={base:#x}
        ldr r6, ={limit}
    wait:
        subs r6, #1
        beq over
        ldr r1, [r0, #{offset}]
        lsls r1, r1, #{shift}
        {branch} wait
    over:
    """


def frame(byte: int) -> str:
    return f"ldr r0, ={SPI1:#x}\nmovs r1, #{byte}\nstr r1, [r0, #12]\n"


STEPS = {
    "select": poke((GPIOB + 0x18, 1 << 22)),
    "deselect": poke((GPIOB + 0x18, 1 << 6)),
    "frame and RXNE": frame(0x9F) + waits(8, 31, "bpl", SPI1) + "\nldr r2, [r0, #12]\n",
    "frame and BSY": frame(0x05) + waits(8, 24, "bmi", SPI1) + "\nldr r3, [r0, #12]\n",
    "two frames": frame(0x03) + waits(8, 30, "bpl", SPI1) + frame(0) + waits(8, 24, "bmi", SPI1),
    "start": poke((I2C1, 0x501)) + waits(0x14, 31, "bpl", I2C1),
    "address": f"ldr r0, ={I2C1:#x}\nmovs r1, #0xA0\nstr r1, [r0, #16]\n"
    + waits(0x14, 30, "bpl", I2C1) + f"ldr r0, ={I2C1:#x}\nldr r4, [r0, #24]\n",
    "address to read": f"ldr r0, ={I2C1:#x}\nmovs r1, #0xA1\nstr r1, [r0, #16]\n"
    + waits(0x14, 30, "bpl", I2C1) + f"ldr r0, ={I2C1:#x}\nldr r4, [r0, #24]\n",
    "a byte": f"ldr r0, ={I2C1:#x}\nmovs r1, #0x21\nstr r1, [r0, #16]\n"
    + waits(0x14, 29, "bpl", I2C1),
    "take a byte": waits(0x14, 25, "bpl", I2C1) + f"ldr r0, ={I2C1:#x}\nldr r5, [r0, #16]\n",
    "stop": poke((I2C1, 0x201)) + waits(0x18, 30, "bmi", I2C1),
    "an idle look": "ldr r0, =0x40020400\nldr r6, =700\nwait:\nldr r1, [r0, #16]\nsubs r6, #1\n"
    "bne wait\n",
}  # fmt: skip


def labelled(body: str, n: int) -> str:
    seen = 0
    made = []
    for line in body.splitlines():
        made.append(re.sub(r"\b(loop\d|wait|over)\b", rf"\1x{n}y{seen}", line))
        if line.strip() == "over:":
            seen += 1
    return "\n".join(made)


def text_of(setting: str, steps: list[str], tick: int | None) -> str:
    lines = "\n".join(labelled(one, n) + "\nldr r0, =0x20000000" for n, one in enumerate(steps))
    return f"""
    start:
        {setting}
        {TICK.format(period=tick) if tick else ""}
        ldr r0, =0x20000000
        movs r1, #0
        movs r2, #0
        movs r3, #0
        movs r4, #0
        movs r5, #0
    round:
        {lines}
        b.w round
    {TICKS}
    """


@settings(max_examples=25, deadline=None)
@given(
    br=st.integers(0, 7), ccr=st.sampled_from([80, 200, 0x8000 | 14, 0xC000 | 2]),
    body=st.lists(
        st.one_of(st.sampled_from(sorted(STEPS)).map(STEPS.get), plain(), loops()),
        min_size=2, max_size=9,
    ),
    tick=st.one_of(st.none(), st.integers(300, 9000)),
    spans=st.lists(st.integers(10**6, 2 * 10**9), min_size=1, max_size=3),
)  # fmt: skip
def test_random_firmware_on_buses_runs_the_same_however_it_is_sped_up(br, ccr, body, tick, spans):
    text = text_of(setup(br, ccr), body, tick)
    try:
        firmware(text, {15: "tick"})
    except EmissionError:
        return  # a register that an encoding does not take
    same_run(text, {15: "tick"}, sorted(spans), BOARD)


READS = ["start", "address", "a byte", "stop", "start", "address to read", "take a byte", "stop"]
ASKS = ["select", "frame and RXNE", "two frames", "frame and BSY", "deselect"]


@pytest.mark.parametrize("steps", [READS, ASKS, [*ASKS, *READS, "an idle look"]])
def test_whole_transfers_run_the_same_and_do_happen(steps: list[str]) -> None:
    text = text_of(setup(5, 80), [STEPS[name] for name in steps], 4000)
    same_run(text, {15: "tick"}, [10**8, 2 * 10**9], BOARD)
    with Machine(BOARD) as machine:
        machine.load(firmware(text, {15: "tick"}))
        machine.advance(2 * 10**9)
        trace = machine.trace()
    assert steps[0] != "select" or len(list(trace.of(SpiFrame))) > 4
    assert "stop" not in steps or len(list(trace.of(I2cTransfer))) > 2
    assert not [h.code for h in trace.of(Hazard) if h.code in ("clock-off", "i2c-no-pull-up")]
