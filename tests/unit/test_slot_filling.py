"""Spans put back by attention, by hand: at their stand-in's word, or beside their neighbour's."""

import numpy as np
import pytest

from serving.text.alignment import WordAttention, word_attention
from serving.text.protected_spans import find, locate
from serving.text.slot_filling import fill
from serving.text.stand_ins import Reading, read
from serving.text.term_slots import put_in
from serving.text.text_options import TextOptions
from serving.text.text_plan import Planner
from tests.fake_bundle import fake_bundle

BUNDLE = fake_bundle(byte_fallback=True)


def words_of(source: str, target: str, links: list[tuple[int, int]]) -> WordAttention:
    """Attention of 0.9 on each link (source word, target word), little elsewhere."""
    found = word_attention(source, [], target, [], None)
    mass = np.full((len(found.target), len(found.source)), 0.01, np.float32)
    for at, word in links:
        mass[word, at] = 0.9
    return WordAttention(found.source, found.target, mass)


def filled(
    sentence: str, target: str, links: list[tuple[int, int]], language: str = "en"
) -> tuple[str, Reading]:
    reading = read(sentence, find(sentence), language)
    return fill(reading, words_of(reading.text, target, links), target).text, reading


def test_the_word_that_looked_at_the_stand_in_is_replaced() -> None:
    text, _ = filled(
        "A young {name} sits.", "Ein Mann sitzt jung.", [(0, 0), (2, 1), (3, 2), (1, 3)]
    )
    assert text == "Ein {name} sitzt jung."


def test_of_an_article_and_a_noun_the_noun_is_replaced() -> None:
    text, _ = filled("see {name}", "sieh einen Mann", [(0, 0), (1, 1), (1, 2)])
    assert text == "sieh einen {name}"


@pytest.mark.parametrize(
    ("source", "target", "links", "text"),
    [
        ("the dog", "den Hund", [(0, 0), (1, 1)], "den Köter"),
        ("see dog", "sieh einen Hund", [(0, 0), (1, 1), (1, 2)], "sieh einen Köter"),
        ("a hot dog", "ein heißer Hund", [(0, 0), (1, 1), (2, 2)], "ein Köter"),
    ],
)
def test_a_term_takes_the_place_of_what_came_of_its_source(
    source: str, target: str, links: list[tuple[int, int]], text: str
) -> None:
    term = "hot dog" if "hot" in source else "dog"
    plan = Planner(BUNDLE.tokenizer, BUNDLE.manifest)
    [part] = plan.plan(source, TextOptions(terminology=((term, "Köter"),))).parts
    reading = put_in(part).reading
    assert fill(reading, words_of(source, target, links), target).text == text


def test_two_stand_ins_take_two_words() -> None:
    links = [(0, 1), (1, 0), (2, 2)]
    assert filled("{a} and {b}", "und Mann Kerl", links)[0] == "und {a} {b}"


def test_one_word_is_taken_by_the_surer_stand_in_and_the_other_stands_beside() -> None:
    reading = read("{a} hits {b}", find("{a} hits {b}"), "en")
    words = words_of(reading.text, "Mann schlägt", [(1, 1)])
    words.mass[0] = [0.1, 0.0, 0.9]
    assert fill(reading, words, "Mann schlägt").text == "{a} schlägt {b}"


@pytest.mark.parametrize(
    ("sentence", "target", "links", "text"),
    [
        ("the dog 😀 sleeps", "der Hund schläft", [(0, 0), (1, 1), (2, 2)], "der Hund 😀 schläft"),
        ("the dog <b>sleeps", "der Hund schläft", [(0, 0), (1, 1), (2, 2)], "der Hund <b>schläft"),
        ("a dog</b> sits", "sitzt ein Hund", [(0, 1), (1, 2), (2, 0)], "sitzt ein Hund</b>"),
        ("<b>the dog", "Hund der", [(0, 1), (1, 0)], "Hund <b>der"),
        ("the dog 😀.", "der Hund.", [(0, 0), (1, 1), (2, 2)], "der Hund 😀."),
        ("dog 😀", "", [], "😀"),
        ("😀's dog", "Hund", [(0, 0), (1, 0)], "😀 Hund"),
    ],
)  # fmt: skip
def test_what_nothing_stands_in_for_goes_beside_its_neighbour(
    sentence: str, target: str, links: list[tuple[int, int]], text: str
) -> None:
    assert filled(sentence, target, links)[0] == text


def test_without_attention_the_place_is_as_far_in() -> None:
    sentence = "one two {x} three four"
    reading = read(sentence, find(sentence), "xx")
    words = word_attention(reading.text, [], "eins zwei drei vier", [], None)
    assert fill(reading, words, "eins zwei drei vier").text == "eins zwei {x} drei vier"


def test_what_was_kept_is_left_alone_and_what_was_lost_is_put_back() -> None:
    sentence = "see 12 in 34"
    reading = read(sentence, find(sentence), "en", lambda _: False)
    target = "sieh 34 an"
    words = words_of(reading.text, target, [(0, 0), (1, 1), (2, 2)])  # 12 looked at by "34"
    kept = [slot.protected for slot in reading.slots]
    assert fill(reading, words, target, locate(kept, sentence, target)).text == "sieh 12 34 an"


def test_figures_that_meet_are_kept_apart() -> None:
    sentence = "7 8"
    reading = read(sentence, find(sentence), "en")
    words = word_attention(reading.text, [], "5", [], None)
    assert sorted(fill(reading, words, "5").text.split()) == ["5", "7", "8"]


def test_pairs_of_words_speak_of_the_sentence_and_the_filled_text() -> None:
    sentence, target = "A {name} sits", "Hier sitzt Mann"
    reading = read(sentence, find(sentence), "en")
    found = fill(reading, words_of(reading.text, target, [(0, 0), (2, 1), (1, 2)]), target)
    pairs = [
        (sentence[slice(*pair.source)], found.text[slice(*pair.target)])
        for pair in found.words.pairs()
    ]
    assert pairs == [("A", "Hier"), ("sits", "sitzt"), ("{name}", "{name}")]


def test_what_was_put_in_has_no_probability_of_its_own() -> None:
    reading = read("see {name} now", find("see {name} now"), "en")
    links = words_of(reading.text, "sieh Mann jetzt", [(0, 0), (1, 1), (2, 2)])
    words = WordAttention(links.source, links.target, links.mass, (-1.0, -2.0, -3.0))
    found = fill(reading, words, "sieh Mann jetzt")
    assert found.text == "sieh {name} jetzt"
    assert found.words.log_probs == (-1.0, None, -3.0)
