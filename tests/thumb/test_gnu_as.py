"""The encoder against GNU as, over a broad generated corpus, in one batch."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from fwgen.thumb.assembler import encodings
from tests.thumb.corpus import Line, sample

AS = shutil.which("arm-none-eabi-as")
pytestmark = pytest.mark.skipif(AS is None, reason="arm-none-eabi-as is not installed")

HEAD = [".syntax unified", ".thumb", ".arch {arch}", ".fpu fpv5-d16", ".text"]
NEEDS_RD = re.compile(r"(lsl|lsr|asr|ror) #|rrx|^addw|^subw|^vdiv|^vnmul|^mul")
# GNU as has no mnemonic for unallocated hints, knows "isb" with sy only, takes #-0 for #0 in
# places, "stmdb sp!" for the wide form only, and apsr_nzcv in mrc alone. IT blocks and places
# in the program are compared elsewhere.
NOT_FOR_GNU = re.compile(
    r"hint|isb\w* (?!sy)|#-0\b|ror #0|#0x|\bal$|it\w* |d[sm]b\w* #"
    r"|^adr|^b|^cb|pc|^stm\w+ sp!|^mrc2.*nzcv"
)


def assemble(lines: list[str], arch: str, folder: Path) -> tuple[dict[int, bytes], dict[int, str]]:
    """Bytes by line, and errors by line, from the assembler's listing."""
    live = dict(enumerate(lines))
    errors: dict[int, str] = {}
    assert AS is not None
    for _ in range(8):
        source = [line.format(arch=arch) for line in HEAD]
        position: dict[int, int] = {}
        for index, line in live.items():
            if line.startswith("?"):
                source.append("it eq")
            source.append(line.lstrip("?"))
            position[len(source)] = index
        (folder / "a.s").write_text("\n".join(source) + "\n")
        done = subprocess.run(
            [AS, "-al", "--listing-lhs-width=2", "a.s", "-o", "a.o"],
            cwd=folder, capture_output=True, text=True, check=False,
        )  # fmt: skip
        found = re.findall(r"a\.s:(\d+): Error: (.*)", done.stderr)
        if not found:
            break
        # An error after an IT also spoils the line that follows: leave those for the next pass.
        causes = [(n, m) for n, m in found if "IT" not in m] or found
        for number, message in causes:
            index = position.get(int(number), -1)
            errors[index] = message
            live.pop(index, None)
    code = {
        position[int(m[1])]: bytes.fromhex(m[2].replace(" ", ""))
        for m in re.finditer(r"^ *(\d+) [0-9a-f]{4} ([0-9A-F ]+?)\s*\t", done.stdout, re.MULTILINE)
        if int(m[1]) in position
    }
    return code, errors


@pytest.mark.parametrize(("arch", "v8m"), [("armv7e-m", False), ("armv8-m.main", True)])
def test_gnu_as_encodes_the_corpus_as_we_do(arch: str, v8m: bool, tmp_path: Path) -> None:
    corpus = [line for line in sample(3) if ("v8m" in line.form.needs) == v8m and _for_gnu(line)]
    texts = [f"?{line.text}" if line.conditional else line.text for line in corpus]
    code, errors = assemble(texts, arch, tmp_path)
    assert not errors, [(texts[i], message) for i, message in list(errors.items())[:20]]
    assert len(code) == len(corpus) > (5 if v8m else 3000)
    differ = [
        (line.text, _ours(line).hex(), code[index].hex())
        for index, line in enumerate(corpus)
        if _ours(line) != code[index]
    ]
    assert differ == []


def _for_gnu(line: Line) -> bool:
    # UAL lets the destination out everywhere; GNU as only in the everyday instructions.
    if line.form.texts[0].startswith(("addw", "subw")) and line.text[3] != "w":
        return False  # it does not reach this form by the name "add"
    full = line.short and ("dsp" in line.form.needs or NEEDS_RD.search(line.text))
    return not (full or NOT_FOR_GNU.search(line.text))


def _ours(line: Line) -> bytes:
    return encodings(line.text)[0].code
