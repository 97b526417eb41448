"""``fwgen models``: who can be asked, and why one cannot."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from fwgen.cli.options import JsonOption
from fwgen.cli.output import put_json, screen

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.text import Text

    from fwgen.model.remote.providers import Provider
    from fwgen.model.remote.reach import Reach

TOGETHER = 8  # providers asked at once


def models(
    provider: Annotated[
        str, typer.Argument(help="A provider, to list its models.", show_default=False)
    ] = "",
    *,
    as_json: JsonOption = False,
    forget: Annotated[
        bool, typer.Option("--forget", help="Forget what was found out about endpoints.")
    ] = False,
) -> int:
    """List the providers, and tell in one line why one cannot be asked."""
    from fwgen.model.remote.keys import no_such_provider
    from fwgen.model.remote.providers import providers
    from fwgen.model.remote.quirks import Memory
    from fwgen.model.remote.settings import load_settings

    if forget:
        Memory().forget()
    settings = load_settings()
    known = providers(settings)
    if provider and provider not in known:
        raise no_such_provider(provider, ["embedded", *known])
    wanted = [known[provider]] if provider else list(known.values())
    found = _reached(wanted)
    if as_json:
        put_json({
            "fwgen_report": 1,
            "outcome": "listed",
            "exit_code": 0,
            "model": settings.model or "embedded",
            "providers": [
                {
                    "name": one.name, "title": one.title, "reachable": reach.ok,
                    "said": reach.said, "models": list(reach.models),
                }
                for one, reach in zip(wanted, found, strict=True)
            ],
        })  # fmt: skip
        return 0
    from rich.text import Text

    from fwgen.report.layout import Columns

    console = screen()
    console.print()
    if provider:
        reach = found[0]
        console.print(Text(f" {wanted[0].title}: {reach.said}"))
        prices = dict(reach.prices)
        for name in reach.models:
            price = prices.get(name)
            dollars = (float(p * 10**6) for p in (price.input, price.output)) if price else ()
            said = " read, ".join(f"${d:g}" for d in dollars)
            cost = f"   {said} written, for a million tokens" if said else ""
            console.print(Text.assemble(f"  {provider}/{name}", (cost, "dim")), soft_wrap=True)
        console.print()
        return 0 if reach.ok else 2
    rows = [("embedded", Text("✔", style="green"), "needs no key and no network")]
    rows += [
        (one.name, _mark(reach), f"{one.title}: {reach.said}")
        for one, reach in zip(wanted, found, strict=True)
    ]
    console.print(Columns(("provider", "", ""), rows))
    usual = settings.model or "embedded"
    console.print(Text(f"\n without --model: {usual}", style="dim"))
    console.print(" [dim]fwgen models PROVIDER   lists its models[/]\n")
    return 0


def _reached(wanted: Sequence[Provider]) -> list[Reach]:
    from concurrent.futures import ThreadPoolExecutor

    from fwgen.model.remote.reach import reach

    with ThreadPoolExecutor(TOGETHER) as pool:
        return list(pool.map(reach, wanted))


def _mark(reach: Reach) -> Text:
    from rich.text import Text

    return Text("✔", style="green") if reach.ok else Text("✘", style="red")
