"""Firmware that nobody vouches for: the same evidence, and nothing it can take with it."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from fwgen import pipeline
from fwgen.board import load_board
from fwgen.contract import Press
from fwgen.errors import BenchError
from fwgen.machine.confined import ConfinedMachine
from fwgen.machine.machine import Machine
from tests.cli.firmware import _image as image_of

BOARD = load_board("nucleo-f401")
MS = 10**9
PROMPT = "toggle LED on each press of the button and print the press count"


def test_it_sees_what_the_machine_sees() -> None:
    proof = pipeline.generate(PROMPT, BOARD).proof
    stimuli, span_ps = proof.contract.stimuli, proof.contract.span_ps
    assert any(isinstance(one, Press) for one in stimuli)
    with ConfinedMachine(BOARD) as confined:
        for chance in (0, 1):
            there = confined.run_by_chance(chance, proof.image, stimuli, span_ps)
            assert there == Machine(BOARD, chance=chance).run(proof.image, stimuli, span_ps)


def test_it_looks_at_a_moment() -> None:
    image = pipeline.generate("blink LED at 2 Hz", BOARD).proof.image
    with ConfinedMachine(BOARD) as confined:
        look = confined.look(image, (), 300 * MS)
    assert look == Machine(BOARD).look(image, (), 300 * MS)
    assert look.asleep
    assert look.peripherals["TIM2_ARR"] == 8_000_000 - 1
    assert look.peripherals["RCC_APB1ENR"] == 1
    assert set(look.core) == {*(f"r{n}" for n in range(13)), "sp", "lr"}
    found = image.listing.line_for(look.pc)
    assert found is not None
    assert found.asm.startswith("b")  # behind the wfi that it sleeps in


def test_a_run_that_takes_too_long_is_ended_and_the_next_one_works() -> None:
    image = image_of("compute")
    with ConfinedMachine(BOARD, wall_s=0.05) as confined:
        with pytest.raises(BenchError, match=r"stopped: it took more than 0\.05 s"):
            confined.run(image, (), 3600 * 1000 * MS)
        confined._wall_s = 60
        assert confined.run(image, (), 1 * MS).span_ps == MS


def test_it_is_ended_for_good_from_another_thread() -> None:
    confined = ConfinedMachine(BOARD)
    confined.start()
    ended = threading.Timer(0.2, confined.end)
    ended.start()
    with pytest.raises(BenchError, match="the run was cancelled"):
        confined.run(image_of("compute"), (), 3600 * 1000 * MS)
    ended.join()
    with pytest.raises(BenchError, match="the run was cancelled"):
        confined.run(image_of("spin"), (), MS)
    assert confined._worker is None


def test_the_machines_own_patience_holds_in_there() -> None:
    with ConfinedMachine(BOARD, patience_s=0.2) as confined:
        trace = confined.run(image_of("compute"), (), 3600 * 1000 * MS)
    assert trace.span_ps < 3600 * 1000 * MS
    assert trace.events[-1].detail == "the run took more than 0.2 s of wall time"  # type: ignore[attr-defined]


@pytest.mark.skipif(os.name != "posix", reason="limits of memory are the system's")
def test_what_needs_too_much_memory_is_ended() -> None:
    with (
        ConfinedMachine(BOARD, memory_bytes=64 << 20) as confined,
        pytest.raises(BenchError, match="needed more than 64 MB"),
    ):
        confined.run(image_of("spin"), (), MS)


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks at the process")
def test_its_memory_and_its_files_are_limited() -> None:
    with ConfinedMachine(BOARD) as confined:
        confined.run(image_of("spin"), (), MS)
        assert confined._worker is not None
        limits = Path(f"/proc/{confined._worker.pid}/limits").read_text()
    held = {line[:25].strip(): line.split()[-3:-1] for line in limits.splitlines()}
    assert held["Max address space"] == [str(2 << 30)] * 2
    assert held["Max file size"] == ["0", "0"]
    assert held["Max core file size"] == ["0", "0"]


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks at the process")
def test_no_key_goes_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-hidden")
    with ConfinedMachine(BOARD) as confined:
        confined.run(image_of("spin"), (), MS)
        assert confined._worker is not None
        environment = Path(f"/proc/{confined._worker.pid}/environ").read_bytes()
    assert b"sk-hidden" not in environment
    assert b"PYTHONPATH" in environment


def test_an_error_of_the_bench_comes_through() -> None:
    with (
        ConfinedMachine(BOARD) as confined,
        pytest.raises(BenchError, match="LD9"),
    ):
        confined.run(image_of("spin"), (Press("LD9", MS),), 2 * MS)


def test_closing_ends_the_worker() -> None:
    confined = ConfinedMachine(BOARD)
    confined.run(image_of("spin"), (), MS)
    worker = confined._worker
    assert worker is not None
    confined.close()
    assert worker.poll() is not None
    confined.close()
