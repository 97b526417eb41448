"""The first conversation: what must be seen on the board, stated before anything is emitted.

It is a conversation of its own, so that whoever emits does not mark its own work. What comes back
is checked three times: by the schema, by the reader of contract files, and against the board. What
is wrong goes back to the model, a few times.
"""

from __future__ import annotations

import json
import re
import tomllib
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from fwgen.contract import Asleep, Contract, Quiet, load_contract
from fwgen.errors import ContractError, ModelError, PromptError, did_you_mean
from fwgen.model.protocol import Reading
from fwgen.model.remote.answers import json_object, why_no_json
from fwgen.model.remote.parts import (
    MOST_TOLD,
    describe_kind,
    kinds_for,
    known_kinds,
    parts_told,
)
from fwgen.model.remote.system import board_facts, text_of
from fwgen.model.remote.talk import Question
from fwgen.units import show_duration

if TYPE_CHECKING:
    from collections.abc import Callable

    from fwgen.board.types import Board
    from fwgen.model.remote.talk import Answer, Role

TALK = "contract"
TRIES = 3
MOST_ENTRIES = 200
LONGEST_SPAN_PS = 600 * 10**12  # what cannot be shown in ten minutes of the board's time
_DO: Final = ("press", "turn", "drive", "set", "ramp", "sine", "send", "send_hex")
_EXPECT: Final = (
    "blinks", "level", "pattern", "counts", "pwm", "tone", "follows", "inverts", "when", "never",
    "exclusive", "says", "replies", "shows", "transfer", "asleep", "quiet",
)  # fmt: skip
_LISTS: Final = ("pattern", "exclusive")
_OF_SHOWS: Final = ("tolerance", "within", "from", "until")  # beside what is shown
_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,30}", re.ASCII)


def _entries(verbs: tuple[str, ...]) -> dict[str, Any]:
    return {
        "type": "array",
        "items": {
            "type": "object",
            "additionalProperties": False,
            "required": ["verb", "subjects", "with"],
            "properties": {
                "verb": {"type": "string", "enum": list(verbs)},
                "subjects": {"type": "array", "items": {"type": "string"}},
                "with": {"type": "array", "items": {"type": "string"}},
            },
        },
    }


_TEXTS: Final[dict[str, Any]] = {"type": "array", "items": {"type": "string"}}


@cache
def schema() -> dict[str, Any]:
    """JSON schema of the answer; flat, so that strict-schema servers accept it.

    Of the parts it holds the kinds that there are; their pins and settings are lines of TOML, which
    the reader of contracts checks.
    """
    parts = {
        "type": "array",
        "items": {
            "type": "object",
            "additionalProperties": False,
            "required": ["name", "kind", "with"],
            "properties": {
                "name": {"type": "string"},
                "kind": {"type": "string", "enum": list(known_kinds())},
                "with": _TEXTS,
            },
        },
    }
    properties = {
        "understood": _TEXTS,
        "assumed": _TEXTS,
        "refused": {"type": "string"},
        "title": {"type": "string"},
        "parts": parts,
        "do": _entries(_DO),
        "expect": _entries(_EXPECT),
    }
    return {
        "title": "Contract",
        "type": "object",
        "additionalProperties": False,
        "required": list(properties),
        "properties": properties,
    }


def system_prompt(board: Board, prompt: str = "") -> str:
    """All that a model is told before a request is turned into a contract.

    Of the parts it holds in full only those that the request calls for: they stand last.
    """
    labels = sorted({label for pins in board.headers.values() for label in pins})
    headers = [label for label in labels if "-" not in label][:40]
    names = f"Pins are called PA0 ...; headers: {', '.join(headers)}." if headers else ""
    facts = f"{board_facts(board)}\n{names}".strip()
    return f"{text_of('contract')}\n\n{facts}\n\n{parts_told(prompt, board)}"


