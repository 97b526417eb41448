"""International Morse code: text to on and off times. Source: ITU-R M.1677-1."""

from __future__ import annotations

from fwgen.errors import PromptError

CODE = {
    "A": ".-", "B": "-...", "C": "-.-.", "D": "-..", "E": ".", "F": "..-.", "G": "--.",
    "H": "....", "I": "..", "J": ".---", "K": "-.-", "L": ".-..", "M": "--", "N": "-.",
    "O": "---", "P": ".--.", "Q": "--.-", "R": ".-.", "S": "...", "T": "-", "U": "..-",
    "V": "...-", "W": ".--", "X": "-..-", "Y": "-.--", "Z": "--..",
    "0": "-----", "1": ".----", "2": "..---", "3": "...--", "4": "....-", "5": ".....",
    "6": "-....", "7": "--...", "8": "---..", "9": "----.",
    ".": ".-.-.-", ",": "--..--", "?": "..--..", "'": ".----.", "/": "-..-.", "(": "-.--.",
    ")": "-.--.-", ":": "---...", "=": "-...-", "+": ".-.-.", "-": "-....-", '"': ".-..-.",
    "@": ".--.-.",
}  # fmt: skip
BETWEEN_LETTERS, BETWEEN_WORDS = 3, 7  # dots


def morse(text: str, dot_ps: int) -> list[tuple[int, int]]:
    """(level, picoseconds) pairs that key a text, ending with the gap between words.

    Raises PromptError for a character that Morse code does not have, or for no text at all.
    """
    words = text.split()
    strange = sorted({c for word in words for c in word if c.upper() not in CODE})
    if strange or not words:
        what = " ".join(repr(c) for c in strange) if words else "an empty text"
        raise PromptError(
            f"Morse code has no sign for {what}",
            words=tuple(strange),
            hint="letters, digits and . , ? ' / ( ) : = + - @ can be sent",
        )
    keyed: list[tuple[int, int]] = []
    for word in words:
        for letter in word:
            for sign in CODE[letter.upper()]:
                keyed += [(1, dot_ps if sign == "." else 3 * dot_ps), (0, dot_ps)]
            keyed[-1] = (0, BETWEEN_LETTERS * dot_ps)
        keyed[-1] = (0, BETWEEN_WORDS * dot_ps)
    return keyed
