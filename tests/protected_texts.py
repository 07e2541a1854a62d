"""Generated texts of words and things that must survive, and a check that knows nothing of ours."""

import random
import re
from collections import Counter
from dataclasses import dataclass

WORDS = ["Jane", "visits", "Africa", "in", "September", "the", "lazy", "dog", "jumps", "over"]
WORDS += ["brown", "fox", "park", "test", "small", "Hund", "nicht", "wahr", "l'Afrique", "läuft"]
NAMES = ["name", "user.name", "count", "n", "item_id", "x"]
TERMS = ("Zyxware Ltd.", "Yahoo! Inc.", "ACME", "open source")
LAYOUT = [" ", " ", " ", "  ", ", ", ". ", "! ", ": ", "\n", " (", ") ", ' "', "\n\n  - ", "\u00a0"]


@dataclass(frozen=True)
class Case:
    """A text and what its translation must hold, each as often as it was put in."""

    text: str
    kept: tuple[str, ...]
    numbers: tuple[str, ...]

    def broken(self, translation: str) -> list[str]:
        """What the translation lacks; a number may have other separators."""
        figures = Counter(
            re.sub(r"\D", "", one) for one in re.findall(r"\d[\d.,:' ]*", translation)
        )
        lacks = [
            text for text, times in Counter(self.kept).items() if translation.count(text) < times
        ]
        for number, times in Counter(self.numbers).items():
            exact = len(re.findall(rf"(?<!\d){re.escape(number)}(?!\d)", translation))
            if exact < times and figures[re.sub(r"\D", "", number)] < times:
                lacks.append(number)
        return lacks


def cases(seed: int, count: int) -> list[Case]:
    """So many texts, the same for the same seed."""
    return [_case(random.Random(f"{seed} {i}")) for i in range(count)]


def _case(dice: random.Random) -> Case:
    pieces, kept, numbers = [], [], []
    for _ in range(dice.randint(1, 4)):
        pieces += dice.choices(WORDS, k=dice.randint(0, 5))
        if dice.random() < 0.2:
            numbers.append(_number(dice))
            pieces.append(numbers[-1])
        else:
            kept.append(_opaque(dice))
            pieces.append(kept[-1])
    pieces += dice.choices(WORDS, k=dice.randint(0, 4))
    text = "".join(piece + dice.choice(LAYOUT) for piece in pieces).rstrip()
    return Case(text + dice.choice(["", ".", "?", "\n"]), tuple(kept), tuple(numbers))


def _opaque(dice: random.Random) -> str:
    name, n = dice.choice(NAMES), dice.randint(1, 9)
    kinds = [
        f"{{{name}}}", f"{{{{ {name} }}}}", f"${{{name}}}", f"%{n}$s", f"%({name})d", "%s", "%d",
        f"%.{n}f", "%@", f"#{{{name}}}", f"{{{n}}}", f"{{{name}, plural, one {{# a}} other {{b}}}}",
        f"https://example.com/{name}?q={n}&r=%20#top", f"www.example.org/a_{n}",
        f"http://[::1]:80{n}/x", f"anna.{n}+x@mail.example.org", f"@{dice.choice(WORDS[:3])}",
        f"A38{n}", f"COVID-{n}{n}", f"max_rows_{n}", f"<x id=\"{n}\"/>", "<b>", "</b>", "&amp;",
        "😀", "👩‍👩‍👧", "🇩🇪", "☀️", *TERMS,
    ]  # fmt: skip
    return dice.choice(kinds)


def _number(dice: random.Random) -> str:
    n = dice.randint(0, 99_999)
    return dice.choice(
        [f"{n}", f"{n:,}", f"{n}.5", f"{n % 24}:{n % 60:02}", f"2024-05-{n % 28 + 1:02}"]
    )
