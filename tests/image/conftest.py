from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fwgen.board import load_board
from fwgen.image.emission import Unit
from fwgen.image.link import link

from .build import code, emission, words

if TYPE_CHECKING:
    from fwgen.board.types import Board
    from fwgen.image.emission import Emission
    from fwgen.image.types import Image


@pytest.fixture(scope="session")
def board() -> Board:
    return load_board("nucleo-f401")


@pytest.fixture(scope="session")
def blink(board: Board, blink_emission: Emission) -> Image:
    return link(blink_emission, board)


@pytest.fixture(scope="session")
def blink_emission() -> Emission:
    """LD2 and a tick: clocks, registers, literals, branches, a vector, RAM."""
    return emission(
        code(
            "reset",
            "ldr r0, k_rcc @THM_PC8 k_rcc",
            "ldr r1, [r0, #0]",
            "movs r2, #1",
            "orrs r1, r2",
            "str r1, [r0, #0]",
            "ldr r0, k_gpioa @THM_PC8 k_gpioa",
            "ldr r1, [r0, #0]",
            "movs r2, #3",
            "lsls r2, r2, #10",
            "bics r1, r2",
            "movs r2, #1",
            "lsls r2, r2, #10",
            "orrs r1, r2",
            "str r1, [r0, #0]",
            "ldr r3, k_syst @THM_PC8 k_syst",
            "ldr r1, k_load @THM_PC8 k_load",
            "str r1, [r3, #4]",
            "movs r1, #7",
            "str r1, [r3, #0]",
            "sleep: wfi",
            "b sleep @THM_JUMP11 sleep",
            purpose="set PA5 up and tick every millisecond",
        ),
        code(
            "tick",
            "ldr r2, k_count @THM_PC8 k_count",
            "ldr r1, [r2, #0]",
            "adds r1, #1",
            "str r1, [r2, #0]",
            "bl toggle @THM_CALL toggle",
            "b done @THM_JUMP11 done",
            "done: bx lr",
        ),
        code("toggle", "movs r1, #32", "str r1, [r0, #24]", "bx lr"),
        words("k_rcc", "RCC_AHB1ENR"),
        words("k_gpioa", "GPIOA"),
        words("k_syst", "SYSTICK"),
        words("k_load", "CLK/1000 - 1"),
        words("k_count", "count"),
        Unit("count", "zero", size=4),
        vectors=(("Reset", "reset"), ("SysTick", "tick")),
    )
