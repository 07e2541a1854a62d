"""Words of a translation with spans in the whole text, worked by hand."""

from math import exp, log

import numpy as np
import pytest

from serving.text.alignment import WordAttention
from serving.text.word_details import words_of
from serving.translation import (
    Candidate,
    SentenceHypothesis,
    TranslatedSentence,
    Translation,
)


def hypothesis(text: str, words: WordAttention | None) -> SentenceHypothesis:
    return SentenceHypothesis(text, 0.0, 0.0, (), (), finished=True, words=words)


def translation(*sentences: TranslatedSentence) -> Translation:
    return Translation("", (Candidate("", 0.0),), sentences, source_tokens=0, output_tokens=0)


def one_word(source: str, target: str, log_prob: float | None) -> WordAttention:
    mass = np.array([[0.5]], np.float32)
    return WordAttention(((0, len(source)),), ((0, len(target)),), mass, (log_prob,))


def test_spans_are_those_of_the_whole_texts_of_each_candidate() -> None:
    """ "ja nein" of "yes no", and "jawohl nein": the longer word moves what is behind it."""
    yes = (
        hypothesis("ja", one_word("yes", "ja", log(0.5))),
        hypothesis("jawohl", one_word("yes", "jawohl", log(0.25))),
    )
    no = (hypothesis("nein", one_word("no", "nein", None)),)
    found = translation(
        TranslatedSentence((0, 3), (0, 2), yes, translated=True),
        TranslatedSentence((4, 6), (3, 7), no, translated=True),
    )
    first, second = words_of(found)
    assert (first.source, first.target) == (((0, 3),), ((0, 2),))
    assert (second.source, second.target) == (((4, 6),), ((3, 7),))
    assert list(first.probabilities) == pytest.approx([0.5])
    assert second.probabilities == (None,)
    longer, moved = words_of(found, candidate=1)
    assert longer.target == ((0, 6),)
    assert list(longer.probabilities) == pytest.approx([0.25])
    assert moved.target == ((7, 11),)


def test_rows_of_attention_sum_to_one_or_to_nothing() -> None:
    mass = np.array([[0.2, 0.6], [0.0, 0.0]], np.float32)
    words = WordAttention(((0, 1), (2, 3)), ((0, 1), (2, 3)), mass)
    (found,) = words_of(
        translation(TranslatedSentence((0, 3), (0, 3), (hypothesis("a b", words),), True))
    )
    near, far = 0.2 / 0.25, 0.6 / 0.65 * exp(-0.5)  # see `WordAttention.weights`
    assert found.attention[0].tolist() == pytest.approx([near / (near + far), far / (near + far)])
    assert found.attention[1].tolist() == [0.0, 0.0]
    assert found.probabilities == (None, None)


def test_a_word_that_is_there_twice_is_one_and_an_empty_one_is_none() -> None:
    """A slot that stands for a word is a source word, and once more where it was put back."""
    spans = ((4, 9), (0, 3), (4, 9), (9, 9))
    mass = np.array([[0.1, 0.0, 0.7, 0.2]], np.float32)
    (found,) = words_of(
        translation(
            TranslatedSentence(
                (0, 9), (0, 1), (hypothesis("x", WordAttention(spans, ((0, 1),), mass)),), True
            )
        )
    )
    assert found.source == ((0, 3), (4, 9))
    assert found.attention.tolist() == [[0.0, 1.0]]


def test_a_sentence_without_attention_has_no_words() -> None:
    passed = TranslatedSentence((0, 3), (0, 3), (hypothesis("123", None),), translated=False)
    assert list(words_of(translation(passed))) == []
