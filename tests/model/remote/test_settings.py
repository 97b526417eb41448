"""Configuration, providers and keys; keys are nowhere to be seen."""

from __future__ import annotations

import pickle
import sys
import types
from fractions import Fraction
from typing import TYPE_CHECKING

import pytest

from fwgen.errors import FwgenError, InputError
from fwgen.model import find_model
from fwgen.model.remote.keys import Secret, find_key, keys_path, store_key
from fwgen.model.remote.providers import find_target, offered, providers
from fwgen.model.remote.settings import Settings, change_settings, load_settings, settings_path

if TYPE_CHECKING:
    from pathlib import Path

KEY = "sk-never-to-be-seen-0123456789"
NONE = Settings()


def test_the_known_providers_are_there() -> None:
    assert set(providers(NONE)) == {"openai", "xai", "openrouter", "ollama", "llamacpp", "vllm"}


@pytest.mark.parametrize(
    ("name", "provider", "model"),
    [
        ("grok-4", "xai", "grok-4"),
        ("gpt-5", "openai", "gpt-5"),
        ("xai/grok-4", "xai", "grok-4"),
        ("xai", "xai", "grok-4"),
        ("openrouter/qwen/qwen3-coder", "openrouter", "qwen/qwen3-coder"),
        ("ollama/llama3.2:3b", "ollama", "llama3.2:3b"),
        ("ollama", "ollama", ""),
    ],
)
def test_a_name_means_a_model(name: str, provider: str, model: str) -> None:
    target = find_target(name, NONE)
    assert (target.provider.name, target.model) == (provider, model)


def test_an_unknown_name_says_what_could_be_meant() -> None:
    with pytest.raises(InputError, match="no provider of that name") as told:
        find_target("xia/grok-4", NONE)
    assert "did you mean xai?" in (told.value.hint or "")
    with pytest.raises(InputError, match="there is no model 'embeded'") as told:
        find_model("embeded")
    assert "did you mean embedded?" in (told.value.hint or "")
    with pytest.raises(InputError, match="names no model"):
        find_target("xai/", NONE)


def test_a_name_is_taken_as_it_is_where_the_address_is_given(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "http://user:hidden@lab:8000/v1?token=hidden")
    target = find_target("qwen3", NONE)
    assert (target.provider.name, target.model) == ("openai", "qwen3")
    assert target.provider.host == "http://lab:8000/v1"  # fit to be shown
    monkeypatch.setenv("OPENAI_BASE_URL", "lab:8000")
    with pytest.raises(InputError, match="no http or https URL") as told:
        find_target("qwen3", NONE)
    assert told.value.where == "OPENAI_BASE_URL"


def test_settings_are_kept_and_read_again() -> None:
    change_settings({
        "model": "lab/m", "providers.lab.base_url": "https://lab/v1",
        "providers.lab.transport": "responses", "prices.lab/m.v2.input": "3",
        "prices.lab/m.v2.output": "15.5",
    })  # fmt: skip
    settings = load_settings()
    assert settings.model == "lab/m"
    assert settings.providers["lab"]["transport"] == "responses"
    assert settings.prices["lab/m.v2"].of(10**6, 10**6) == Fraction("18.5")
    assert settings_path().stat().st_mode & 0o077 == 0
    target = find_target("lab/m", settings)
    assert (target.provider.base_url, target.provider.transport) == ("https://lab/v1", "responses")
    change_settings({"providers.lab.base_url": "", "providers.lab.transport": "", "model": ""})
    assert "lab" not in load_settings().providers
    assert load_settings().model == ""


def test_half_a_price_is_none() -> None:
    change_settings({"prices.lab/m.input": "3"})
    assert load_settings().prices == {}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("model = 3", "expected a text"),
        ("modell = 'x'", "did you mean model?"),
        ("api_key = 'sk'", "keys are not kept here"),
        ("[providers.lab]\nurl = 'x'", "unknown key 'url'"),
        ("[providers.lab]\ntransport = 'smoke'", "no transport 'smoke'"),
        ("[prices.x]\ninput = 'three'", "US dollars"),
        ("[prices.x]\ninput = -3", "US dollars"),
        ("providers = 3", "expected a table"),
        ("model = ", "cannot be read"),
    ],
)
def test_a_wrong_configuration_is_told_by_its_place(text: str, said: str) -> None:
    path = settings_path()
    path.parent.mkdir(parents=True)
    path.write_text(text)
    with pytest.raises(InputError) as told:
        load_settings()
    assert said in str(told.value)
    assert str(path) in (told.value.where or "")


