"""Terms of a glossary in sentences, and in their translations."""

import pytest

from mt.phrases import MOST_IDS
from serving.text.glossary_terms import FoundTerm, Lexicon, Terms, capitalised, lacking, terms_of
from tests.fake_bundle import fake_bundle

TOKENIZER = fake_bundle().tokenizer
ENTRIES = (("house", "Haus"), ("white house", "Weißes Haus"), ("Ray", "Ray"), ("C++", "C++"))


def found(sentence: str, language: str = "en", *entries: tuple[str, str]) -> list[str]:
    return [one.target for one in Lexicon(entries or ENTRIES, language).find(sentence)]


@pytest.mark.parametrize(
    ("sentence", "targets"),
    [
        ("a house", ["Haus"]),
        ("a houseboat, a lighthouse", []),
        ("the white house, a house.", ["Weißes Haus", "Haus"]),  # the longest first
        ("the House", []),  # a name, perhaps
        ("House prices", ["Haus"]),  # but a sentence begins so
        ("ray of light, Ray Serve", ["Ray"]),
        ("ray", []),  # an entry with a capital has it for a reason
        ("in C++, or C", ["C++"]),
        ("(house)", ["Haus"]),
        ("", []),
    ],
)
def test_terms_are_found_where_they_stand_alone(sentence: str, targets: list[str]) -> None:
    assert found(sentence) == targets


def test_languages_without_spaces_have_terms_anywhere() -> None:
    assert found("我的房子很大", "zh-Hans", ("房子", "house")) == ["house"]


def test_spans_are_of_the_sentence() -> None:
    assert Lexicon(ENTRIES, "en").find("my house") == [FoundTerm((3, 8), "Haus")]


def terms(sentence: str, *entries: tuple[str, str]) -> Terms:
    return terms_of(sentence, [], Lexicon(entries, "en"), TOKENIZER, spaced=True)


def test_what_is_protected_is_no_term() -> None:
    lexicon = Lexicon((("b", "c"),), "en")
    kept = terms_of("a b", [(2, 3)], lexicon, TOKENIZER, spaced=True)
    assert kept == Terms()


def test_as_many_ids_as_the_search_can_look_after() -> None:
    many = terms("a a a", ("a", "visits Africa " * 10))
    assert len(many.found) == 3
    assert 0 < sum(map(len, many.ids)) <= MOST_IDS


@pytest.mark.parametrize(
    ("text", "targets", "count"),
    [
        ("Das Haus.", ["Haus"], 0),
        ("Das Hausboot.", ["Haus"], 1),
        ("Das Haus.", ["Haus", "Haus"], 1),
        ("Haus und Haus", ["Haus", "Haus"], 0),
        ("Maison blanche", ["maison"], 0),  # a sentence may begin with a capital
        ("La Maison", ["maison"], 1),
        ("„Maison“", ["maison"], 0),
        ("C++.", ["C++"], 0),
        ("", [], 0),
    ],
)
def test_lacking_terms_are_counted(text: str, targets: list[str], count: int) -> None:
    wanted = Terms(tuple(FoundTerm((0, 1), target) for target in targets))
    assert lacking(text, wanted) == count


def test_unspaced_translations_hold_terms_anywhere() -> None:
    assert lacking("我的房子", Terms((FoundTerm((0, 1), "房子"),), spaced=False)) == 0


def test_a_sentence_begins_with_a_capital_where_its_source_does() -> None:
    wanted = Terms((FoundTerm((0, 5), "bonjour"),))
    assert capitalised("bonjour Jane", "Hello Jane", wanted) == "Bonjour Jane"
    assert capitalised("bonjour Jane", "hello Jane", wanted) == "bonjour Jane"
    assert capitalised("salut Jane", "Hello Jane", wanted) == "salut Jane"