def agree(
    prompt: str, board: Board, ask: Callable[[Question], Answer], *, seed: int | None = None
) -> Reading:
    """Have a request turned into a contract.

    Raises PromptError where the model says that it cannot be done, ModelError where no contract
    comes of it.
    """
    messages: list[tuple[Role, str]] = [("system", system_prompt(board, prompt)), ("user", prompt)]
    told = set(kinds_for(prompt, board))
    wrong = ""
    for _ in range(TRIES):
        answer = ask(Question(TALK, tuple(messages), "contract", schema(), seed))
        if answer.finish == "refused":
            raise ModelError(f"the model refused to state a contract: {answer.why}")
        text = json_object(answer.text)
        if answer.finish in ("length", "loop") or text is None:
            wrong = answer.why or why_no_json(answer.text)
        else:
            data = json.loads(text)
            try:
                return _reading(data, prompt, board)
            except ContractError as error:
                wrong = "\n".join([str(error), *_untold(data, told)])
        kept = text or answer.text[:2000]
        messages[2:] = [
            ("assistant", kept),
            ("user", f"This contract is wrong: {wrong}\nAnswer with the whole of it, mended."),
        ]
    raise ModelError(
        f"the model stated no sound contract in {TRIES} tries; the last: {wrong}",
        hint="write the contract yourself (docs/contracts.md) and give it with --contract",
    )


def _untold(data: dict[str, Any], told: set[str]) -> list[str]:
    """The kinds that an answer wires although it was not told how; ``told`` then holds them."""
    parts = data.get("parts")
    kinds = [part.get("kind") for part in parts if isinstance(part, dict)] if (
        isinstance(parts, list)
    ) else []  # fmt: skip
    new = [kind for kind in dict.fromkeys(map(str, kinds)) if kind in known_kinds()]
    lines = [describe_kind(kind) for kind in new if kind not in told][:MOST_TOLD]
    told.update(new)
    return lines


def _reading(data: dict[str, Any], prompt: str, board: Board) -> Reading:
    refused = data.get("refused", "")
    if isinstance(refused, str) and refused.strip():
        raise PromptError(
            f"the model says that this cannot be done: {_shown(refused)}",
            hint="say it otherwise, or give the contract with --contract",
        )
    contract = load_contract(
        contract_toml(data, prompt, board), board, where="the model's contract"
    )
    if contract.span_ps > LONGEST_SPAN_PS:
        raise ContractError(
            f"it takes {show_duration(contract.span_ps)} to show", where="the model's contract",
            hint="show it in less than ten minutes: shorter windows, fewer repetitions",
        )  # fmt: skip
    if all(isinstance(one, Quiet | Asleep) for one in contract.expectations):
        raise ContractError(
            "it asks for no behaviour", where="the model's contract: expect",
            hint="state what must be seen",
        )  # fmt: skip
    understood = tuple(_shown(one) for one in _texts(data, "understood")) or (contract.title,)
    return Reading(
        prompt=prompt,
        understood=understood,
        assumed=tuple(_shown(one) for one in _texts(data, "assumed")),
        contract=contract,
        board=board,
    )


def _shown(text: object) -> str:
    """A model's words, fit for a terminal."""
    line = " ".join("".join(c if c.isprintable() else " " for c in str(text)).split())
    return line if len(line) <= 300 else f"{line[:297]}..."


def _texts(data: dict[str, Any], key: str) -> list[str]:
    value = data.get(key, [])
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []


def contract_toml(data: dict[str, Any], prompt: str, board: Board) -> str:
    """The answer as a contract file. Raises ContractError for what is no entry of one."""
    unknown = sorted(set(data) - set(schema()["properties"]) - {"span"})
    if unknown:
        raise ContractError(f"unknown key {unknown[0]!r}", where="the answer")
    title = data.get("title")
    lines = [
        f"title = {_quoted(_shown(title) if title else prompt)}",
        f"board = {_quoted(board.name)}",
        f"prompt = {_quoted(prompt)}",
    ]
    names: set[str] = set()
    for number, entry in enumerate(_listed(data, "parts"), 1):
        lines += ["", *_part(entry, f"parts[{number}]", names)]
    for key, verbs in (("do", _DO), ("expect", _EXPECT)):
        for number, entry in enumerate(_listed(data, key), 1):
            lines += ["", f"[[{key}]]", *_entry(entry, verbs, f"{key}[{number}]")]
    return "\n".join(lines) + "\n"


def _listed(data: dict[str, Any], key: str) -> list[object]:
    entries = data.get(key, [])
    if not isinstance(entries, list):
        raise ContractError("is a list", where=key)
    if len(entries) > MOST_ENTRIES:
        raise ContractError(f"has {len(entries)} entries; {MOST_ENTRIES} is the most", where=key)
    return entries


