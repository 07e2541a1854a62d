"""What required terms cost that the model would never write, beside those that the reference has.

python -m tests.benchmarks.rare_terms --bundle FOLDER [--sentences 150]

Of each sentence of Multi30k test2016 (English to German, from $SEQ2SERVE_DATA) a word is drawn that
eflomal (the extra `align`) links with one noun of the reference; it is required to become that
noun, or another that stands in the reference instead. BLEU tells what that does to the sentence.
"""

import argparse
import gzip
import os
import random
from dataclasses import dataclass
from pathlib import Path

from mt.search_options import SearchOptions
from serving.settings import OFFLINE
from serving.text.text_options import PLAIN, TextOptions
from serving.translator import Translator
from training.compare.explain.aligner import align
from training.compare.explain.links import Links
from training.compare.explain.words import Word, split_words
from training.evaluate import bleu

RARE = ("Zyklop", "Fagott", "Kalesche", "Quasar", "Lurch", "Obelisk", "Tornister", "Gnom")
PAIR = ("en", "de")
MORE_PAIRS = 8_000  # that the aligner learns from as well
LEAST_LETTERS = 4


@dataclass(frozen=True)
class Case:
    """A sentence, one of its words, and the noun that it is to become, in the reference too."""

    sentence: str
    word: str
    noun: str
    reference: str


def main() -> None:
    """Measure and print one line for each kind of terms."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bundle", required=True)
    parser.add_argument("--sentences", type=int, default=150)
    asked = parser.parse_args()
    theirs, rare = _cases(asked.sentences)
    with Translator.open(asked.bundle, limits=OFFLINE) as translator:
        for name, cases in (("the reference's own", theirs), ("rare", rare)):
            for required in (False, True):
                texts = [_translated(translator, one, required) for one in cases]
                score = bleu(texts, [one.reference for one in cases]).value
                held = sum(one.noun in text for one, text in zip(cases, texts, strict=True))
                what = "required" if required else "no terms"
                print(f"{name:20} {what}: BLEU {score:.1f}, {held} of {len(cases)} held")


def _translated(translator: Translator, case: Case, required: bool) -> str:
    options = TextOptions(terminology=((case.word, case.noun),)) if required else PLAIN
    [found] = translator.translate([case.sentence], SearchOptions(), None, options)
    return found.text


def _cases(count: int) -> tuple[list[Case], list[Case]]:
    """The same sentences with nouns of their references, and with rare ones."""
    texts = [_lines("test_2016_flickr", code) for code in PAIR]
    more = [_lines("train", code)[:MORE_PAIRS] for code in PAIR]
    links = align(*(test + train for test, train in zip(texts, more, strict=True)))
    theirs: list[Case] = []
    rare: list[Case] = []
    for source, reference, linked in zip(*texts, links[: len(texts[0])], strict=True):
        found = _nouns(source, reference, linked.grown)
        if found and len(theirs) < count:
            word, noun = random.Random(source).choice(found)
            other = RARE[len(rare) % len(RARE)]
            changed = reference[: noun.start] + other + reference[noun.end :]
            theirs.append(Case(source, word, noun.text, reference))
            rare.append(Case(source, word, other, changed))
    return theirs, rare


def _nouns(source: str, reference: str, links: Links) -> list[tuple[str, Word]]:
    """Words that stand once, and the one noun that each is linked with, and nothing else is."""
    words, theirs = split_words(source), split_words(reference)
    found = []
    for at, word in enumerate(words):
        mine = [j for i, j in links if i == at]
        alone = len(mine) == 1 and [i for i, j in links if j == mine[0]] == [at]
        plain = word.text.isalpha() and word.text.islower() and len(word.text) >= LEAST_LETTERS
        if alone and plain and mine[0] and source.count(word.text) == 1:
            noun = theirs[mine[0]]
            if noun.text[0].isupper():  # in German, and not the first word
                found.append((word.text, noun))
    return found


def _lines(split: str, language: str) -> list[str]:
    path = Path(os.environ["SEQ2SERVE_DATA"]) / "multi30k" / f"{split}.{language}.gz"
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return [line.strip() for line in file]


if __name__ == "__main__":
    main()
