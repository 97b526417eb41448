"""The second conversation: machine code for a contract, and what is mended of it.

Each request holds the same beginning (system prompt, task), then the emission as it stands and
what was wrong with it: however many repairs there were, the conversation does not grow. A repair
answers with the units that change; they are put into what was there. When a repair gives what was
there before, the conversation begins anew.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from fwgen.contract import dump_contract
from fwgen.contract.subjects import fitted
from fwgen.errors import ModelError
from fwgen.image.problems import Problem, UnsoundEmissionError
from fwgen.image.wire import SCHEMA, parse_emission
from fwgen.model.remote.answers import json_object, why_no_json
from fwgen.model.remote.blocks import aligned, put_in, schema_with_blocks, taken_apart
from fwgen.model.remote.evidence import evidence
from fwgen.model.remote.system import needs_of, system_prompt
from fwgen.model.remote.talk import Question

if TYPE_CHECKING:
    from collections.abc import Callable

    from typing_extensions import TypeIs

    from fwgen.board.types import Board
    from fwgen.image.emission import Emission
    from fwgen.model.protocol import Feedback, Reading
    from fwgen.model.remote.talk import Answer, Role

MEND: Final = """\
Mend it. Answer with the same JSON: in units only those that change, whole (one with no lines is \
taken out); vectors [] leaves them as they are."""
ANEW: Final = """\
An earlier try came back to the same mistake and was given up:
{wrong}
Go about it in another way."""
MOST_LINES: Final = 20_000  # 40 KB of code and more: what a prompt asks for takes a hundredth
_LONGEST_ANSWER: Final = 6000  # characters of an answer that is no JSON, sent back


def task(reading: Reading) -> str:
    """The request and its contract, as the model gets them."""
    contract = dump_contract(reading.contract, reading.board)
    lines = [line for line in contract.splitlines() if not line.startswith(("prompt", "title"))]
    return f"REQUEST {reading.prompt}\n\nCONTRACT (it is judged by this)\n" + "\n".join(lines)


def prompt_of(reading: Reading, *, pure: bool = False) -> tuple[str, str]:
    """The system prompt and the task of a request; ``pure`` offers no proven blocks."""
    needs = needs_of(reading.prompt, reading.contract, reading.board)
    system = system_prompt(reading.board, needs, reading.contract, blocks=not pure)
    return system, task(reading)


class Emitting:
    """One sample: a conversation that ends when what it emits passes."""

    def __init__(
        self, number: int, ask: Callable[[Question], Answer], *, pure: bool = False
    ) -> None:
        self.number, self._ask, self._pure = number, ask, pure
        self._now: dict[str, Any] | None = None  # the emission as it stands
        self._raw = ""  # the last answer, where it held none
        self._seen: set[str] = set()
        self._fresh = 0  # conversations given up
        self._prompt: tuple[str, str] | None = None

    def emit(self, reading: Reading, feedback: Feedback | None) -> Emission:
        """The next emission.

        Raises UnsoundEmissionError for an answer that is none, ModelError when the model refuses,
        or does nothing but repeat itself.
        """
        board = fitted(reading.board, reading.contract)
        wrong = evidence(feedback, board) if feedback is not None else ""
        for _ in range(2):
            merged = self._next(reading, wrong)
            text = json.dumps(merged, sort_keys=True)
            if text not in self._seen:
                self._seen.add(text)
                self._now = merged
                return parsed(merged, reading.board, pure=self._pure)
            self._now, self._raw = None, ""
            self._fresh += 1
        raise ModelError("the model gives the same answer again and again, and it is wrong")

    def _next(self, reading: Reading, wrong: str) -> dict[str, Any]:
        answer = self._ask(
            Question(
                f"sample {self.number}", tuple(self._messages(reading, wrong)), "emission",
                SCHEMA if self._pure else schema_with_blocks(),
                seed=self.number * 1000 + self._fresh,
            )
        )  # fmt: skip
        if answer.finish == "refused":
            raise ModelError(f"the model refused to answer: {answer.why}")
        text = json_object(answer.text)
        if answer.finish in ("length", "loop") or text is None:
            self._raw = answer.text[:_LONGEST_ANSWER]
            why = f"the answer was no emission: {answer.why}" if answer.why else ""
            raise UnsoundEmissionError((Problem("format", why or why_no_json(answer.text)),))
        self._raw = ""
        data: dict[str, Any] = shown(json.loads(text))
        return merge(self._now, data)

    def _messages(self, reading: Reading, wrong: str) -> list[tuple[Role, str]]:
        self._prompt = self._prompt or prompt_of(reading, pure=self._pure)
        system, asked = self._prompt
        messages: list[tuple[Role, str]] = [("system", system), ("user", asked)]
        if self._now is not None:
            standing = json.dumps(self._now, separators=(",", ":"), ensure_ascii=False)
            messages += [("assistant", standing), ("user", f"{wrong}\n\n{MEND}")]
        elif self._raw.strip():
            messages += [("assistant", self._raw), ("user", f"{wrong}\nAnswer anew, in full.")]
        elif wrong:
            first = wrong[:600]
            messages[1] = ("user", f"{asked}\n\n{ANEW.format(wrong=first)}")
        return messages


def parsed(data: dict[str, Any], board: Board, *, pure: bool = False) -> Emission:
    """An emission from its JSON; the blocks that it names are put in unless ``pure``.

    Raises UnsoundEmissionError.
    """
    units = data.get("units")
    lists = (u.get("lines") for u in units if isinstance(u, dict)) if _is_list(units) else ()
    if sum(len(lines) for lines in lists if _is_list(lines)) > MOST_LINES:
        raise UnsoundEmissionError((Problem("size", f"more than {MOST_LINES} lines"),))
    own, blocks = (data, {}) if pure else taken_apart(data)
    emission = parse_emission(json.dumps(own, ensure_ascii=False))
    return put_in(aligned(emission), blocks, board)


def _is_list(value: Any) -> TypeIs[list[Any]]:
    return isinstance(value, list)


def shown(value: Any) -> Any:
    """What a model answered, fit for a terminal: nothing in it but what prints."""
    if isinstance(value, str):
        return "".join(c if c.isprintable() or c == "\n" else " " for c in value)
    if isinstance(value, list):
        return [shown(one) for one in value]
    if isinstance(value, dict):
        return {shown(key): shown(one) for key, one in value.items()}
    return value


def merge(standing: dict[str, Any] | None, answer: dict[str, Any]) -> dict[str, Any]:
    """An emission in which the units of an answer take the place of those of the same label."""
    units = answer.get("units")
    if standing is None or not isinstance(units, list):
        return answer
    before = standing.get("units")
    if not isinstance(before, list):
        return answer
    changed = {_label(unit): unit for unit in units if _label(unit)}
    merged = [changed.pop(_label(unit), unit) for unit in before]
    merged += [unit for unit in units if not _label(unit) or changed.get(_label(unit)) is unit]
    merged = [unit for unit in merged if not (isinstance(unit, dict) and unit.get("lines") == [])]
    vectors = answer.get("vectors") or standing.get("vectors", [])
    return {**answer, "units": merged, "vectors": vectors}


def _label(unit: object) -> str:
    label = unit.get("label") if isinstance(unit, dict) else None
    return label if isinstance(label, str) else ""
