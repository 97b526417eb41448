"""Names of symbols as their source spells them: C++ and Rust put more than that into them.

Sources: Itanium C++ ABI §5.1 (``_Z``); Rust RFC 2603 (``_R``); for Rust's older scheme, which is
``_ZN``, a path, 17, ``h`` and a hash, the reference of rustc's ``-C symbol-mangling-version``.
"""

from __future__ import annotations

import re

MOST_CHARACTERS = 1000
# What refers back may stand for what refers back twice itself: 60 characters can spell a gigabyte.
MOST_REFERENCES = 24
_REFERENCE = re.compile(r"[BST][0-9A-Za-z]*_")
_HASH = re.compile(r"::h[0-9a-f]{16}(?=$| \()")
_MADE_BY_LLVM = re.compile(r" \(\.llvm\.\d+\)$")
_ESCAPE = re.compile(r"\$(SP|BP|RF|LT|GT|LP|RP|C|u[0-9a-f]{1,6})\$|\.\.")
_ESCAPED = {"SP": "@", "BP": "*", "RF": "&", "LT": "<", "GT": ">", "LP": "(", "RP": ")", "C": ","}


def spelled(name: str) -> str:
    """The name that the source has for a linker's name; any other name as it is."""
    if not name.startswith(("_Z", "_R")) or len(name) > MOST_CHARACTERS:
        return name
    if len(_REFERENCE.findall(name)) > MOST_REFERENCES:
        return name
    from pycxxfilt import demangle

    try:
        plain = demangle(name)
    except ValueError:  # a name of C that only begins so, such as _Reset
        return name
    if not plain:
        return name
    plain = _MADE_BY_LLVM.sub("", plain)
    path = _HASH.sub("", plain)
    return _unescaped(path) if path != plain else plain


def _unescaped(path: str) -> str:
    """A path of Rust's older scheme with the signs that it could not hold."""
    parts = (part[1:] if part.startswith("_$") else part for part in path.split("::"))
    return _ESCAPE.sub(_sign, "::".join(parts))


def _sign(found: re.Match[str]) -> str:
    code = found[1]
    if code is None:
        return "::"
    if code in _ESCAPED:
        return _ESCAPED[code]
    value = int(code[1:], 16)
    return chr(value) if value <= 0x10FFFF and chr(value).isprintable() else found[0]
