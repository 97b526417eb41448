"""Chat Completions: the way of asking that everybody speaks.

Roles are ``system`` (never ``developer``, which only OpenAI knows), ``user`` and ``assistant``.
"""

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


class Chat:
    """POST /chat/completions."""

    path = "/chat/completions"

    def parameters(
        self, question: Question, model: str, quirks: Quirks, limit: int
    ) -> dict[str, Any]:
        """The body of the request."""
        made: dict[str, Any] = {
            "model": model,
            "messages": [{"role": role, "content": said} for role, said in question.messages],
            **_format(question, quirks),
        }
        if quirks.limit:
            made[quirks.limit] = limit
        if quirks.streams:
            made["stream"] = True
            made["stream_options"] = {"include_usage": True}
        if question.seed is not None:
            made["seed"] = question.seed
        return {key: value for key, value in made.items() if key not in quirks.dropped}

    def send(
        self, client: OpenAI, parameters: dict[str, Any], headers: dict[str, str], timeout: object
    ) -> tuple[httpx2.Response, Any]:
        """Send it."""
        create: Any = client.chat.completions.with_raw_response.create
        raw = create(**parameters, extra_headers=headers, timeout=timeout)
        return raw.http_response, raw

    def hear(self, data: Mapping[str, Any], heard: Heard) -> str:
        """Take one chunk."""
        _usage(data, heard)
        added = ""
        for choice in _choices(data):
            delta = choice.get("delta")
            if isinstance(delta, dict):
                added += _content(delta) + _called(delta)
                heard.refusal += text(delta, "refusal")
                heard.reasoning += bool(
                    text(delta, "reasoning_content") or text(delta, "reasoning")
                )
            heard.finish = text(choice, "finish_reason") or heard.finish
        if added:
            heard.pieces.append(added)
        return added

    def whole(self, data: Mapping[str, Any], heard: Heard) -> None:
        """Take an answer that came in one piece."""
        _usage(data, heard)
        for choice in _choices(data):
            message = choice.get("message")
            if isinstance(message, dict):
                heard.pieces.append(_content(message) + _called(message))
                heard.refusal += text(message, "refusal")
            heard.finish = text(choice, "finish_reason") or heard.finish


def _format(question: Question, quirks: Quirks) -> dict[str, Any]:
    schema = dict(question.schema)
    match quirks.rung:
        case "json_schema":
            inner = {"name": question.name, "schema": schema, "strict": True}
            return {"response_format": {"type": "json_schema", "json_schema": inner}}
        case "tool":
            function = {"name": question.name, "parameters": schema, "strict": True}
            chosen = {"type": "function", "function": {"name": question.name}}
            return {
                "tools": [{"type": "function", "function": function}],
                "tool_choice": chosen,
            }
        case "json_schema_object":
            return {"response_format": {"type": "json_object", "schema": schema}}
        case "json_object":
            return {"response_format": {"type": "json_object"}}
    return {}


def _choices(data: Mapping[str, Any]) -> list[dict[str, Any]]:
    choices = data.get("choices")
    return [c for c in choices if isinstance(c, dict)] if isinstance(choices, list) else []


def _content(message: Mapping[str, Any]) -> str:
    """What a message says: a text, or (some servers) a list of parts."""
    content = message.get("content")
    if isinstance(content, list):
        return "".join(text(part, "text") for part in content)
    return content if isinstance(content, str) else ""


def _called(message: Mapping[str, Any]) -> str:
    calls = message.get("tool_calls")
    if not isinstance(calls, list):
        return ""
    return "".join(text(call, "function", "arguments") for call in calls)


def _usage(data: Mapping[str, Any], heard: Heard) -> None:
    usage = data.get("usage")
    if isinstance(usage, dict) and (usage.get("prompt_tokens") or usage.get("completion_tokens")):
        heard.usage = Usage(
            number(usage, "prompt_tokens"),
            number(usage, "completion_tokens"),
            number(usage, "prompt_tokens_details", "cached_tokens"),
            number(usage, "completion_tokens_details", "reasoning_tokens"),
        )