def _part(entry: object, where: str, names: set[str]) -> list[str]:
    """A part's table; ``names`` are those that were given."""
    name = entry.get("name") if isinstance(entry, dict) else None
    if not isinstance(entry, dict) or not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ContractError(
            "a part has a name of letters and digits", where=f"{where}.name", hint='such as "LCD"'
        )
    if name in names:
        raise ContractError(f"two parts are called {name!r}", where=f"{where}.name")
    names.add(name)
    kind = entry.get("kind")
    if kind not in known_kinds():
        raise ContractError(
            f"there is no kind of part {str(kind)[:40]!r}", where=f"{where}.kind",
            hint=did_you_mean(str(kind), known_kinds()) or f"one of {', '.join(known_kinds())}",
        )  # fmt: skip
    given = {"kind": f"kind = {_quoted(kind)}"}
    for line in _texts(entry, "with"):
        key, value = _pair(line, f"{where}.with")
        if key == "title":
            raise ContractError("unknown key 'title'", where=f"{where}.with")
        given.setdefault(key, f"{key} = {value}")
    return [f"[parts.{name}]", *given.values()]


def _entry(entry: object, verbs: tuple[str, ...], where: str) -> list[str]:
    if not isinstance(entry, dict) or entry.get("verb") not in verbs:
        raise ContractError("names no verb", where=where, hint=f"one of {', '.join(verbs)}")
    verb, subjects = entry["verb"], entry.get("subjects", [])
    if not isinstance(subjects, list) or not all(isinstance(s, str) for s in subjects):
        raise ContractError("subjects is a list of texts", where=f"{where}.subjects")
    given: dict[str, str] = {}
    for line in _texts(entry, "with"):
        key, value = _pair(line, f"{where}.with")
        given.setdefault(key, f"{key} = {value}")
    if verb == "quiet":
        given["quiet"] = "quiet = true"
        if subjects:
            given["but"] = f"but = {json.dumps(subjects, ensure_ascii=False)}"
    elif verb == "shows" and verb not in given:
        _shows(given, subjects, where)
    elif verb in _LISTS:
        given[verb] = f"{verb} = {json.dumps(subjects, ensure_ascii=False)}"
    elif verb in ("when", "never", "shows"):
        if verb not in given:
            raise ContractError(
                f"{verb!r} is missing", where=f"{where}.with",
                hint=f'{verb} = {{ of = "B1", turns = "pressed" }}',
            )  # fmt: skip
    else:
        if len(subjects) != 1:
            raise ContractError(f"{verb} takes one subject", where=f"{where}.subjects")
        given[verb] = f"{verb} = {_quoted(subjects[0])}"
    return [given.pop(verb), *given.values()]


def _shows(given: dict[str, str], subjects: list[str], where: str) -> None:
    """Put the part and what it shows together, as a contract file has them."""
    if len(subjects) != 1:
        raise ContractError("shows takes one subject, the part", where=f"{where}.subjects")
    shown = [given.pop(key) for key in list(given) if key not in _OF_SHOWS]
    given["shows"] = f"shows = {{ {', '.join([f'part = {_quoted(subjects[0])}', *shown])} }}"


def _pair(line: str, where: str) -> tuple[str, str]:
    """One "key = value" of TOML; nothing that could open another table."""
    key, _, value = (part.strip() for part in line.partition("="))
    try:
        parsed = tomllib.loads(line) if "\n" not in line else {}
    except (tomllib.TOMLDecodeError, RecursionError):
        parsed = {}
    if not key or len(parsed) != 1 or next(iter(parsed)) != key.partition(".")[0].strip('"'):
        raise ContractError(
            f"{line[:60]!r} is no key with a TOML value", where=where, hint='such as rate = "2 Hz"'
        )
    return key, value


def _quoted(text: str) -> str:
    """A text as TOML has it."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def same_claims(one: Contract, other: Contract) -> bool:
    """Whether two contracts ask for the same, whatever they are called."""

    def claims(contract: Contract) -> tuple[object, ...]:
        wired = contract.parts, contract.devices, contract.modules
        return contract.stimuli, contract.expectations, *wired

    return claims(one) == claims(other)
