"""What holds for every sentence the embedded grammar makes."""

import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from hashlib import sha256
from itertools import chain
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.corpora.embedded import EXAMPLE, SPLITS, english, french, generate
from training.corpora.embedded.sampler import Sampler
from training.corpora.embedded.syntax import Determiner, Gap, NounPhrase
from training.corpora.pair import Pair

SIZE = 3_000  # training pairs, enough to show what 20,000 do
seeds = st.integers(0, 2**32)

# What French never writes: an article, preposition or clitic in full where it must change.
FORBIDDEN_FRENCH = (
    r"\b(le|la|je|me|te|se|de|ne|que|ce) [aeiouhâàéèêëîïôœÉA](?!ibou)",
    r"\b(ce|le|la|de|je|ne|me|te|se|que) y\b",
    r"\b[Dd]e les?\b",
    r"\bà les?\b",
    r"'(?![aeiouhyâàéèêëîïôœÉAIE])",
    r"\b(ma|ta) [aeiouâàéèêîïôœ]",
    r"'hibou",
)
FORBIDDEN_ENGLISH = (
    r"\b[Aa] (?!useful)[aeiou]",
    r"\b[Aa]n (?!honest)[^aeiouAEIOU]",
    r"^(He|She|It|Jane|Paul) (go|have|do|are|were|am)\b",
    r"\b(I|you|we|they) (is|has|does|goes)\b",
    r"\b(does|did|do|can|could) (not )?(goes|went|visits|visited|is|was)\b",
    r"\bnot (any|not|never)\b",
    r"\b(a|an) (some|any|the)\b",
)


@cache
def split_of(name: str, seed: int = 1) -> tuple[Pair, ...]:
    return tuple(generate(name, seed, SIZE))


def digest(pairs: Iterable[Pair]) -> str:
    return sha256("\n".join("\t".join(pair) for pair in pairs).encode()).hexdigest()


def draw(seed: int, fewest: int, most: int) -> Pair:
    tree = Sampler(Random(seed)).sentence(fewest, most)
    return Pair(french.sentence(tree), english.sentence(tree))


@given(seed=seeds, fewest=st.integers(1, 50))
@settings(max_examples=100, deadline=None)
def test_every_sentence_is_well_written(seed: int, fewest: int) -> None:
    for text in draw(seed, fewest, fewest + 9):
        assert text[0].isupper()
        assert text[-1] in ".?"
        assert not re.search(r"  | [.,?]|[.?].", text)
        assert text == text.strip()


@given(seed=seeds, fewest=st.integers(1, 50))
@settings(max_examples=100, deadline=None)
def test_a_sentence_is_as_long_as_it_was_asked(seed: int, fewest: int) -> None:
    src = draw(seed, fewest, fewest + 9).src
    question = src.endswith("?")
    assert (1 if question else fewest) <= len(src.split()) <= fewest + 9


def phrases_in(tree: object) -> Iterator[NounPhrase]:
    """All noun phrases of a tree; its nodes are tuples."""
    if isinstance(tree, NounPhrase):
        yield tree
    if isinstance(tree, tuple):
        yield from chain.from_iterable(map(phrases_in, tree))


@given(seed=seeds)
@settings(max_examples=100, deadline=None)
def test_a_relative_clause_agrees_with_its_head(seed: int) -> None:
    for phrase in phrases_in(Sampler(Random(seed)).sentence(41, 50)):
        if phrase.relative:
            gaps = [x for x in (phrase.relative.subject, phrase.relative.object) if type(x) is Gap]
            assert gaps == [Gap(phrase.features, phrase.noun.kind)]


@given(seed=seeds)
@settings(max_examples=100, deadline=None)
def test_no_plural_is_asked_of_what_has_none(seed: int) -> None:
    for phrase in phrases_in(Sampler(Random(seed)).sentence(41, 50)):
        counted = phrase.determiner in (Determiner.TWO, Determiner.THREE, Determiner.MANY)
        assert not (phrase.noun.mass and phrase.plural)
        assert phrase.plural or not counted


@pytest.mark.parametrize("pattern", FORBIDDEN_FRENCH)
def test_french_elides_and_contracts(pattern: str) -> None:
    assert not [pair.src for pair in split_of("train") if re.search(pattern, pair.src)]


@pytest.mark.parametrize("pattern", FORBIDDEN_ENGLISH)
def test_english_agrees(pattern: str) -> None:
    assert not [pair.tgt for pair in split_of("train") if re.search(pattern, pair.tgt)]


def test_ne_goes_with_pas_jamais_or_plus() -> None:
    for pair in split_of("train"):
        opened = len(re.findall(r"\b[Nn](?:e |')", pair.src))
        closed = len(re.findall(r"\b(?:pas|jamais|plus)\b", pair.src))
        assert opened == closed, pair.src


def test_a_french_sentence_has_one_translation() -> None:
    """Short sentences, repeats and all: only there do two trees often meet in one French text."""
    sampler = Sampler(Random(7))
    translations: dict[str, str] = {}
    repeats = 0
    for _ in range(10_000):
        tree = sampler.sentence(1, 5)
        src, tgt = french.sentence(tree), english.sentence(tree)
        repeats += src in translations
        assert translations.setdefault(src, tgt) == tgt, src
    assert repeats > 50


@pytest.mark.parametrize("seed", [0, 1])
def test_no_sentence_stands_twice(seed: int) -> None:
    """Neither inside a split nor in two of them, in neither language; and never the example."""
    pairs = [pair for split in SPLITS for pair in split_of(split, seed)]
    for side in (0, 1):
        sentences = {pair[side] for pair in pairs}
        assert len(sentences) == len(pairs)
        assert EXAMPLE[side] not in sentences


def test_the_seed_alone_decides_held_out_splits() -> None:
    assert digest(generate("test", 3, 10)) == digest(generate("test", 3, SIZE))
    assert digest(generate("test", 3)) != digest(generate("test", 4))
    few = list(generate("train", 3, 50))
    assert few == list(generate("train", 3, 200))[:50]


def test_every_process_makes_the_same_pairs() -> None:
    """Sets and enumerations hash differently in each process; the pairs must not notice."""
    script = (
        "from training.corpora.embedded import generate\n"
        "for pair in generate('train', 1, 300): print('\\t'.join(pair))"
    )
    made = {
        subprocess.run(
            [sys.executable, "-c", script],
            env={"PYTHONHASHSEED": hash_seed, "PYTHONIOENCODING": "utf-8"},
            capture_output=True,
            check=True,
        ).stdout
        for hash_seed in ("1", "2")
    }
    here = "".join("\t".join(pair) + "\n" for pair in generate("train", 1, 300))
    assert made == {here.encode()}


def test_training_lengths() -> None:
    lengths = [len(pair.src.split()) for pair in split_of("train")]
    assert 9 <= sum(lengths) / len(lengths) <= 12
    assert 0.005 <= sum(length > 30 for length in lengths) / len(lengths) <= 0.03
    assert max(lengths) > 50


def test_vocabulary_of_the_tests_is_in_training() -> None:
    known = {word for pair in split_of("train") for text in pair for word in words(text)}
    unseen = [word for pair in split_of("test") for text in pair for word in words(text)]
    assert sum(word not in known for word in unseen) / len(unseen) < 0.002


def words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())


def test_the_words_of_the_example_are_in_training() -> None:
    known = {word for pair in split_of("train") for text in pair for word in words(text)}
    assert known >= {word for text in EXAMPLE for word in words(text)}
