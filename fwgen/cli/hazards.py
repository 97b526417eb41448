"""``fwgen hazards``: what silicon punishes though an emulated CPU goes on, and the cure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from fwgen.cli.options import JsonOption
from fwgen.cli.output import put_json, screen

if TYPE_CHECKING:
    from fwgen.hazards import Kind


def hazards(
    code: Annotated[
        str, typer.Argument(help="A hazard's code, to explain it.", show_default=False)
    ] = "",
    *,
    as_json: JsonOption = False,
) -> int:
    """List the hazards that the machine tells, or explain one: what silicon does, and the cure."""
    from fwgen.hazards import GROUPS, find_hazard

    wanted = {"": (find_hazard(code),)} if code else GROUPS
    if as_json:
        from fwgen.report.data import hazards_data

        put_json(hazards_data(wanted))
        return 0
    console = screen()
    console.print()
    if code:
        _explain(find_hazard(code))
        return 0
    from fwgen.report.layout import Columns

    for title, kinds in GROUPS.items():
        rows = [(kind.code, kind.severity.value, kind.title) for kind in kinds]
        console.print(Columns((title, "", ""), rows))
        console.print()
    console.print(" [dim]fwgen hazards CODE   explains one[/]\n")
    return 0


def _explain(kind: Kind) -> None:
    from fwgen.hazards.page import SEVERITIES
    from fwgen.report.console import section

    console = screen()
    console.print(section("hazard", f"{kind.code}: {kind.title}"))
    console.print(section("means", kind.meaning))
    console.print(section("cure", kind.cure))
    console.print(section("manual", kind.section))
    console.print(section("severity", f"{kind.severity}: {SEVERITIES[kind.severity]}"))
    if kind.locks:
        from fwgen.hazards.page import LOCKS

        console.print(section("locks", LOCKS, style="yellow"))
    console.print()
