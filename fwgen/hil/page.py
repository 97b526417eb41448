"""Results as one HTML page that needs nothing else: no script, no font, no network."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fwgen.hil.results import Ran, Results

MARKS = {"pass": "✔", "fail": "✘", "error": "!", "unsure": "?", "skip": "·"}
_STYLE = """
:root { color-scheme: light dark; --line: #8884; --pass: #1a7f37; --fail: #cf222e;
  --error: #bc4c00; --unsure: #9a6700; --skip: #6e7781 }
body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 72rem; padding: 0 1rem }
table { border-collapse: collapse; width: 100% }
th, td { border-bottom: 1px solid var(--line); padding: .35rem .6rem; text-align: left;
  vertical-align: top }
td.c { white-space: nowrap }
.pass { color: var(--pass) } .fail { color: var(--fail) } .error { color: var(--error) }
.unsure { color: var(--unsure) } .skip { color: var(--skip) }
h1 b { text-transform: uppercase }
h2 { font-size: 1.05rem; margin: 2rem 0 .4rem }
pre { overflow-x: auto; border: 1px solid var(--line); padding: .6rem; font-size: 13px }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .1rem .8rem; margin: .4rem 0 }
dt { color: var(--skip) } dd { margin: 0; overflow-wrap: anywhere }
summary { cursor: pointer }
"""


def to_html(results: Results, title: str = "fwgen hil") -> str:
    """The page: an overview of tests by rigs, then what did not pass, then every fact."""
    return "".join(_page(results, title))


def _page(results: Results, title: str) -> Iterator[str]:
    yield '<!doctype html>\n<html lang="en"><meta charset="utf-8">'
    yield '<meta name="viewport" content="width=device-width">'
    yield f"<title>{escape(title)}: {results.outcome}</title><style>{_STYLE}</style>\n"
    counted = ", ".join(f"{count} {outcome}" for outcome, count in results.counts.items())
    yield f'<h1>{escape(title)}: <b class="{results.outcome}">{results.outcome}</b></h1>'
    yield f"<p>{counted or 'no test was run'}. Nothing was tried again.</p>\n"
    yield "<table><thead><tr><th>test</th>"
    yield "".join(f"<th>{escape(rig)}</th>" for rig in results.rigs)
    yield "</tr></thead>\n<tbody>"
    for test in results.tests:
        yield f"<tr><td>{escape(test)}</td>"
        for rig in results.rigs:
            yield f'<td class="c">{"<br>".join(map(_mark, results.cell(test, rig)))}</td>'
        yield "</tr>\n"
    yield "</tbody></table>\n"
    for one in results.ran:
        if one.outcome != "pass":
            yield from _trouble(one)
    yield "<h2>what was measured</h2>\n"
    for one in results.ran:
        if one.facts:
            yield f"<details><summary>{_mark(one)} {escape(one.name)}</summary><dl>"
            yield "".join(
                f"<dt>{escape(key)}</dt><dd>{escape(value)}</dd>"
                for key, value in one.facts.items()
            )
            yield "</dl></details>\n"
    yield "</html>\n"


def _mark(one: Ran) -> str:
    return f'<span class="{one.outcome}">{MARKS[one.outcome]} {one.seconds:.2f} s</span>'


def _trouble(one: Ran) -> Iterator[str]:
    yield f'<h2><span class="{one.outcome}">{one.outcome}</span> {escape(one.name)}</h2>'
    yield f"<p>{escape(one.said)}</p>\n"
    if one.details:
        yield f"<details><summary>details</summary><pre>{escape(one.details)}</pre></details>\n"
