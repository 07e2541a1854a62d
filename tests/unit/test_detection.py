"""Language detection: restricted, per text, honest about short ones, and offline."""

import socket

import pytest

from serving.text import detection
from serving.text.detection import Detection, Detector

ENGLISH = "A man in an orange hat is staring at something."
GERMAN = "Ein Mann mit einem orangefarbenen Hut, der etwas anstarrt."
FRENCH = "Un homme avec un chapeau orange regardant quelque chose."


@pytest.fixture(scope="module")
def detector() -> Detector:
    return Detector(["en", "de", "fr"])


@pytest.mark.parametrize(("text", "language"), [(ENGLISH, "en"), (GERMAN, "de"), (FRENCH, "fr")])
def test_a_sentence_is_sure(detector: Detector, text: str, language: str) -> None:
    for written in (text, text.upper(), text.replace(" ", "\n")):
        best, *others = detector.rank(written)
        assert best.language == language
        assert best.confidence > 0.8
        assert all(one.confidence < 0.1 for one in others)


@pytest.mark.parametrize("text", ["in", "Jane", "the", "a"])
def test_a_word_is_not(detector: Detector, text: str) -> None:
    assert 0 < detector.rank(text)[0].confidence < 0.6


def test_another_language_is_not_taken_for_one_of_ours(detector: Detector) -> None:
    for text in ("Un uomo con un cappello arancione che fissa qualcosa.", "一个戴橙色帽子的男人"):
        assert detector.rank(text)[0].confidence < 0.1


@pytest.mark.parametrize("text", ["", " \n", "12 + 3 = 15", "...", "🎉🚀"])
def test_nothing_is_found_where_there_are_no_letters(detector: Detector, text: str) -> None:
    assert detector.rank(text) == []


def test_only_what_is_asked_for_is_named(detector: Detector) -> None:
    ranked = detector.rank(GERMAN, among=["en", "fr"])
    assert {one.language for one in ranked} == {"en", "fr"}
    assert all(one.confidence < 0.1 for one in ranked)
    assert len(detector.rank(GERMAN)) == 3


def test_regions_and_scripts_are_languages_too() -> None:
    ranked = Detector(["pt-BR", "nb", "pt", "xx"]).rank("Um homem de chapéu laranja olhando algo.")
    assert [one.language for one in ranked[:2]] == ["pt-BR", "pt"]
    assert ranked[0].confidence == ranked[1].confidence > 0.9
    norwegian = "En mann med oransje hatt stirrer på noe."
    assert Detector(["nb", "en"]).rank(norwegian)[0].language == "nb"
    assert Detector(["xx"]).rank(ENGLISH) == [Detection("xx", 0.0)]


def test_a_long_text_is_read_at_its_beginning(
    detector: Detector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(detection, "MAX_CHARS", len(FRENCH))
    assert detector.rank(FRENCH + GERMAN * 9)[0].language == "fr"


def test_nothing_is_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("the detector opened a socket")

    monkeypatch.setattr(socket, "socket", refuse)
    assert Detector(["en", "fr"]).rank(ENGLISH)[0].language == "en"
