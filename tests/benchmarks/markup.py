"""Where tags come to stand: around the words that an aligner links with those they stood around.

python -m tests.benchmarks.markup --bundle FOLDER [--sentences 500] [--more-pairs 10000]

Sentences are those of Multi30k test2016, from $SEQ2SERVE_DATA. Each is translated, and eflomal (the
extra `align`) links it with its translation, beside training pairs that it learns from as well. Of
each a run of one to three words is drawn that is linked with a run of the translation's own; tags
are put around it, and the sentence is translated again, as HTML. F1 is of words inside the tags.
eflomal samples without a seed, so two runs differ by some tenths.
"""

import argparse
import gzip
import html
import os
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mt.search_options import SearchOptions
from mt.tokenizer import Span
from serving.settings import OFFLINE, EngineSettings
from serving.text.alignment import WordAttention
from serving.text.markup_blocks import Element
from serving.text.tag_placement import Link, place
from serving.text.text_options import TextOptions
from serving.translation import Translation
from serving.translator import Translator
from training.compare.explain.aligner import align
from training.compare.explain.links import Links, symmetrise
from training.compare.explain.words import Word, split_words

OPENING, CLOSING = "<b>", "</b>"
LONGEST = 3  # words
TEST, TRAIN = "test_2016_flickr", "train"


@dataclass(frozen=True)
class Case:
    """A sentence, its translation, and where tags stand around a run of each, in characters."""

    source: str
    target: str
    inside: Span
    wanted: Span
    words: WordAttention

    @property
    def tagged(self) -> str:
        """The sentence as HTML."""
        start, end = self.inside
        before, run, after = self.source[:start], self.source[start:end], self.source[end:]
        first, middle, last = (html.escape(one, quote=False) for one in (before, run, after))
        return f"{first}{OPENING}{middle}{CLOSING}{last}"


def main() -> None:
    """Measure and print one line for each way to place tags."""
    asked = _arguments()
    engine = EngineSettings(precision=asked.precision)
    with Translator.open(asked.bundle, engine, OFFLINE) as translator:
        manifest = translator.manifest
        pair = manifest.source_language, manifest.target_language
        made = _cases(translator, pair, asked.more_pairs)
        cases = made[: asked.sentences]
        found = translator.translate([one.tagged for one in cases], SearchOptions(), None, _HTML)
        ways: Mapping[str, list[Span | None]] = {
            "as served": [_span(one.text) for one in found],
            "grown from both directions": [_grown(one) for one in cases],
            "strongest attention": [_strongest(one) for one in cases],
        }
        print(f"{len(cases)} sentences of {'-'.join(pair)}, {manifest.name}")
        for name, spans in ways.items():
            exact = sum(span == one.wanted for span, one in zip(spans, cases, strict=True))
            share = 100 * exact / len(cases)
            print(f"{name:28} exact {share:.1f} %  F1 {100 * _f1(cases, spans):.1f}")


_HTML = TextOptions(format="html")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bundle", required=True)
    parser.add_argument("--precision")
    parser.add_argument("--sentences", type=int, default=500)
    parser.add_argument("--more-pairs", type=int, default=10_000)
    return parser.parse_args()


def _lines(split: str, language: str, most: int | None = None) -> list[str]:
    folder = Path(os.environ["SEQ2SERVE_DATA"]) / "multi30k"
    with gzip.open(folder / f"{split}.{language}.gz", "rt", encoding="utf-8") as file:
        return [line.strip() for line in file][:most]


def _cases(translator: Translator, pair: tuple[str, str], more_pairs: int) -> list[Case]:
    """Of every sentence that has a run with a translation of its own, in their order."""
    sources = _lines(TEST, pair[0])
    found = translator.translate(sources, SearchOptions(attention=True))
    more = [_lines(TRAIN, language, more_pairs) for language in pair]
    links = align([*sources, *more[0]], [*(one.text for one in found), *more[1]])
    cases = [
        _case(source, translation, linked.grown, random.Random(seed))
        for seed, (source, translation, linked) in enumerate(
            zip(sources, found, links[: len(sources)], strict=True)
        )
    ]
    return [one for one in cases if one is not None]


def _case(source: str, translation: Translation, links: Links, dice: random.Random) -> Case | None:
    words = split_words(source), split_words(translation.text)
    runs = list(_runs(words[0], words[1], links))
    (attention, *more) = [one.hypotheses[0].words for one in translation.sentences]
    if not runs or more or attention is None:
        return None
    inside, wanted = dice.choice(runs)
    return Case(source, translation.text, inside, wanted, attention)


def _runs(
    source: Sequence[Word], target: Sequence[Word], links: Links
) -> Iterable[tuple[Span, Span]]:
    """Runs of words that are linked with a run of the translation, and it with nothing else."""
    for first in range(len(source)):
        for last in range(first, min(first + LONGEST, len(source))):
            if not all(one.is_letters for one in source[first : last + 1]):
                break
            mine = {j for i, j in links if first <= i <= last}
            theirs = {i for i, j in links if j in mine}
            is_run = mine and max(mine) - min(mine) + 1 == len(mine)
            if is_run and theirs == set(range(first, last + 1)):
                yield (
                    (source[first].start, source[last].end),
                    (target[min(mine)].start, target[max(mine)].end),
                )


def _span(markup: str) -> Span | None:
    """Where the tags stand, in characters of the text."""
    before, opening, rest = markup.partition(OPENING)
    run, closing, _ = rest.partition(CLOSING)
    if not opening or not closing:
        return None
    start = len(html.unescape(before))
    return start, start + len(html.unescape(run))


def _strongest(case: Case) -> Span | None:
    """By the word that each target word looked at most."""
    words = case.words
    links = [
        Link(span, words.source[at])
        for span, at in zip(words.target, words.mass.argmax(axis=1), strict=True)
    ]
    [placed] = place([Element(OPENING, CLOSING, *case.inside)], case.source, case.target, links)
    return placed.start, placed.end


def _grown(case: Case) -> Span | None:
    """By the strongest links of both directions, grown diagonally: all that is linked."""
    mass = case.words.mass
    forward = frozenset((int(i), j) for j, i in enumerate(mass.argmax(axis=1)))
    backward = frozenset((i, int(j)) for i, j in enumerate(mass.argmax(axis=0)))
    links = symmetrise(forward, backward).grown
    start, end = case.inside
    inside = {i for i, (a, b) in enumerate(case.words.source) if start <= a and b <= end}
    spans = [case.words.target[j] for i, j in links if i in inside]
    return (min(a for a, _ in spans), max(b for _, b in spans)) if spans else None


def _f1(cases: Sequence[Case], spans: Sequence[Span | None]) -> float:
    """Of target words inside the tags, all sentences together."""
    right = placed = wanted = 0
    for case, span in zip(cases, spans, strict=True):
        words = split_words(case.target)
        mine, theirs = (_inside(words, one) for one in (span, case.wanted))
        right, placed, wanted = right + len(mine & theirs), placed + len(mine), wanted + len(theirs)
    return 2 * right / (placed + wanted)


def _inside(words: Sequence[Word], span: Span | None) -> set[int]:
    if span is None:
        return set()
    return {i for i, one in enumerate(words) if span[0] <= one.start and one.end <= span[1]}


if __name__ == "__main__":
    main()
