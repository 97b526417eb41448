"""The JSON in an answer, wherever it stands, and what is wrong with it where it is none."""

from __future__ import annotations

import json
import re
from typing import Any

_FENCED = re.compile(r"```[A-Za-z0-9]*[ \t]*\r?\n(.*?)```", re.DOTALL)
_STARTS = 40  # places at which an object may begin that are tried


def json_object(text: str) -> str | None:
    """The JSON object that an answer is or holds, as text; None where there is none.

    The whole answer; else what a fence encloses; else the longest object that begins at a brace.
    """
    for candidate in (text, *_FENCED.findall(text)):
        if isinstance(_loaded(candidate), dict):
            return str(candidate).strip()
    decoder = json.JSONDecoder()
    found = ""
    at = text.find("{")
    for _ in range(_STARTS):
        if at < 0:
            break
        end = at + 1
        try:
            value, end = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            value = None
        if isinstance(value, dict) and end - at > len(found):
            found = text[at:end]
        at = text.find("{", max(end, at + 1))
    return found or None


def _loaded(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def why_no_json(text: str) -> str:
    """What is wrong with an answer that holds no JSON object, for the model that wrote it."""
    start = text.find("{")
    if start < 0:
        return "the answer holds no JSON object: answer with one and nothing else"
    try:
        json.loads(text[start:])
    except ValueError as error:
        return f"the answer is not JSON: {str(error).partition(':')[0]} in it"
    return "the answer is not one JSON object"
