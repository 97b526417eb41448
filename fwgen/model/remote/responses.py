"""Responses: the way of asking that OpenAI and xAI prefer. Nothing is stored there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fwgen.model.remote.budget import Usage
from fwgen.model.remote.talk import number, text

if TYPE_CHECKING:
    from collections.abc import Mapping

    import httpx2
    from openai import OpenAI

    from fwgen.model.remote.quirks import Quirks
    from fwgen.model.remote.talk import Heard, Question


class Responses:
    """POST /responses."""

    path = "/responses"

    def parameters(
        self, question: Question, model: str, quirks: Quirks, limit: int
    ) -> dict[str, Any]:
        """The body of the request."""
        made: dict[str, Any] = {
            "model": model,
            "input": [{"role": role, "content": said} for role, said in question.messages],
            "store": False,
            **_format(question, quirks),
        }
        if quirks.limit:
            made["max_output_tokens"] = limit
        if quirks.streams:
            made["stream"] = True
        return {key: value for key, value in made.items() if key not in quirks.dropped}

    def send(
        self, client: OpenAI, parameters: dict[str, Any], headers: dict[str, str], timeout: object
    ) -> tuple[httpx2.Response, Any]:
        """Send it."""
        create: Any = client.responses.with_raw_response.create
        raw = create(**parameters, extra_headers=headers, timeout=timeout)
        return raw.http_response, raw

    def hear(self, data: Mapping[str, Any], heard: Heard) -> str:
        """Take one event."""
        kind = text(data, "type")
        if kind in ("response.output_text.delta", "response.function_call_arguments.delta"):
            added = text(data, "delta")
            heard.pieces.append(added)
            return added
        if kind == "response.refusal.delta":
            heard.refusal += text(data, "delta")
        elif kind.startswith("response.reasoning"):
            heard.reasoning += 1
        elif kind in ("response.completed", "response.incomplete", "response.failed"):
            response = data.get("response")
            if isinstance(response, dict):
                added = "" if heard.pieces else "".join(_texts(response, heard))
                if added:  # a server that sends no deltas
                    heard.pieces.append(added)
                _end(response, heard)
                return added
        return ""

    def whole(self, data: Mapping[str, Any], heard: Heard) -> None:
        """Take an answer that came in one piece."""
        heard.pieces += _texts(data, heard)
        _end(data, heard)


def _format(question: Question, quirks: Quirks) -> dict[str, Any]:
    schema = dict(question.schema)
    match quirks.rung:
        case "json_schema":
            inner = {"type": "json_schema", "name": question.name, "schema": schema, "strict": True}
            return {"text": {"format": inner}}
        case "tool":
            tool = {"type": "function", "name": question.name, "parameters": schema, "strict": True}
            chosen = {"type": "function", "name": question.name}
            return {"tools": [tool], "tool_choice": chosen}
        case "json_object":
            return {"text": {"format": {"type": "json_object"}}}
    return {}


def _texts(response: Mapping[str, Any], heard: Heard) -> list[str]:
    found = []
    output = response.get("output")
    for item in output if isinstance(output, list) else []:
        if not isinstance(item, dict):
            continue
        if item.get("type") == "function_call":
            found.append(text(item, "arguments"))
        content = item.get("content")
        for part in content if isinstance(content, list) else []:
            if text(part, "type") == "output_text":
                found.append(text(part, "text"))
            elif text(part, "type") == "refusal" and not heard.refusal:
                heard.refusal = text(part, "refusal")
    return found


def _end(response: Mapping[str, Any], heard: Heard) -> None:
    usage = response.get("usage")
    if isinstance(usage, dict):
        heard.usage = Usage(
            number(usage, "input_tokens"),
            number(usage, "output_tokens"),
            number(usage, "input_tokens_details", "cached_tokens"),
            number(usage, "output_tokens_details", "reasoning_tokens"),
        )
    status = text(response, "status")
    reason = text(response, "incomplete_details", "reason")
    limit = number(response, "max_output_tokens")
    written = heard.usage.written if heard.usage else 0
    if status == "incomplete" or reason:
        heard.finish = "content_filter" if reason == "content_filter" else "length"
    elif status == "failed":
        heard.finish = f"failed: {text(response, 'error', 'message') or 'no reason given'}"
    elif limit and written >= limit:  # servers that say "completed" though they ran out of room
        heard.finish = "length"
    elif status:
        heard.finish = "stop"
