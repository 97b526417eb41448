"""A model for tests: it answers as a good one would, or damaged in a given way, and mends itself.

What it knows it has from the embedded model. It answers over real HTTP (``server.serving``).
"""

from __future__ import annotations

import json
import tomllib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from fwgen.board import load_board
from fwgen.contract import dump_contract
from fwgen.image.wire import dump_emission
from fwgen.model.embedded.model import EmbeddedModel

from .server import Reply, chat, responses

if TYPE_CHECKING:
    from collections.abc import Callable

    from fwgen.contract import Contract

    from .server import Asked

BOARD = load_board("nucleo-f401")
Emission = dict[str, Any]


def emission_of(prompt: str) -> Emission:
    """What the embedded model emits, as plain data."""
    model = EmbeddedModel()
    made: Emission = json.loads(dump_emission(model.emit(model.read(prompt, BOARD))))
    return made


def contract_of(prompt: str) -> Contract:
    return EmbeddedModel().read(prompt, BOARD).contract


def _toml(value: object) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{k} = {_toml(v)}" for k, v in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(_toml(one) for one in value) + "]"
    return json.dumps(value)


def contract_answer(contract: Contract, **changes: object) -> str:
    """A contract as a remote model states it."""
    data = tomllib.loads(dump_contract(contract, BOARD))
    answer: dict[str, Any] = {
        "understood": ["as asked"], "assumed": [], "refused": "", "title": data["title"],
        "parts": [], "do": [], "expect": [],
    }  # fmt: skip
    verbs = ("press", "turn", "drive", "set", "ramp", "sine", "send", "send_hex", "blinks",
             "level", "pattern", "counts", "pwm", "tone", "follows", "inverts", "when", "never",
             "exclusive", "says", "replies", "shows", "transfer", "asleep", "quiet")  # fmt: skip
    for name, table in data.get("parts", {}).items():
        lines = [f"{k} = {_toml(v)}" for k, v in table.items() if k not in ("kind", "title")]
        answer["parts"].append({"name": name, "kind": table["kind"], "with": lines})
    for key in ("do", "expect"):
        for table in data.get(key, []):
            verb = next(verb for verb in verbs if verb in table)
            rest = {k: v for k, v in table.items() if k != verb}
            value = table[verb]
            if verb == "quiet":
                value = rest.pop("but", [])
            if verb in ("when", "never"):
                rest[verb], value = value, []
            if verb == "shows":
                rest |= {k: v for k, v in value.items() if k != "part"}
                value = value["part"]
            subjects = value if isinstance(value, list) else [value]
            lines = [f"{k} = {_toml(v)}" for k, v in rest.items()]
            answer[key].append({"verb": verb, "subjects": subjects, "with": lines})
    return json.dumps({**answer, **changes})


@dataclass
class Brain:
    """Answers for one prompt. ``damages`` are done to the first answers, one each.

    After that it gives what is right: as a repair only the units that differ from what stands in
    the conversation. ``emits``: it knows the firmware under another sentence.
    """

    prompt: str
    damages: list[Callable[[Emission], Emission]] = field(default_factory=list)
    contract: str = ""
    emits: str = ""
    speak: Callable[..., Reply] = chat
    told: list[str] = field(default_factory=list)  # what it was told was wrong
    emitted: int = 0

    def __call__(self, asked: Asked) -> Reply:
        body = asked.body
        if asked.path.endswith("/models"):
            return Reply([b'{"data": [{"id": "m"}]}'])
        speak = responses if asked.path.endswith("/responses") else self.speak
        messages = body.get("messages") or body["input"]
        if "contract" in messages[0]["content"][:200]:
            return speak(self.contract or contract_answer(contract_of(self.prompt)))
        right = emission_of(self.emits or self.prompt)
        self.emitted += 1
        if len(messages) > 2:
            self.told.append(messages[-1]["content"])
        if self.emitted <= len(self.damages):
            return speak(json.dumps(self.damages[self.emitted - 1](right)))
        if len(messages) > 2:
            try:
                standing = json.loads(messages[2]["content"])
            except ValueError:
                return speak(json.dumps(right))
            return speak(json.dumps(_repair(standing, right)))
        return speak(json.dumps(right))


def _repair(standing: Emission, right: Emission) -> Emission:
    known = {unit["label"]: unit for unit in standing["units"]}
    wanted = {unit["label"] for unit in right["units"]}
    units = [unit for unit in right["units"] if known.get(unit["label"]) != unit]
    units += [{**unit, "lines": []} for label, unit in known.items() if label not in wanted]
    vectors = [] if standing["vectors"] == right["vectors"] else right["vectors"]
    return {"plan": right["plan"], "units": units, "vectors": vectors}


# ---------------------------------------------------------------------------- damages


def line(label: str, number: int, text: str) -> Callable[[Emission], Emission]:
    """One line of a unit (from 0) is another."""

    def damage(emission: Emission) -> Emission:
        for unit in emission["units"]:
            if unit["label"] == label:
                unit["lines"][number] = text
        return emission

    return damage


def replaced(old: str, new: str) -> Callable[[Emission], Emission]:
    """A piece of text is another, wherever it stands."""

    def damage(emission: Emission) -> Emission:
        text = json.dumps(emission)
        assert old in text
        changed: Emission = json.loads(text.replace(old, new))
        return changed

    return damage


def without(label: str) -> Callable[[Emission], Emission]:
    """A unit is missing."""

    def damage(emission: Emission) -> Emission:
        emission["units"] = [u for u in emission["units"] if u["label"] != label]
        return emission

    return damage
