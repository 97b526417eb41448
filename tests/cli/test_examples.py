"""Every example is what its prompt makes today, byte for byte, and passes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import fwgen
from fwgen.report.folder import contents

EXAMPLES = Path(__file__).parents[2] / "examples"
FOLDERS = sorted(path.parent for path in EXAMPLES.glob("*/prompt.txt"))
KEPT = ("contract.toml", "firmware.hex", "firmware.lst", "report.json")
AGAIN = 'make it again: fwgen "$(cat prompt.txt)" --board nucleo-f401 --out .'


def prompt_of(folder: Path) -> str:
    return (folder / "prompt.txt").read_text(encoding="utf-8").rstrip("\n")


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_an_example_is_what_its_prompt_makes(folder: Path) -> None:
    made = contents(fwgen.generate(prompt_of(folder), "nucleo-f401"))
    for name in KEPT:
        assert (folder / name).read_bytes() == made[name], f"{folder.name}/{name}: {AGAIN}"
    assert json.loads(made["report.json"])["outcome"] == "pass"


def test_the_index_names_every_example_with_its_prompt() -> None:
    lines = (EXAMPLES / "README.md").read_text(encoding="utf-8").splitlines()
    rows = [
        [cell.strip() for cell in line.split("|")[1:3]] for line in lines if line.startswith("| [")
    ]
    told = {name.partition("]")[0][1:]: prompt for name, prompt in rows}
    assert told == {folder.name: prompt_of(folder) for folder in FOLDERS}
    assert len(FOLDERS) >= 10


def test_an_example_keeps_only_what_is_read_or_flashed() -> None:
    ignored = (EXAMPLES / ".gitignore").read_text(encoding="utf-8").split()
    for folder in FOLDERS:
        kept = {p.name for p in folder.iterdir()} - set(ignored)
        assert kept == {"prompt.txt", *KEPT}
        assert sum((folder / name).stat().st_size for name in kept) < 64 * 1024
