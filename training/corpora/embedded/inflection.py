"""Regular inflection, French and English; the lexicon spells out what is irregular."""

VOWELS = "aeiou"
IMPERFECT_ENDINGS = ("ais", "ais", "ait", "ions", "iez", "aient")


def french_plural(word: str) -> str:
    """The regular plural, masculine if an adjective: chat, chats; journal, journaux."""
    if word.endswith(("s", "x")):
        return word
    if word.endswith("al"):
        return word[:-2] + "aux"
    return word + ("x" if word.endswith(("eau", "bou")) else "s")


def add_s(word: str) -> str:
    """English plural or third person: cat, cats; watch, watches; city, cities; do, does."""
    if word.endswith("y") and word[-2] not in VOWELS:
        return word[:-1] + "ies"
    hissing = word.endswith(("s", "sh", "ch", "x")) or word in ("go", "do")
    return word + ("es" if hissing else "s")


def add_ed(word: str) -> str:
    """Regular English past: visit, visited; like, liked; study, studied."""
    if word.endswith("y") and word[-2] not in VOWELS:
        return word[:-1] + "ied"
    return word + ("d" if word.endswith("e") else "ed")


def add_ing(word: str) -> str:
    """Regular English gerund: visit, visiting; arrive, arriving."""
    return (word[:-1] if word.endswith("e") else word) + "ing"


def er_present(infinitive: str, strong: str) -> tuple[str, ...]:
    """First group; the strong stem stands before a silent ending: j'achète, nous achetons."""
    stem = infinitive.removesuffix("er")
    soft = "e" if stem.endswith("g") else ""  # nous mangeons
    singular = (f"{strong}e", f"{strong}es", f"{strong}e")
    return (*singular, f"{stem}{soft}ons", f"{stem}ez", f"{strong}ent")


def imperfect(nous: str, row: int) -> str:
    """The imperfect from the present of nous: mangeons, mangeait but mangions."""
    stem, ending = nous.removesuffix("ons"), IMPERFECT_ENDINGS[row]
    soft = stem.endswith("ge") and ending[0] == "i"
    return (stem[:-1] if soft else stem) + ending
