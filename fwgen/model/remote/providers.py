"""Who can be asked: providers as data, the user's changes to them, and what a name means.

``--model`` takes "provider/name" ("xai/grok-4", "openrouter/qwen/qwen3-coder"), a provider alone
("ollama"), or a name alone whose provider is plain from it ("grok-4", "gpt-5").
"""

from __future__ import annotations

import os
import re
import tomllib
from dataclasses import dataclass
from fnmatch import fnmatchcase
from importlib.resources import files
from typing import TYPE_CHECKING, Literal, cast
from urllib.parse import urlsplit, urlunsplit

from fwgen.errors import InputError
from fwgen.model.remote.keys import find_key, no_such_provider

if TYPE_CHECKING:
    from fwgen.model.remote.settings import Settings

Transport = Literal["chat", "responses"]
_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]*")


@dataclass(frozen=True, slots=True)
class Provider:
    """An endpoint that speaks the OpenAI API. ``key`` is "needed", "optional" or "none"."""

    name: str
    title: str
    base_url: str
    key_env: tuple[str, ...] = ()
    key_file: str = ""
    key: str = "optional"
    transport: Transport = "chat"
    models: tuple[str, ...] = ()
    model: str = ""

    @property
    def host(self) -> str:
        """The address for people: without what might be a secret in it."""
        parts = urlsplit(self.base_url)
        place = parts.hostname or ""
        if parts.port:
            place += f":{parts.port}"
        return urlunsplit((parts.scheme, place, parts.path, "", ""))


@dataclass(frozen=True, slots=True)
class Target:
    """A model at a provider. ``model`` "" means the first that the provider lists."""

    provider: Provider
    model: str

    @property
    def name(self) -> str:
        """As ``--model`` takes it."""
        return f"{self.provider.name}/{self.model}" if self.model else self.provider.name


def providers(settings: Settings) -> dict[str, Provider]:
    """Every provider, the user's changes and the environment's applied. Raises InputError."""
    known: dict[str, dict[str, object]] = tomllib.loads(
        files(__package__).joinpath("providers.toml").read_text(encoding="utf-8")
    )
    for name, changes in settings.providers.items():
        if _NAME.fullmatch(name) is None:
            raise InputError(
                f"{name!r} cannot name a provider", where=f"providers.{name}",
                hint="lower-case letters, digits, - and _",
            )  # fmt: skip
        known.setdefault(name, {}).update(changes)
    return {name: _provider(name, data) for name, data in known.items()}


def _provider(name: str, data: dict[str, object]) -> Provider:
    def text(key: str, default: str = "") -> str:
        return str(data.get(key, default))

    variable = text("base_url_env")
    url = (os.environ.get(variable, "").strip() if variable else "") or text("base_url")
    where = variable if variable and os.environ.get(variable) else f"providers.{name}.base_url"
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise InputError(
            f"the address of {name} is no http or https URL", where=where,
            hint=f"fwgen config set providers.{name}.base_url https://HOST/v1",
        )  # fmt: skip
    key_env = data.get("key_env", ())
    names = (key_env,) if isinstance(key_env, str) else cast("tuple[str, ...]", tuple(key_env))  # type: ignore[arg-type]
    return Provider(
        name=name,
        title=text("title", name),
        base_url=url,
        key_env=tuple(names),
        key_file=text("key_file"),
        key=text("key", "optional"),
        transport=cast("Transport", text("transport", "chat")),
        models=tuple(cast("list[str]", data.get("models", []))),
        model=text("model"),
    )


def find_target(name: str, settings: Settings) -> Target:
    """What ``--model NAME`` means. Raises InputError that says what could be meant."""
    known = providers(settings)
    first, slash, rest = name.partition("/")
    if first in known:
        provider = known[first]
        if slash and not rest:
            raise InputError(f"{name!r} names no model", hint=f'"fwgen models {first}" lists them')
        return Target(provider, rest or provider.model)
    for provider in known.values():
        if any(fnmatchcase(name, pattern) for pattern in provider.models):
            return Target(provider, name)
    if os.environ.get("OPENAI_BASE_URL") and not slash:
        return Target(known["openai"], name)  # whatever stands there, under the name it was given
    raise no_such_provider(first, ["embedded", *known])


def offered(settings: Settings) -> Target | None:
    """The remote model that is at hand without being named: configured, or with a key set."""
    if settings.model and settings.model != "embedded":
        return find_target(settings.model, settings)
    for provider in providers(settings).values():
        if provider.model and any(os.environ.get(name, "").strip() for name in provider.key_env):
            return Target(provider, provider.model)
    return None


def missing_key(provider: Provider) -> str | None:
    """Why a provider cannot be asked for want of a key, or None. Raises InputError."""
    if provider.key != "needed" or find_key(provider) is not None:
        return None
    return f"no key: set {' or '.join(provider.key_env)}, or fwgen config set-key {provider.name}"
