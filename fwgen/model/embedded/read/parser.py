"""A small parser for ordered, ambiguous grammars over words.

A grammar is text, one rule a paragraph:

    rate    = [AT] number HERTZ | EVERY duration
    outputs = output (AND output)*

lower case: a rule; UPPER case: a terminal (a kind of word in the lexicon, or one that the
terminal function knows); ``[x]`` optional; ``x*`` any number; ``x+`` one or more; ``( )`` groups.
Alternatives are tried in the order written, repetition takes as much as it can, and everything is
taken back where the rest does not fit: the first whole parse in that order is the meaning.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping


@dataclass(frozen=True, slots=True)
class Node:
    """What a rule or terminal matched: words ``start`` to ``end`` (exclusive)."""

    name: str
    start: int
    end: int
    kids: tuple[Node, ...] = ()

    def first(self, *names: str) -> Node | None:
        """The first direct or nested child of these names, not looking inside a match."""
        return next(self.all(*names), None)

    def all(self, *names: str) -> Iterator[Node]:
        """All children of these names, in order, not looking inside a match."""
        for kid in self.kids:
            if kid.name in names:
                yield kid
            else:
                yield from kid.all(*names)


@dataclass(frozen=True, slots=True)
class _Symbol:
    name: str


@dataclass(frozen=True, slots=True)
class _Sequence:
    items: tuple[_Item, ...]


@dataclass(frozen=True, slots=True)
class _Choice:
    options: tuple[_Item, ...]


@dataclass(frozen=True, slots=True)
class _Repeat:
    item: _Item
    least: int
    most: int | None


_Item = _Symbol | _Sequence | _Choice | _Repeat
_TOKEN = re.compile(r"\s*([A-Za-z_]\w*|[()\[\]|*+=])")


class Grammar:
    """A grammar read from text. Raises ValueError for a rule that is not defined."""

    def __init__(self, text: str) -> None:
        self.rules: dict[str, _Item] = {}
        stripped = re.sub(r"#.*", "", text)
        heads = list(re.finditer(r"^([a-z]\w*)\s*=", stripped, re.MULTILINE))
        for head, following in zip(heads, [*heads[1:], None], strict=True):
            body = stripped[head.end() : following.start() if following else None]
            tokens = _TOKEN.findall(body)
            item, rest = _choice(tokens)
            if rest:
                raise ValueError(f"rule {head[1]}: cannot read {' '.join(rest[:5])}")
            self.rules[head[1]] = item
        for name, item in self.rules.items():
            for used in _used(item):
                if used[0].islower() and used not in self.rules:
                    raise ValueError(f"rule {name} uses {used}, which is not defined")

    @property
    def terminals(self) -> frozenset[str]:
        """Every terminal that some rule uses."""
        return frozenset(
            name for item in self.rules.values() for name in _used(item) if name[0].isupper()
        )


def _used(item: _Item) -> Iterator[str]:
    match item:
        case _Symbol(name):
            yield name
        case _Sequence(items) | _Choice(items):
            for inner in items:
                yield from _used(inner)
        case _Repeat(inner, _, _):
            yield from _used(inner)


def _choice(tokens: list[str]) -> tuple[_Item, list[str]]:
    option, tokens = _sequence(tokens)
    options = [option]
    while tokens and tokens[0] == "|":
        option, tokens = _sequence(tokens[1:])
        options.append(option)
    return (options[0] if len(options) == 1 else _Choice(tuple(options))), tokens


def _sequence(tokens: list[str]) -> tuple[_Item, list[str]]:
    items: list[_Item] = []
    while tokens and tokens[0] not in "|)]":
        head, tokens = tokens[0], tokens[1:]
        item: _Item
        if head in "([":
            item, tokens = _choice(tokens)
            tokens = tokens[1:]
            if head == "[":
                item = _Repeat(item, 0, 1)
        else:
            item = _Symbol(head)
        if tokens and tokens[0] in "*+":
            item = _Repeat(item, int(tokens[0] == "+"), None)
            tokens = tokens[1:]
        items.append(item)
    return _Sequence(tuple(items)), tokens


class Parse:
    """One parse of one list of words; ``furthest`` is how far any attempt came.

    ``terminal(kind, at)`` yields the ends at which a terminal that starts at a word can end.
    """

    def __init__(
        self,
        grammar: Grammar,
        length: int,
        terminal: Callable[[str, int], Iterator[int]],
    ) -> None:
        self._rules: Mapping[str, _Item] = grammar.rules
        self._length = length
        self._terminal = terminal
        self._memo: dict[tuple[str, int], tuple[Node, ...]] = {}
        self.furthest = 0
        self.expected: set[str] = set()

    def whole(self, rule: str) -> Node | None:
        """The first parse of all words as ``rule``, or None."""
        return next((n for n in self._rule(rule, 0) if n.end == self._length), None)

    def _rule(self, name: str, at: int) -> tuple[Node, ...]:
        key = (name, at)
        if key not in self._memo:
            self._memo[key] = ()  # a rule that begins with itself finds nothing
            seen: dict[int, Node] = {}
            for end, kids in self._item(self._rules[name], at):
                seen.setdefault(end, Node(name, at, end, kids))
            self._memo[key] = tuple(seen.values())
        return self._memo[key]

    def _item(self, item: _Item, at: int) -> Iterator[tuple[int, tuple[Node, ...]]]:
        match item:
            case _Symbol(name) if name[0].isupper():
                if at > self.furthest:
                    self.furthest, self.expected = at, set()
                if at == self.furthest:
                    self.expected.add(name)
                for end in self._terminal(name, at):
                    yield end, (Node(name, at, end),)
            case _Symbol(name):
                for node in self._rule(name, at):
                    yield node.end, (node,)
            case _Sequence(items):
                yield from self._sequence(items, at)
            case _Choice(options):
                for option in options:
                    yield from self._item(option, at)
            case _Repeat(inner, least, most):
                yield from self._repeat(inner, least, most, at)

    def _sequence(
        self, items: tuple[_Item, ...], at: int
    ) -> Iterator[tuple[int, tuple[Node, ...]]]:
        if not items:
            yield at, ()
            return
        for middle, kids in self._item(items[0], at):
            for end, more in self._sequence(items[1:], middle):
                yield end, kids + more

    def _repeat(
        self, inner: _Item, least: int, most: int | None, at: int
    ) -> Iterator[tuple[int, tuple[Node, ...]]]:
        if most is None or most > 0:
            for middle, kids in self._item(inner, at):
                if middle > at:
                    left = None if most is None else most - 1
                    for end, more in self._repeat(inner, max(0, least - 1), left, middle):
                        yield end, kids + more
        if least == 0:
            yield at, ()
