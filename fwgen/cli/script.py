"""Stimuli as people write them on a command line: "B1@1s:200ms", "D2@1s=high", "hi@500ms"."""

from __future__ import annotations

import re

from fwgen.contract import Drive, Press, Send
from fwgen.errors import InputError, did_you_mean
from fwgen.units import parse_duration

LEVELS = {"high": 1, "low": 0, "float": None, "1": 1, "0": 0}


def press(text: str, usual_hold: str) -> Press:
    """A press from "BUTTON@TIME", "BUTTON@TIME:HOLD" or "BUTTON@TIME:ever". Raises InputError."""
    subject, at = _split(text, "--press", "B1@1s:200ms")
    when, _, hold = at.partition(":")
    hold = hold.strip() or usual_hold
    return Press(subject, _time(when), None if hold == "ever" else _time(hold))


def drive(text: str) -> Drive:
    """A level on a pin from "PIN@TIME=LEVEL". Raises InputError."""
    subject, at = _split(text, "--drive", "D2@1s=high")
    when, _, level = at.partition("=")
    meant = level.strip().casefold()
    if meant not in LEVELS:
        raise InputError(
            f"{level!r} is no level",
            where=f"--drive {text}",
            hint=did_you_mean(meant, LEVELS) or "use high, low or float: D2@1s=high",
        )
    return Drive(subject, _time(when), LEVELS[meant])


def send(text: str) -> Send:
    r"""Bytes for the console from "TEXT@TIME"; \n, \r, \t, \xNN and \\ mean what they do in C.

    Raises InputError.
    """
    said, at = _split(text, "--send", r"hello\n@500ms", empty_is_fine=True)
    return Send("console", _time(at), _unescaped(said, text))


def _split(text: str, option: str, example: str, *, empty_is_fine: bool = False) -> tuple[str, str]:
    subject, sign, at = text.rpartition("@")
    if not sign or not at.strip() or not (subject.strip() or empty_is_fine):
        raise InputError(f"{text!r} says no time", where=option, hint=f"write it as {example!r}")
    return subject if empty_is_fine else subject.strip(), at


def _time(text: str) -> int:
    at = parse_duration(text)
    if at < 0:
        raise InputError(f"{text!r} is before the beginning")
    return at


_ESCAPES = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"0": b"\0", b"\\": b"\\"}


def _unescaped(text: str, whole: str) -> bytes:
    def meant(match: re.Match[bytes]) -> bytes:
        escape = match[1]
        if escape[:1] == b"x" and len(escape) == 3:
            return bytes.fromhex(escape[1:].decode())
        if escape not in _ESCAPES:
            raise InputError(
                f"\\{escape.decode(errors='replace')} is no escape", where=f"--send {whole}",
                hint=r"use \n, \r, \t, \0, \xNN or \\",
            )  # fmt: skip
        return _ESCAPES[escape]

    return re.sub(rb"\\(x[0-9A-Fa-f]{2}|.?)", meant, text.encode(), flags=re.DOTALL)
