"""Keys: from the environment, the keyring, or a file that only its owner may read.

A key is a ``Secret``: it does not print, it is not pickled, and whoever sends it must ask for it.
"""

from __future__ import annotations

import os
import stat
import tomllib
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from fwgen.errors import InputError, did_you_mean
from fwgen.model.remote.settings import folder, write_private

if TYPE_CHECKING:
    from fwgen.model.remote.providers import Provider

SERVICE = "fwgen"  # in the keyring
HIDDEN = "[key]"


class Secret:
    """A key. ``str`` and ``repr`` hide it; ``source`` says where it came from."""

    __slots__ = ("__value", "source")

    def __init__(self, value: str, source: str) -> None:
        self.__value = value
        self.source = source

    def reveal(self) -> str:
        """The key itself, for the one who sends it."""
        return self.__value

    def hide(self, text: str) -> str:
        """A text in which the key does not stand."""
        return text.replace(self.__value, HIDDEN) if len(self.__value) > 3 else text

    def __repr__(self) -> str:
        return f"<a key, from {self.source}>"

    __str__ = __repr__

    def __reduce__(self) -> NoReturn:
        raise TypeError("a key is not stored")


NO_KEY = Secret("none", "nowhere")  # what servers that want no key are sent


def keys_path() -> Path:
    """The file that holds keys where there is no keyring."""
    return folder("config") / "keys.toml"


def find_key(provider: Provider) -> Secret | None:
    """The key of a provider, or None where there is none.

    Raises InputError for a key file that others may read, or that cannot be read.
    """
    for name in provider.key_env:
        if value := os.environ.get(name, "").strip():
            return _checked(Secret(value, f"the environment ({name})"), provider)
    if provider.key_file:
        path = Path(provider.key_file).expanduser()
        return _checked(Secret(_private(path).strip(), str(path)), provider)
    if value := _from_keyring(provider.name):
        return _checked(Secret(value, "the keyring"), provider)
    path = keys_path()
    if path.exists():
        try:
            value = tomllib.loads(_private(path)).get(provider.name, "")
        except tomllib.TOMLDecodeError:
            # Its message would quote the line, and with it a key.
            raise InputError("is not valid TOML", where=str(path)) from None
        if isinstance(value, str) and value:
            return _checked(Secret(value, str(path)), provider)
    return None


def store_key(provider: str, value: str) -> str:
    """Keep a key, in the keyring where there is one; "" forgets it. Returns where.

    Raises OutputError, and InputError for a key that is none.
    """
    value = value.strip()
    if value and (not value.isascii() or not value.isprintable() or " " in value):
        raise InputError("this is no key: it holds blanks or odd characters")
    if find_spec("keyring") is not None:
        import keyring
        import keyring.errors

        with suppress(keyring.errors.KeyringError):
            if value:
                keyring.set_password(SERVICE, provider, value)
            else:
                keyring.delete_password(SERVICE, provider)
            return "the keyring"
    path = keys_path()
    held: dict[str, object] = {}
    if path.exists():
        try:
            held = tomllib.loads(_private(path))
        except tomllib.TOMLDecodeError:
            raise InputError("is not valid TOML", where=str(path)) from None
    held.pop(provider, None)
    if value:
        held[provider] = value
    lines = [f'{_bare(name)} = "{key}"' for name, key in sorted(held.items())]
    write_private(path, "\n".join(lines) + "\n")
    return str(path)


def _bare(name: str) -> str:
    return name if name.replace("-", "").replace("_", "").isalnum() else f'"{name}"'


def _from_keyring(provider: str) -> str:
    if find_spec("keyring") is None:
        return ""
    import keyring
    import keyring.errors

    with suppress(keyring.errors.KeyringError):
        return keyring.get_password(SERVICE, provider) or ""
    return ""


def _private(path: Path) -> str:
    """The text of a file that nobody else may read. Raises InputError."""
    try:
        with path.open(encoding="utf-8") as file:
            mode = os.fstat(file.fileno()).st_mode
            if os.name == "posix" and mode & (stat.S_IRWXG | stat.S_IRWXO):
                raise InputError(
                    "holds keys, and others may read it", where=str(path),
                    hint=f"chmod 600 {path}",
                )  # fmt: skip
            return file.read()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise InputError(f"the key cannot be read: {reason}", where=str(path)) from None


def _checked(key: Secret, provider: Provider) -> Secret:
    value = key.reveal()
    if not value or not value.isascii() or not value.isprintable() or " " in value:
        raise InputError(
            f"the key for {provider.name} is empty or holds odd characters",
            where=key.source,
            hint="was more copied than the key?",
        )
    return key


def no_such_provider(name: str, known: list[str]) -> InputError:
    """The refusal of a provider that nobody described."""
    hint = did_you_mean(name, known) or f"known: {', '.join(known)}"
    return InputError(
        f"there is no model {name!r}, and no provider of that name",
        hint=f"{hint}; for another endpoint: fwgen config set providers.{name}.base_url URL",
    )
