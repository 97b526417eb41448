"""Who is there: whether a provider can be asked, and which models it lists."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from fwgen.errors import FwgenError
from fwgen.model.remote.keys import NO_KEY, find_key
from fwgen.model.remote.providers import missing_key
from fwgen.model.remote.settings import Price

if TYPE_CHECKING:
    from fwgen.model.remote.providers import Provider

PATIENCE_S = 4.0


@dataclass(frozen=True, slots=True)
class Reach:
    """What asking a provider for its models gave; ``said`` is one line for people."""

    ok: bool
    said: str
    models: tuple[str, ...] = ()
    prices: tuple[tuple[str, Price], ...] = ()


def reach(provider: Provider, *, timeout_s: float = PATIENCE_S) -> Reach:
    """Ask a provider for its models; whatever goes wrong is a sentence."""
    try:
        why = missing_key(provider)
        key = find_key(provider) or NO_KEY
    except FwgenError as error:
        return Reach(False, str(error))
    if why is not None:
        return Reach(False, why)
    import openai
    from openai import DefaultHttpxClient, OpenAI

    http = DefaultHttpxClient(follow_redirects=False)
    with OpenAI(
        api_key=key.reveal(), base_url=provider.base_url, max_retries=0, timeout=timeout_s,
        http_client=http,
    ) as client:  # fmt: skip
        try:
            response = client.models.with_raw_response.list().http_response
            return _listed(provider, response.json())
        except openai.APITimeoutError:
            return Reach(False, f"{provider.host} does not answer within {timeout_s:g} s")
        except openai.APIConnectionError:
            return Reach(False, f"nothing answers at {provider.host}")
        except openai.APIStatusError as error:
            if error.status_code in (401, 403):
                return Reach(False, f"does not accept the key, which came from {key.source}")
            return Reach(False, f"{provider.host} answers with status {error.status_code}")
        except ValueError:
            return Reach(False, f"{provider.host} answers, but not as the OpenAI API does")


def _listed(provider: Provider, data: Any) -> Reach:
    entries = data.get("data") if isinstance(data, dict) else None
    if not isinstance(entries, list):
        return Reach(False, f"{provider.host} answers, but not as the OpenAI API does")
    named = [e for e in entries if isinstance(e, dict) and isinstance(e.get("id"), str)]
    models = tuple("".join(c for c in e["id"] if c.isprintable()) for e in named)
    prices = ((e["id"], price) for e in named if (price := _price(e)) is not None)
    plural = "s" if len(models) != 1 else ""
    return Reach(True, f"{len(models)} model{plural} at {provider.host}", models, tuple(prices))


def _price(entry: dict[str, Any]) -> Price | None:
    """What a listing says of a model's price (OpenRouter does: dollars for a token)."""
    pricing = entry.get("pricing")
    if not isinstance(pricing, dict):
        return None
    try:
        read, written = (Fraction(str(pricing[key])) for key in ("prompt", "completion"))
    except (KeyError, ValueError, ZeroDivisionError):
        return None
    return Price(read, written) if read >= 0 and written >= 0 else None
