"""The answer while it comes: how far it is, and whether it will ever end. Linear in its length.

The scanner walks over the text once, character by character of what arrives, and keeps a handful
of numbers. It understands as much JSON as is needed to count: strings, braces, and how deep they
stand. What comes before the first brace (a fence, a greeting) does not count.
"""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass

MOST_BLANKS = 400  # characters of white space in a row: constrained decoding that runs in circles
MOST_ALIKE = 48  # lines in a row that repeat with a short period
LONGEST_PERIOD = 6
LONGEST_LINE = 8000  # characters of one string
LONGEST_ANSWER = 2_000_000  # characters: far above any firmware, far below a memory bomb

_PLAIN = re.compile(r'[^"\\]+')  # the inside of a string, up to what matters
_OUTSIDE = re.compile(r'["{}\[\]]')
_BLANKS = re.compile(r"\s+")
_HEX = re.compile(r";\s*([0-9a-fA-F]{4})(?:\s?([0-9a-fA-F]{4}))?\b")


@dataclass(frozen=True, slots=True)
class Loop:
    """Why an answer will not end."""

    reason: str


class Scanner:
    """Feed it what arrives; look at ``units``, ``lines`` and ``code_bytes``."""

    def __init__(self) -> None:
        self.characters = 0
        self.units = 0  # objects that stand in the list of the whole
        self.lines = 0
        self.code_bytes = 0
        self.complete = False  # the whole object was closed
        self._depth = 0
        self._in_string = False
        self._escaped = False
        self._word: list[str] = []
        self._word_size = 0
        self._blanks = 0
        self._recent: deque[str] = deque(maxlen=LONGEST_PERIOD)
        self._alike = [0] * (LONGEST_PERIOD + 1)  # by period: lines in a row that were alike

    def feed(self, text: str) -> Loop | None:
        """Take the next piece. Returns why the answer is without end, once it is."""
        self.characters += len(text)
        if self.characters > LONGEST_ANSWER:
            return Loop(f"it is longer than {LONGEST_ANSWER} characters")
        at, end = 0, len(text)
        while at < end:
            at = self._string(text, at) if self._in_string else self._between(text, at)
            if self._blanks > MOST_BLANKS:
                return Loop(f"it sends nothing but white space ({self._blanks} characters of it)")
            if self._word_size > LONGEST_LINE:
                return Loop(f"one line of it is longer than {LONGEST_LINE} characters")
            for period in range(1, LONGEST_PERIOD + 1):
                if self._alike[period] >= MOST_ALIKE * min(period, 2):
                    return Loop(f"it repeats itself: {self._recent[-1][:60]!r} again and again")
        return None

    def _string(self, text: str, at: int) -> int:
        if self._escaped:
            self._escaped = False
            self._keep(text[at])
            return at + 1
        if plain := _PLAIN.match(text, at):
            self._keep(plain[0])
            return plain.end()
        if text[at] == "\\":
            self._escaped = True
            self._keep("\\")
        else:
            self._in_string = False
            self._close_string()
        return at + 1

    def _keep(self, piece: str) -> None:
        self._word_size += len(piece)
        self._blanks = self._blanks + len(piece) if piece.isspace() else 0
        self._word.append(piece)

    def _close_string(self) -> None:
        line = "".join(self._word)
        if self._depth >= 4:  # { units [ { lines [ here
            self.lines += 1
            if code := _HEX.search(line):
                self.code_bytes += 4 if code[2] else 2
            for period in range(1, LONGEST_PERIOD + 1):
                same = len(self._recent) >= period and self._recent[-period] == line
                self._alike[period] = self._alike[period] + 1 if same else 0
            self._recent.append(line)

    def _between(self, text: str, at: int) -> int:
        found = _OUTSIDE.search(text, at)
        stop = found.start() if found else len(text)
        if stop > at:
            blanks = _BLANKS.match(text, at)
            whole = blanks is not None and blanks.end() >= stop
            tail = len(text[at:stop]) - len(text[at:stop].rstrip())
            self._blanks = self._blanks + stop - at if whole else tail
        if found is None:
            return stop
        self._blanks = 0
        mark = found[0]
        if mark == '"':
            if self._depth:
                self._in_string, self._word, self._word_size = True, [], 0
        elif mark in "{[":
            if self._depth or mark == "{":
                self._depth += 1
                self.units += mark == "{" and self._depth == 3
        elif self._depth:
            self._depth -= 1
            self.complete |= self._depth == 0
        return stop + 1
