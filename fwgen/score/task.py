"""A task: what is asked for, in words, and the contract that what a model makes is held against.

A folder ``tasks/<name>/`` of three files: ``prompt.txt``, ``contract.toml`` (docs/contracts.md)
and ``task.toml``:

    title = "Blink the LED once in two seconds"
    level = 1                          # 1 to 5, see LEVELS
    tags = ["gpio", "time"]
    origin = "Arduino built-in examples: 01.Basics, Blink"
    url = "https://docs.arduino.cc/built-in-examples/"
    needs = []                         # what the contract cannot tell the use of yet: "rtc"
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

from fwgen.errors import InputError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fwgen.board.types import Board
    from fwgen.contract import Contract

LEVELS = {
    1: "one thing, by itself",
    2: "several things, or one after another",
    3: "reacts to buttons and pins",
    4: "reads text, keeps state, computes",
    5: "needs a peripheral that its contract cannot tell the use of yet",
}
BOARD = "nucleo-f401"
"""The board that the tasks were written and proven on; others do those whose pins they have."""
_KEYS = {"title", "level", "tags", "origin", "url", "needs"}
_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


@dataclass(frozen=True, slots=True)
class Task:
    """One task. ``contract`` is the TOML text; ``where`` names its file for people.

    ``needs`` are peripherals whose use the contract cannot tell yet: no trial of it passes.
    """

    name: str
    title: str
    prompt: str
    contract: str
    level: int
    where: str
    tags: tuple[str, ...] = ()
    origin: str = ""
    url: str = ""
    needs: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """The same for the same task: its prompt, its contract, its needs."""
        text = "\0".join((self.prompt, self.contract, *self.needs))
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def contract_for(self, board: Board) -> Contract:
        """The contract, checked against a board. Raises ContractError."""
        from fwgen.contract import load_contract

        return load_contract(self.contract, board, where=self.where)


def tasks_folder() -> Path:
    """The folder of the tasks that come with this installation."""
    packaged = Path(__file__).resolve().parents[1] / "_tasks"
    return packaged if packaged.is_dir() else Path(__file__).resolve().parents[2] / "tasks"


def load_task(folder: Path) -> Task:
    """Read one task. Raises InputError that names the file and the key."""
    where = _shown(folder)
    if not _NAME.fullmatch(folder.name):
        raise InputError(
            "a task is named in lower-case words with dashes", where=where, hint='"blink-slowly"'
        )
    about = _about(folder, where)
    prompt = _text(folder / "prompt.txt", where)
    if len(prompt.splitlines()) != 1:
        raise InputError("a prompt is one line", where=f"{where}/prompt.txt")
    return Task(
        name=folder.name,
        prompt=prompt.strip(),
        # load_contract takes a text that has a line's end in it for TOML, else for a path.
        contract=_text(folder / "contract.toml", where) + "\n",
        where=f"{where}/contract.toml",
        **about,  # type: ignore[arg-type]
    )


def list_tasks(patterns: Iterable[str] = (), folder: Path | None = None) -> list[Task]:
    """The tasks whose name or one of whose tags matches a pattern ("blink*"), by level and name.

    Without patterns all of them. ``folder`` holds one folder a task; None: those that come with
    fwgen. Raises InputError for a pattern that matches none, and for a folder that holds none.
    """
    root = folder or tasks_folder()
    if not root.is_dir():
        raise InputError("there is no such folder of tasks", where=str(root))
    folders = sorted(path.parent for path in root.glob("*/task.toml"))
    if not folders:
        raise InputError(
            "there is no task here", where=str(root), hint="a task is a folder with a task.toml"
        )
    tasks = sorted(map(load_task, folders), key=lambda task: (task.level, task.name))
    chosen: set[str] = set()
    wanted = list(patterns)
    for pattern in wanted:
        found = {t.name for t in tasks if _matches(t, pattern)}
        if not found:
            hint = did_you_mean(pattern, [t.name for t in tasks])
            raise InputError(
                f"no task is called {pattern!r}, nor has it as a tag",
                hint=hint or '"fwgen score --list" shows them',
            )
        chosen |= found
    return [task for task in tasks if not wanted or task.name in chosen]


def _matches(task: Task, pattern: str) -> bool:
    return any(fnmatchcase(name, pattern) for name in (task.name, *task.tags, *task.needs))


def _about(folder: Path, where: str) -> dict[str, object]:
    where = f"{where}/task.toml"
    try:
        data = tomllib.loads(_text(folder / "task.toml", _shown(folder)))
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"not valid TOML: {error}", where=where) from None
    for key in data:
        if key not in _KEYS:
            raise InputError(f"unknown key {key!r}", where=where, hint=did_you_mean(key, _KEYS))
    level = data.get("level")
    if level not in LEVELS or isinstance(level, bool):
        raise InputError("level is a number from 1 to 5", where=f"{where}: level")
    for key in ("title", "origin", "url"):
        if not isinstance(data.get(key), str) or not data[key].strip():
            raise InputError(f"{key} is a text, and not empty", where=f"{where}: {key}")
    if not data["url"].startswith("https://"):
        raise InputError("url begins with https://", where=f"{where}: url")
    for key in ("tags", "needs"):
        value = data.setdefault(key, [])
        if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
            raise InputError(f"{key} is a list of words", where=f"{where}: {key}")
        data[key] = tuple(value)
    return data


def _text(path: Path, where: str) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        raise InputError(f"a task has a {path.name}", where=where) from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot be read: {error}", where=f"{where}/{path.name}") from None


def _shown(folder: Path) -> str:
    """How we name a task to the user: ours as tasks/..., theirs as they wrote it."""
    try:
        return f"tasks/{folder.relative_to(tasks_folder()).as_posix()}"
    except ValueError:
        return str(folder)
