"""Patterns of serial lines: literal text with ``{name}`` where a decimal number stands."""

from __future__ import annotations

import re
from functools import cache

from fwgen.errors import ContractError

_PIECE = re.compile(r"(\{\{|\}\})|\{([^{}]*)\}|([{}])|([^{}]+)")


@cache
def compile_line(pattern: str) -> re.Pattern[str]:
    """The regular expression of a pattern; named groups are its captures. Raises ContractError."""
    made: list[str] = []
    seen: set[str] = set()
    for doubled, name, stray, literal in _PIECE.findall(pattern):
        if stray:
            raise ContractError(f"{pattern!r}: a lone {stray!r}", hint="write {{ and }} for braces")
        if literal or doubled:
            made.append(re.escape(literal or doubled[0]))
            continue
        if not name.isidentifier() or not name.isascii():
            raise ContractError(f"{pattern!r}: {{{name}}} is no name", hint="such as {count}")
        if name in seen:
            raise ContractError(f"{pattern!r}: {{{name}}} stands twice", hint="name them apart")
        if made and made[-1].startswith("(?P"):
            raise ContractError(f"{pattern!r}: two numbers with nothing between them")
        seen.add(name)
        made.append(f"(?P<{name}>-?[0-9]+)")
    if any(ord(char) < 0x20 and char != "\t" for char in pattern):
        raise ContractError(
            f"{pattern!r}: a pattern is one line",
            hint="leave out the line's end; CR LF or LF both do",
        )
    return re.compile("".join(made))


def captures(pattern: str) -> tuple[str, ...]:
    """The names of a pattern's numbers, in order. Raises ContractError."""
    return tuple(compile_line(pattern).groupindex)
