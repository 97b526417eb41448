"""Reading: a sentence to a Program, every word accounted for, or a refusal that names the words."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from fwgen.errors import PromptError
from fwgen.model.embedded.read.meaning import Interpreter, Meaning
from fwgen.model.embedded.read.parser import Grammar, Parse
from fwgen.model.embedded.read.words import Vocabulary, name_pins, split

if TYPE_CHECKING:
    from fwgen.board.types import Board

LONGEST = 2000  # characters

EXAMPLE = 'for example "blink LED at 2 Hz and print hello every second"'

# What the grammar was looking for, in people's words, by terminal.
WANTED = {
    "PIN": "a pin such as D7 or PA5",
    "LED": "a LED",
    "BUTTON": "a button",
    "NUMBER": "a number",
    "UNIT": "a unit of time (ms, seconds, minutes)",
    "HERTZ": "Hz",
    "QUOTED": "a text in quotes",
    "EVERY": '"every 500 ms"',
    "WHEN": '"when the button is pressed"',
    "WHILE": '"while the button is held"',
    "ON": "on or off",
}


@cache
def grammar() -> Grammar:
    """The grammar of ``english.grammar``."""
    return Grammar(files(__package__).joinpath("english.grammar").read_text(encoding="utf-8"))


def read(sentence: str, board: Board) -> Meaning:
    """Understand a sentence in full.

    Raises PromptError when any word was not understood (``words`` names them), when the sentence
    is empty, or when what it asks does not go together.
    """
    if len(sentence) > LONGEST:
        raise PromptError(f"this prompt is {len(sentence)} characters long; {LONGEST} is the most")
    words = name_pins(split(sentence), sentence, board)
    if not words:
        raise PromptError("the prompt is empty", hint=EXAMPLE)
    vocabulary = Vocabulary(words, board)
    parse = Parse(grammar(), len(words), vocabulary.ends)
    tree = parse.whole("program")
    if tree is None:
        raise _refusal(sentence, vocabulary, parse)
    return Interpreter(sentence, vocabulary, board).program(tree)


def _refusal(sentence: str, vocabulary: Vocabulary, parse: Parse) -> PromptError:
    words = vocabulary.words
    thing = next((at for at in range(len(words)) if vocabulary.is_thing(at)), None)
    unknown = [at for at in range(len(words)) if vocabulary.unknown(at)]
    for at, word in enumerate(words):
        if (hint := vocabulary.vague(at)) is not None:
            message = f"{word.text!r} says too little"
            return PromptError(message, words=(word.text,), hint=hint)
    if thing is not None:
        told = words[thing].text
        return PromptError(
            f"I cannot tell {told!r}: the embedded model has no such reading",
            words=(told,),
            hint=f'if you mean the text itself, put it in quotes: "{told}"',
        )
    if unknown:
        named = tuple(dict.fromkeys(words[at].text for at in unknown))
        hint = next((s for at in unknown if (s := vocabulary.suggest(at))), None)
        if len(named) == len(words):
            return PromptError("I understood nothing of this prompt", words=named, hint=EXAMPLE)
        listed = ", ".join(repr(w) for w in named)
        plural = "these words" if len(named) > 1 else "this word"
        return PromptError(
            f"I do not understand {plural}: {listed}",
            words=named,
            hint=hint or "leave it out, put text to print in quotes, or say it with other words",
        )
    wanted = [WANTED[t] for t in WANTED if t in parse.expected]
    if parse.furthest >= len(words):
        hint = f"something is missing at its end: {', '.join(wanted[:4])}" if wanted else EXAMPLE
        last = words[-1].text
        return PromptError(
            f"the sentence stops too early, after {last!r}", words=(last,), hint=hint
        )
    stuck = words[parse.furthest]
    before = vocabulary.text(0, parse.furthest, sentence)
    rest = sentence[stuck.start :].strip()
    where = f"after {before!r} I do not understand" if before else "I do not understand"
    hint = f"here I could read {', '.join(wanted[:5])}" if wanted else EXAMPLE
    return PromptError(f"{where} {rest!r}", words=tuple(rest.split()), hint=hint)
