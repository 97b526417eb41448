"""The configuration file: named providers, the usual model, prices. No keys.

    model = "xai/grok-4"                       # when --model is left out

    [providers.lab]                            # a provider of your own, or changes to a known one
    base_url = "http://10.0.0.5:8000/v1"
    key_env = "LAB_KEY"
    transport = "chat"

    [prices."xai/grok-4"]                      # US dollars for a million tokens
    input = 3.0
    output = 15.0

It is ``fwgen/config.toml`` in the user's configuration folder, or the file that ``FWGEN_CONFIG``
names.
"""

from __future__ import annotations

import json
import os
import tempfile
import tomllib
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from fwgen.errors import InputError, OutputError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping

PROVIDER_KEYS = ("base_url", "key_env", "key_file", "key", "transport", "model", "title")


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars for one token, read and written."""

    input: Fraction
    output: Fraction

    def of(self, read: int, written: int) -> Fraction:
        """What so many tokens cost."""
        return read * self.input + written * self.output


@dataclass(frozen=True, slots=True)
class Settings:
    """What the configuration file says; empty where there is none."""

    model: str = ""
    providers: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    prices: Mapping[str, Price] = field(default_factory=dict)


def folder(kind: str) -> Path:
    """Our folder of a kind: "config", "state" or "cache". It need not exist yet."""
    variable, usual = {
        "config": ("XDG_CONFIG_HOME", ".config"),
        "state": ("XDG_STATE_HOME", ".local/state"),
        "cache": ("XDG_CACHE_HOME", ".cache"),
    }[kind]
    named = os.environ.get(variable, "")
    return (Path(named) if Path(named).is_absolute() else Path.home() / usual) / "fwgen"


def settings_path() -> Path:
    """Where the configuration file is, or would be."""
    named = os.environ.get("FWGEN_CONFIG")
    return Path(named) if named else folder("config") / "config.toml"


def load_settings(path: Path | None = None) -> Settings:
    """Read the configuration file. Raises InputError naming file and key."""
    path = path or settings_path()
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return Settings()
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(f"cannot be read: {error}", where=str(path)) from None
    return _read(data, str(path))


def _read(data: dict[str, object], where: str) -> Settings:
    _known(data, ("model", "providers", "prices"), where)
    providers: dict[str, dict[str, str]] = {}
    for name, table in _table(data.get("providers", {}), f"{where}: providers").items():
        place = f"{where}: providers.{name}"
        entries = _table(table, place)
        _known(entries, PROVIDER_KEYS, place)
        providers[name] = {key: _text(value, f"{place}.{key}") for key, value in entries.items()}
        transport = providers[name].get("transport", "chat")
        if transport not in ("chat", "responses"):
            raise InputError(
                f"there is no transport {transport!r}", where=f"{place}.transport",
                hint='"chat" or "responses"',
            )  # fmt: skip
    prices = {}
    for name, table in _table(data.get("prices", {}), f"{where}: prices").items():
        place = f"{where}: prices.{name}"
        entries = _table(table, place)
        _known(entries, ("input", "output"), place)
        given = {key: _dollars(value, f"{place}.{key}") for key, value in entries.items()}
        if len(given) == len(_PRICE):  # half a price is none
            prices[name] = Price(**given)
    return Settings(_text(data.get("model", ""), f"{where}: model"), providers, prices)


_PRICE = ("input", "output")


def _known(data: Mapping[str, object], keys: tuple[str, ...], where: str) -> None:
    for key in data:
        if key not in keys:
            hint = did_you_mean(key, keys) or f"known here: {', '.join(keys)}"
            if "key" in key.casefold():
                hint = "keys are not kept here: fwgen config set-key PROVIDER"
            raise InputError(f"unknown key {key!r}", where=where, hint=hint)


def _table(value: object, where: str) -> dict[str, object]:
    if not isinstance(value, dict):
        raise InputError("expected a table", where=where)
    return value


def _text(value: object, where: str) -> str:
    if not isinstance(value, str) or not value.isprintable():
        raise InputError("expected a text", where=where)
    return value


def _dollars(value: object, where: str) -> Fraction:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < 10**6:
        raise InputError(
            "expected US dollars for a million tokens", where=where, hint="such as input = 3.0"
        )
    return Fraction(str(value)) / 10**6


def change_settings(changes: Mapping[str, str], path: Path | None = None) -> Path:
    """Set entries by their dotted name ("model", "providers.lab.base_url"); "" removes one.

    Comments of the file are not kept. Raises InputError for what it would not read again, and
    OutputError where it cannot be written.
    """
    path = path or settings_path()
    load_settings(path)
    data: dict[str, object] = {}
    if path.exists():
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    for name, value in changes.items():
        _change(data, name, value)
    _read(data, str(path))
    write_private(path, _toml(data))
    return path


def _change(data: dict[str, object], name: str, value: str) -> None:
    top, _, rest = name.partition(".")
    if top == "model" and not rest:
        data["model"] = value
        return
    inner, _, key = rest.rpartition(".")
    if top not in ("providers", "prices") or not inner or not key:
        raise InputError(
            f"there is nothing called {name!r} to configure",
            hint="model, providers.NAME.base_url, prices.PROVIDER/MODEL.input ...",
        )
    tables = data.setdefault(top, {})
    assert isinstance(tables, dict)
    entries = tables.setdefault(inner, {})
    if value == "":
        entries.pop(key, None)
    elif top == "prices":
        try:
            entries[key] = float(value)
        except ValueError:
            raise InputError(f"{value!r} is no price", where=name, hint="such as 3.0") from None
    else:
        entries[key] = value
    if not entries:
        del tables[inner]


def _toml(data: Mapping[str, object]) -> str:
    lines = []
    if data.get("model"):
        lines.append(f"model = {_quoted(data['model'])}")
    for group in ("providers", "prices"):
        tables = data.get(group, {})
        assert isinstance(tables, dict)
        for name in sorted(tables):
            lines += ["", f"[{group}.{_quoted(name)}]"]
            lines += [f"{key} = {_quoted(value)}" for key, value in tables[name].items()]
    return "\n".join(lines).strip() + "\n"


def _quoted(value: object) -> str:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner may read, whole or not at all. Raises OutputError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text)
            Path(name).replace(path)
        finally:
            Path(name).unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(
            f"cannot be written: {error.strerror or error}", where=str(path)
        ) from None
