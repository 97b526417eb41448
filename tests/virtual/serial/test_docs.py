"""The page about serial ports says what is so."""

from __future__ import annotations

import contextlib
import io
import os
import re
from pathlib import Path

import pytest

from tests.cli.test_docs import looks_like

PAGE = Path(__file__).parents[3] / "docs" / "serial.md"


@pytest.mark.skipif(os.name != "posix", reason="needs pseudo-terminals")
def test_every_example_prints_what_is_shown() -> None:
    text = PAGE.read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```\n\n```text\n(.*?)^```", text, re.M | re.S)
    assert len(blocks) == text.count("```python") == 3
    names: dict[str, object] = {}
    for code, shown in blocks:
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            exec(compile(code, str(PAGE), "exec"), names)
        assert looks_like(shown, out.getvalue()), out.getvalue()
