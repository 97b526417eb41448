"""From a sentence to words, and from words to the terminals of the grammar.

The lexicon is data (``english.toml``); pins, parts and ports come from the board, so that "the
LED", "PA5" and "D13" are words only where the board has them.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from difflib import get_close_matches
from fractions import Fraction
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fwgen.board.types import Board

_LEX = re.compile(
    r"""(?P<quoted>"[^"]*"|“[^”]*”|„[^“”]*[“”]|(?<!\w)'[^']*'(?!\w)|`[^`]*`)
      | (?P<number>\d+/\d+(?!\w)|\d+(?:\.\d+)?)
      | (?P<word>[^\W\d_](?:[\w]|'(?=\w))*)
      | (?P<mark>\.\.\.?|--|[^\w\s])""",
    re.VERBOSE,
)
_NUMBERS_TOLD = ("COUNTER", "UPTIME", "PRESS_COUNT", "STATE", "STATE_AFTER")
_ARTICLES = frozenset({"the", "an", "a"})


@dataclass(frozen=True, slots=True)
class Word:
    """One word: as written, folded for comparing, and where it stands in the sentence."""

    text: str
    folded: str
    start: int
    end: int
    kind: str  # "word", "number", "quoted", "mark"
    article: bool = False  # an article stood before it


@dataclass(frozen=True, slots=True)
class Lexicon:
    """Phrases of each kind, by their first word, longest first."""

    kinds: dict[str, dict[str, tuple[tuple[str, ...], ...]]]
    noise: tuple[tuple[str, ...], ...]
    stop: frozenset[str]
    things: tuple[tuple[str, ...], ...]
    numbers: dict[str, Fraction]
    scales: dict[str, int]
    fractions: dict[str, Fraction]
    duration: dict[str, int]
    frequency: dict[str, Fraction]
    vague: dict[str, str]

    @property
    def vocabulary(self) -> frozenset[str]:
        """Every single word that means something somewhere."""
        known = {
            w for by_first in self.kinds.values() for ps in by_first.values() for p in ps for w in p
        }
        known |= {w for phrase in self.noise for w in phrase}
        known |= set(self.numbers) | set(self.scales) | set(self.fractions)
        return frozenset(known | set(self.duration) | set(self.frequency) | _ARTICLES)


def _phrase(text: str) -> tuple[str, ...]:
    words = text.casefold().split()
    # Articles are dropped from sentences; a final "a" stays ("half a second", "twice a second").
    return tuple(w for i, w in enumerate(words) if w not in _ARTICLES or i == len(words) - 1)


def _by_first(phrases: list[str]) -> dict[str, tuple[tuple[str, ...], ...]]:
    made: dict[str, list[tuple[str, ...]]] = {}
    for phrase in dict.fromkeys(_phrase(p) for p in phrases):
        made.setdefault(phrase[0], []).append(phrase)
    return {first: tuple(sorted(ps, key=len, reverse=True)) for first, ps in made.items()}


@cache
def lexicon() -> Lexicon:
    """The lexicon of ``english.toml``."""
    text = files(__package__).joinpath("english.toml").read_text(encoding="utf-8")
    data = tomllib.loads(text)
    noise = data["noise"]["words"]
    return Lexicon(
        kinds={kind: _by_first(phrases) for kind, phrases in data["words"].items()},
        noise=tuple(sorted((tuple(p.split()) for p in noise), key=len, reverse=True)),
        stop=frozenset(data["stop"]["words"]),
        things=tuple(tuple(p.split()) for p in data["things"]["words"]),
        numbers={w: Fraction(v) for w, v in data["numbers"].items()},
        scales=data["scales"],
        fractions={w: Fraction(v) for w, v in data["fractions"].items()},
        duration=data["duration"],
        frequency={w: Fraction(v) for w, v in data["frequency"].items()},
        vague=data["vague"],
    )


def split(sentence: str) -> list[Word]:
    """The words of a sentence, those without meaning left out."""
    lex = lexicon()
    raw = []
    for match in _LEX.finditer(sentence):
        kind = match.lastgroup or "mark"
        text = match[0]
        folded = text.casefold().replace("\u2019", "'") if kind != "quoted" else text[1:-1]
        raw.append(Word(text, folded, match.start(), match.end(), kind))
    raw = [w for i, w in enumerate(raw) if not _hyphen(raw, i)]
    words: list[Word] = []
    at, article = 0, False
    while at < len(raw):
        word = raw[at]
        following = raw[at + 1].folded if at + 1 < len(raw) else ""
        skip = next((len(p) for p in lex.noise if _stands(raw, at, p)), 0)
        if word.kind == "word" and skip:
            article |= word.folded in _ARTICLES
            at += skip
            continue
        if word.folded == "a" and following not in lex.duration:
            article, at = True, at + 1
            continue
        words.append(Word(word.text, word.folded, word.start, word.end, word.kind, article))
        article, at = False, at + 1
    return words


def name_pins(words: list[Word], sentence: str, board: Board) -> list[Word]:
    """Read "pin 13" as the header's D13, where the board has one."""
    named: list[Word] = []
    for word in words:
        called = sentence[: word.start].casefold().rstrip().endswith("pin")
        pin = f"D{word.text}"
        if word.kind == "number" and called and board.find_pin(pin) is not None:
            named.append(Word(pin, pin.casefold(), word.start, word.end, "word"))
        else:
            named.append(word)
    return named


def _stands(raw: list[Word], at: int, phrase: tuple[str, ...]) -> bool:
    return [w.folded for w in raw[at : at + len(phrase)]] == list(phrase)


def _hyphen(raw: list[Word], at: int) -> bool:
    """Whether this is a hyphen inside an ordinary word ("on-board"), not a range ("D2-D5")."""
    if raw[at].text != "-" or not 0 < at < len(raw) - 1:
        return False
    before, after = raw[at - 1], raw[at + 1]
    glued = before.end == raw[at].start and raw[at].end == after.start
    return glued and before.folded.isalpha() and after.folded.isalpha()


class Vocabulary:
    """The terminals of the grammar, for one sentence on one board."""

    def __init__(self, words: list[Word], board: Board) -> None:
        self.board = board
        self.words = words
        self._lex = lexicon()
        self._things: dict[str, dict[tuple[str, ...], str]] = {"LED": {}, "BUTTON": {}, "PORT": {}}
        for part in board.parts.values():
            kind = {"led": "LED", "button": "BUTTON"}.get(part.kind)
            if kind:
                self._things[kind][_phrase(part.name)] = part.name
        for said, meant in board.words.items():
            part_meant = board.parts.get(meant)
            if part_meant is None:
                self._things["PORT"][_phrase(said)] = meant
            elif (kind := {"led": "LED", "button": "BUTTON"}.get(part_meant.kind)) is not None:
                self._things[kind][_phrase(said)] = meant

    def ends(self, kind: str, at: int) -> Iterator[int]:
        """Where a terminal that starts at word ``at`` can end; the longest first."""
        if at >= len(self.words):
            return
        word = self.words[at]
        match kind:
            case "QUOTED":
                if word.kind == "quoted":
                    yield at + 1
            case "NUMBER":
                yield from (end for end, _ in self.numbers(at))
            case "UNIT":
                if word.folded in self._lex.duration:
                    yield at + 1
            case "HERTZ":
                yield from self._hertz(at)
            case "PIN" | "PIN_":
                if word.kind == "word" and self.pin(at) is not None:
                    yield at + 1
            case "USART":
                if self.usart(at) is not None:
                    yield at + 1
            case "BARE":
                yield from self._bare(at)
            case "LED" | "BUTTON" | "PORT":
                ends = {at + len(p) for p in self._things[kind] if self._is(at, p)}
                ends |= set(self._phrases(kind, at))
                yield from sorted(ends, reverse=True)
            case _:
                yield from self._phrases(kind, at)

    def _phrases(self, kind: str, at: int) -> Iterator[int]:
        word = self.words[at]
        if word.kind not in ("quoted", "number"):
            for phrase in self._lex.kinds.get(kind, {}).get(word.folded, ()):
                if self._is(at, phrase):
                    yield at + len(phrase)

    def _is(self, at: int, phrase: tuple[str, ...]) -> bool:
        chunk = self.words[at : at + len(phrase)]
        return tuple(w.folded for w in chunk) == phrase and all(w.kind != "quoted" for w in chunk)

    def _hertz(self, at: int) -> Iterator[int]:
        for unit in self._lex.frequency:
            if self._is(at, tuple(unit.split())):
                yield at + len(unit.split())

    def hertz(self, start: int, end: int) -> Fraction:
        """Millihertz in one of the unit between two words ("MHz" is mega, "mHz" milli)."""
        words = self.words[start:end]
        if len(words) == 1 and words[0].folded == "mhz":
            return Fraction(1 if words[0].text.startswith("mH") else 10**9)
        return self._lex.frequency[" ".join(w.folded for w in words)]

    def unit(self, at: int) -> int:
        """Picoseconds in one of the unit at a word."""
        return self._lex.duration[self.words[at].folded]

    def pin(self, at: int) -> str | None:
        """The pin's own name ("PA5") when the word names a pin or a header's pin."""
        word = self.words[at]
        found = self.board.find_pin(word.folded) if any(c.isdigit() for c in word.text) else None
        return found.name if found is not None and not self.board.find_part(word.folded) else None

    def usart(self, at: int) -> str | None:
        """The serial port that a word names ("uart2" is USART2, where there is one), or None."""
        match = re.fullmatch(r"u(?:s)?art(\d)", self.words[at].folded)
        names = (f"USART{match[1]}", f"UART{match[1]}") if match else ()
        return next((name for name in names if name in self.board.chip.peripherals), None)

    def thing(self, kind: str, start: int, end: int) -> str | None:
        """The part or port that the words name ("LD2")."""
        return self._things[kind].get(tuple(w.folded for w in self.words[start:end]))

    def numbers(self, at: int) -> Iterator[tuple[int, Fraction]]:
        """Each way to read a number that starts at a word: end and value, the longest first."""
        found = [*self._numeral(at)]
        for end, value in tuple(found):
            rest = [w.folded for w in self.words[end : end + 3]]
            if rest[:2] == ["and", "half"]:
                found.append((end + 2, value + Fraction(1, 2)))
            elif rest[:3] == ["and", "a", "half"]:
                found.append((end + 3, value + Fraction(1, 2)))
        yield from sorted(found, reverse=True)

    def _numeral(self, at: int) -> Iterator[tuple[int, Fraction]]:
        if at >= len(self.words):
            return
        word, lex = self.words[at], self._lex
        if word.kind == "number":
            if not word.text.endswith("/0"):
                yield at + 1, Fraction(word.text)
            return
        if word.folded in lex.fractions:
            yield at + 1, lex.fractions[word.folded]
            return
        total, current, end = Fraction(0), Fraction(0), at
        while end < len(self.words):
            folded = self.words[end].folded
            if folded in lex.numbers:
                value = lex.numbers[folded]
                # "twenty five" adds up, "five two" does not
                if (
                    current
                    and not (current % 100 >= 20 and current % 10 == 0 and value < 10)
                    and current % 100
                ):
                    break
                current += value
            elif folded in lex.scales:
                total, current = total + (current or 1) * lex.scales[folded], Fraction(0)
            else:
                break
            end += 1
        if end > at:
            yield end, total + current

    def _bare(self, at: int) -> Iterator[int]:
        """Text without quotes: up to four plain words that mean nothing else here."""
        ends = []
        for end in range(at, min(at + 4, len(self.words))):
            word = self.words[end]
            if word.kind != "word" or word.folded in self._lex.stop or self.pin(end) is not None:
                break
            # "the x" speaks of a thing, not of the text "x"
            if word.article or any(self._is(end, thing) for thing in self._lex.things):
                break
            if any(True for kind in _NUMBERS_TOLD for _ in self._phrases(kind, end)):
                break
            ends.append(end + 1)
        yield from reversed(ends)

    def text(self, start: int, end: int, sentence: str) -> str:
        """The words as they were written."""
        if end <= start:
            return ""
        return sentence[self.words[start].start : self.words[end - 1].end]

    def unknown(self, at: int) -> bool:
        """Whether a word means nothing anywhere."""
        word = self.words[at]
        if word.kind in ("number", "quoted") or word.folded in self._lex.vocabulary:
            return False
        named = {w for kind in self._things.values() for phrase in kind for w in phrase}
        return word.folded not in named and self.pin(at) is None and self.usart(at) is None

    def vague(self, at: int) -> str | None:
        """What to say instead of a word that says too little, or None."""
        return self._lex.vague.get(self.words[at].folded)

    def is_thing(self, at: int) -> bool:
        """Whether a word names something to sense or compute that cannot be told here."""
        word = self.words[at]
        alone = word.kind == "word" and word.folded not in self._lex.vocabulary
        return alone and any(self._is(at, thing) for thing in self._lex.things)

    def suggest(self, at: int) -> str | None:
        """A known word close to one that is not."""
        named = {w for kind in self._things.values() for phrase in kind for w in phrase}
        pins = {name for header in self.board.headers.values() for name in header}
        known = self._lex.vocabulary | named | {*pins, *self.board.chip.pins}
        pool = {name.casefold(): name for name in known if len(name) > 2 or name[-1].isdigit()}
        close = get_close_matches(self.words[at].folded, pool, n=2, cutoff=0.75)
        return f"did you mean {' or '.join(pool[name] for name in close)}?" if close else None
