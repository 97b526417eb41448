"""The C that the model is measured against does what is asked of it: no row compares a wreck."""

from __future__ import annotations

import shutil
from dataclasses import replace

import pytest
import size
import speed
import tools

from fwgen import pipeline
from fwgen.board import load_board
from fwgen.image.load import load_image
from fwgen.model.embedded.model import EmbeddedModel

needs_gcc = pytest.mark.skipif(
    shutil.which(tools.GCC) is None, reason="arm-none-eabi-gcc is not installed"
)
BOARD = load_board("nucleo-f401")


@needs_gcc
@pytest.mark.parametrize(("prompt", "sources"), size.BEHAVIOURS)
def test_the_c_meets_the_contract_of_the_same_prompt(prompt, sources, tmp_path):
    contract = EmbeddedModel().read(prompt, BOARD).contract
    for source in sources:
        image = load_image(tools.build(tools.C / f"{source}.c", tmp_path, "-Os"), BOARD)
        proof = pipeline.prove(image, BOARD, contract)
        assert proof.passed, [f.text for f in proof.verdict.all if f.outcome.exit_code]


@needs_gcc
@pytest.mark.parametrize("work", speed.WORKS, ids=lambda work: work.name)
def test_firmware_of_the_speed_bench_stops_at_its_breakpoint(work, tmp_path):
    work = replace(work, times=2000 if work.fed else 1)
    source = tools.C / "speed" / f"{work.name}.c"
    options = (work.optimise, f"-DTIMES={work.times}", *work.options)
    image = load_image(tools.build(source, tmp_path, *options), BOARD)
    _, stop = speed.Runner("cpu").ours(work, image, speed.PS)
    assert 0 < stop < speed.PS


def test_every_program_of_the_folder_is_measured():
    named = {source for _, sources in size.BEHAVIOURS for source in sources}
    assert {path.stem for path in tools.C.glob("*.c")} == named
    speeds = {work.name for work in speed.WORKS} | {"nothing"}
    assert {path.stem for path in (tools.C / "speed").glob("*.c")} == speeds


def test_a_table_goes_between_its_marks_and_nowhere_else(tmp_path):
    page = tmp_path / "bench.md"
    page.write_text("before\n<!-- size -->\nold\n<!-- /size -->\nafter\n", encoding="utf-8")
    tools.write("size", "new", page)
    assert page.read_text(encoding="utf-8") == (
        "before\n<!-- size -->\n\nnew\n\n<!-- /size -->\nafter\n"
    )
    with pytest.raises(SystemExit, match="speed"):
        tools.write("speed", "x", page)


def test_columns_of_a_table_line_up():
    lines = tools.table(("what", "n"), [("a", "1"), ("longer", "234")]).split("\n")
    assert len({len(line) for line in lines}) == 1
