"""``fwgen config``: providers, prices, the usual model; keys, which it never shows."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from fwgen.cli.output import put, screen
from fwgen.errors import InputError


def app() -> typer.Typer:
    """The ``config`` commands."""
    made = typer.Typer(
        help="Providers, prices and the usual model: show them, change them; keep a key.",
        invoke_without_command=True,
        rich_markup_mode=None,
    )
    made.callback()(show)
    made.command("set")(change)
    made.command("set-key")(set_key)
    return made


def show(ctx: typer.Context) -> int:
    """Show the configuration, where it is, and where each key comes from."""
    if ctx.invoked_subcommand is not None:
        return 0
    from rich.text import Text

    from fwgen.errors import FwgenError
    from fwgen.model.remote.keys import find_key
    from fwgen.model.remote.providers import providers
    from fwgen.model.remote.settings import load_settings, settings_path
    from fwgen.report.layout import Columns

    settings = load_settings()
    path = settings_path()
    console = screen()
    console.print()
    there = "" if path.exists() else " (not there yet)"
    console.print(Text(f" {path}{there}", style="bold"), soft_wrap=True)
    console.print(Text(f" without --model: {settings.model or 'embedded'}\n"))
    rows = []
    for provider in providers(settings).values():
        try:
            key = find_key(provider)
            said = "none" if key is None else f"from {key.source}"
        except FwgenError as error:
            said = str(error)
        rows.append((provider.name, provider.host, provider.transport, f"key: {said}"))
    console.print(Columns(("provider", "address", "asked by", ""), rows))
    for name, price in settings.prices.items():
        dollars = f"${float(price.input * 10**6):g} read, ${float(price.output * 10**6):g} written"
        console.print(Text(f" {name}: {dollars}, for a million tokens"))
    console.print()
    return 0


def change(
    name: Annotated[str, typer.Argument(help="model, providers.NAME.base_url, prices.P/M.input")],
    value: Annotated[str, typer.Argument(help='The new value; "" takes it out.')],
) -> int:
    """Change the configuration file."""
    from fwgen.model.remote.settings import change_settings

    path = change_settings({name: value})
    put(f"{name} is set in {path}\n" if value else f"{name} is gone from {path}\n")
    return 0


def set_key(
    provider: Annotated[str, typer.Argument(help="Whose key it is.")],
) -> int:
    """Keep a key: read from the terminal without showing it, or from stdin; "" forgets it."""
    from fwgen.model.remote.keys import no_such_provider, store_key
    from fwgen.model.remote.providers import providers
    from fwgen.model.remote.settings import load_settings

    known = providers(load_settings())
    if provider not in known:
        raise no_such_provider(provider, list(known))
    if sys.stdin.isatty():
        import getpass

        value = getpass.getpass(f"key for {provider} (not shown): ")
    else:
        value = sys.stdin.readline()
    if len(value.strip()) > 4096:
        raise InputError("this is no key: it is longer than 4096 characters")
    where = store_key(provider, value)
    done = "is kept in" if value.strip() else "is gone from"
    put(f"the key for {provider} {done} {where}\n")
    return 0
