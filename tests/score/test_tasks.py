"""The tasks that come with fwgen can be done, and cannot be done by halves."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path

import pytest

from fwgen.board import load_board
from fwgen.contract import Quiet
from fwgen.errors import InputError
from fwgen.image.emission import CodeLine, Emission, Relocation, Unit
from fwgen.image.link import link
from fwgen.model.embedded.model import EmbeddedModel
from fwgen.pipeline import prove
from fwgen.score.cell import Cell, Wishes
from fwgen.score.task import LEVELS, Task, list_tasks, load_task, tasks_folder
from fwgen.score.trial import attempt
from fwgen.thumb import encode
from fwgen.verdict import Outcome
from tests.effort import some

from . import references

BOARD = load_board("nucleo-f401")
TASKS = {task.name: task for task in list_tasks()}
NEAR_MISSES = tomllib.loads(
    (Path(__file__).parent / "near_misses.toml").read_text(encoding="utf-8")
)
S = 10**12
needs_gcc = pytest.mark.skipif(not references.HAS_GCC, reason="arm-none-eabi-gcc is not installed")


@cache
def nothing():
    """Firmware that sleeps, and does nothing else."""
    lines = (
        CodeLine("wfi", encode("wfi"), label="sleep"),
        CodeLine("b sleep", encode("b sleep"), Relocation("THM_JUMP11", "sleep")),
    )
    return link(Emission("nothing", (Unit("reset", "code", lines),), (("Reset", "reset"),)), BOARD)


def test_there_are_enough_of_every_kind() -> None:
    provable = [task for task in TASKS.values() if not task.needs]
    assert len(provable) >= 60
    assert {task.level for task in TASKS.values()} == set(LEVELS)
    prompts = [task.prompt for task in TASKS.values()]
    assert len(set(prompts)) == len(prompts)


@pytest.mark.parametrize("name", TASKS)
def test_a_task_is_whole(name: str) -> None:
    task = TASKS[name]
    contract = task.contract_for(BOARD)
    assert 2 < len(task.prompt.split()) < 90
    assert contract.span_ps <= 17 * S, "a score of all tasks takes too long"
    assert any(isinstance(e, Quiet) for e in contract.expectations), "other pins may do anything"
    assert not contract.prompt, "the prompt stands in prompt.txt"
    assert contract.board == BOARD.name
    assert "board" not in tomllib.loads(task.contract), "a task is for every board with such pins"
    assert (task.level == 5) == bool(task.needs)


def test_each_task_is_done_by_somebody() -> None:
    done = set(NEAR_MISSES) | set(references.names())
    assert done == {task.name for task in TASKS.values() if not task.needs}


@pytest.mark.parametrize("name", TASKS)
def test_firmware_that_does_nothing_fails(name: str) -> None:
    proof = prove(nothing(), BOARD, TASKS[name].contract_for(BOARD))
    assert proof.verdict.outcome is Outcome.FAIL


@pytest.mark.parametrize("name", TASKS)
def test_the_embedded_model_does_it_or_says_that_it_cannot(name: str) -> None:
    record = attempt(Cell(TASKS[name], BOARD.name, "embedded", 1, Wishes())).record
    assert record.outcome == ("pass" if name in NEAR_MISSES else "refused"), record.said


@pytest.mark.parametrize("name", NEAR_MISSES)
def test_what_the_embedded_model_does_almost_fails(name: str) -> None:
    contract, model = TASKS[name].contract_for(BOARD), EmbeddedModel()
    for prompt in NEAR_MISSES[name]:
        image = link(model.emit(model.read(prompt, BOARD)), BOARD)
        assert prove(image, BOARD, contract).verdict.outcome is Outcome.FAIL, prompt


@needs_gcc
@pytest.mark.parametrize("name", some(references.names()))
def test_a_reference_passes_and_its_near_miss_fails(name: str, tmp_path: Path) -> None:
    contract = TASKS[name].contract_for(BOARD)
    proof = prove(references.build(name, tmp_path, BOARD), BOARD, contract)
    assert proof.passed, [f.text for f in proof.verdict.all if f.outcome.exit_code]
    missed = prove(references.build(name, tmp_path, BOARD, miss=True), BOARD, contract)
    assert missed.verdict.outcome is Outcome.FAIL


def write(folder: Path, **files: str) -> Path:
    folder.mkdir()
    for name, text in files.items():
        (folder / name.replace("_", ".")).write_text(text, encoding="utf-8")
    return folder


ABOUT = 'title = "x"\nlevel = 1\norigin = "o"\nurl = "https://example.org"\n'
CONTRACT = 'span = "1 s"\n[[expect]]\nquiet = true\n'


@pytest.mark.parametrize(
    ("name", "about", "prompt", "where", "said"),
    [
        ("Bad_Name", ABOUT, "do it\n", "Bad_Name", "lower-case"),
        ("a", ABOUT.replace("1", "9"), "do it\n", "level", "from 1 to 5"),
        ("a", ABOUT + 'tag = "x"\n', "do it\n", "task.toml", "unknown key 'tag'"),
        ("a", ABOUT.replace('"o"', '""'), "do it\n", "origin", "not empty"),
        ("a", ABOUT.replace("https", "javascript"), "do it\n", "url", "https://"),
        ("a", ABOUT + "needs = 3\n", "do it\n", "needs", "list of words"),
        ("a", "title = ", "do it\n", "task.toml", "not valid TOML"),
        ("a", ABOUT, "do this\nand that\n", "prompt.txt", "one line"),
    ],
)
def test_a_task_that_is_wrong_is_refused_by_its_place(
    tmp_path: Path, name: str, about: str, prompt: str, where: str, said: str
) -> None:
    folder = write(tmp_path / name, task_toml=about, prompt_txt=prompt, contract_toml=CONTRACT)
    with pytest.raises(InputError) as caught:
        load_task(folder)
    assert where in (caught.value.where or "")
    assert said in caught.value.message


def test_a_task_without_a_file_names_it(tmp_path: Path) -> None:
    folder = write(tmp_path / "a", task_toml=ABOUT, contract_toml=CONTRACT)
    with pytest.raises(InputError, match=r"prompt\.txt"):
        load_task(folder)


def test_tasks_are_chosen_by_name_and_by_tag() -> None:
    assert [task.name for task in list_tasks(["hello-w*"])] == ["hello-world"]
    assert {task.name for task in list_tasks(["servo", "adc"])} > {"servo-sweep", "analog-read"}
    with pytest.raises(InputError) as caught:
        list_tasks(["helo-world"])
    assert "hello-world" in (caught.value.hint or "")


def test_a_changed_task_is_another_one() -> None:
    task = TASKS["blink"]
    again = load_task(tasks_folder() / "blink")
    assert (task.digest, task) == (again.digest, again)
    other = Task(**{f: getattr(task, f) for f in Task.__slots__} | {"prompt": "x"})
    assert other.digest != task.digest