def test_what_cannot_be_configured_is_refused() -> None:
    for name in ("colour", "providers.lab", "prices.x"):
        with pytest.raises(InputError, match="nothing called"):
            change_settings({name: "x"})
    assert not settings_path().exists()


# ---------------------------------------------------------------------------- keys


def test_keys_come_from_the_environment_first(monkeypatch: pytest.MonkeyPatch) -> None:
    xai = providers(NONE)["xai"]
    assert find_key(xai) is None
    store_key("xai", "sk-from-the-file")
    found = find_key(xai)
    assert found is not None
    assert found.reveal() == "sk-from-the-file"
    monkeypatch.setenv("XAI_API_KEY", f" {KEY}\n")
    found = find_key(xai)
    assert found is not None
    assert found.reveal() == KEY
    assert found.source == "the environment (XAI_API_KEY)"


def test_a_file_that_others_may_read_is_refused() -> None:
    store_key("xai", KEY)
    assert keys_path().stat().st_mode & 0o777 == 0o600
    keys_path().chmod(0o644)
    with pytest.raises(InputError, match="others may read it") as told:
        find_key(providers(NONE)["xai"])
    assert told.value.hint == f"chmod 600 {keys_path()}"
    with pytest.raises(InputError, match="others may read it"):
        store_key("openai", KEY)


def test_a_key_file_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text(KEY + "\n")
    path.chmod(0o600)
    settings = Settings(providers={"lab": {"base_url": "http://x/v1", "key_file": str(path)}})
    found = find_key(providers(settings)["lab"])
    assert found is not None
    assert found.reveal() == KEY
    path.chmod(0o640)
    with pytest.raises(InputError, match="others may read it"):
        find_key(providers(settings)["lab"])
    path.unlink()
    with pytest.raises(InputError, match="the key cannot be read"):
        find_key(providers(settings)["lab"])


def test_a_damaged_key_file_does_not_show_a_key() -> None:
    keys_path().parent.mkdir(parents=True)
    keys_path().write_text(f'xai = "{KEY}\n')
    keys_path().chmod(0o600)
    with pytest.raises(InputError) as told:
        find_key(providers(NONE)["xai"])
    assert KEY not in str(told.value)
    assert told.value.__cause__ is None
    assert told.value.__suppress_context__


def test_the_keyring_is_used_where_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    held: dict[tuple[str, str], str] = {}
    keyring = types.ModuleType("keyring")
    errors = types.ModuleType("keyring.errors")
    errors.KeyringError = type("KeyringError", (Exception,), {})  # type: ignore[attr-defined]
    keyring.errors = errors  # type: ignore[attr-defined]
    keyring.set_password = lambda s, n, v: held.__setitem__((s, n), v)  # type: ignore[attr-defined]
    keyring.get_password = lambda s, n: held.get((s, n))  # type: ignore[attr-defined]
    keyring.delete_password = lambda s, n: held.pop((s, n))  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "keyring", keyring)
    monkeypatch.setitem(sys.modules, "keyring.errors", errors)
    monkeypatch.setattr("fwgen.model.remote.keys.find_spec", lambda name: object())
    assert store_key("xai", KEY) == "the keyring"
    assert not keys_path().exists()
    found = find_key(providers(NONE)["xai"])
    assert found is not None
    assert (found.reveal(), found.source) == (KEY, "the keyring")
    store_key("xai", "")
    assert find_key(providers(NONE)["xai"]) is None


def test_a_key_does_not_show_itself() -> None:
    key = Secret(KEY, "the test")
    assert KEY not in f"{key} {key!r} {vars(type(key))}"
    assert key.hide(f"you sent {KEY}!") == "you sent [key]!"
    with pytest.raises(TypeError):
        pickle.dumps(key)


@pytest.mark.parametrize("value", ["two words", "ümlaut", "tab\tin it"])
def test_what_is_no_key_is_refused(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="no key"):
        store_key("xai", value)
    monkeypatch.setenv("XAI_API_KEY", value)
    with pytest.raises(InputError, match="odd characters") as told:
        find_key(providers(NONE)["xai"])
    assert value not in str(told.value)


def test_a_model_without_its_key_says_where_it_could_be() -> None:
    with pytest.raises(FwgenError) as told:
        find_model("grok-4")
    assert "set XAI_API_KEY, or fwgen config set-key xai" in str(told.value)


def test_a_remote_model_is_offered_when_its_key_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    assert offered(NONE) is None
    monkeypatch.setenv("XAI_API_KEY", KEY)
    target = offered(NONE)
    assert target is not None
    assert target.name == "xai/grok-4"
    assert offered(Settings(model="embedded", providers={})) is not None
