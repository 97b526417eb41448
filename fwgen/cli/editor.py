"""A line typed at a terminal that is in raw mode, edited before it is used."""

from __future__ import annotations

ENTER, BACKSPACE, DELETE, KILL, WORD, ESCAPE = 0x0D, 0x08, 0x7F, 0x15, 0x17, 0x1B
_ERASE = b"\b \b"


class Editor:
    """Takes keys one by one; what to show for each comes back.

    Enter ends the line. Backspace takes back a character, Ctrl-W a word, Ctrl-U all of it;
    Escape gives up.
    """

    def __init__(self) -> None:
        self.line = bytearray()
        self.ended = False
        self.given_up = False

    def key(self, key: int) -> bytes:
        """Take a key; gives what to show."""
        if key in (ENTER, 0x0A):
            self.ended = True
            return b"\r\n"
        if key == ESCAPE:
            self.ended = self.given_up = True
            return self._erase(len(self.text)) + b"\r\n"
        if key in (BACKSPACE, DELETE):
            return self._erase(1)
        if key == KILL:
            return self._erase(len(self.text))
        if key == WORD:
            kept = self.text.rstrip().rpartition(" ")[0]
            return self._erase(len(self.text) - len(kept) - bool(kept))
        if key < 0x20:
            return b""
        self.line.append(key)
        return bytes([key])

    @property
    def text(self) -> str:
        """The line so far."""
        return self.line.decode("utf-8", "replace")

    def _erase(self, characters: int) -> bytes:
        shown = b""
        for _ in range(characters):
            if not self.line:
                break
            while self.line[-1] & 0xC0 == 0x80 and len(self.line) > 1:  # inside a UTF-8 sequence
                self.line.pop()
            self.line.pop()
            shown += _ERASE
        return shown
