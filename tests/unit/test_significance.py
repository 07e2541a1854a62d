"""The paired bootstrap: the very BLEU of sacreBLEU, and intervals that say what they should."""

import random

import pytest

from training.evaluate import bleu
from training.significance import paired_bootstrap

WORDS = ["man", "in", "a", "blue", "shirt", "stands", "on", "the", "ladder", "cleaning", "window"]


def texts(count: int, share_wrong: float, seed: int) -> list[str]:
    """Sentences of which a share of words is replaced."""
    draw, order = random.Random(seed), random.Random(0)
    sentences = [order.sample(WORDS, 9) for _ in range(count)]
    return [
        " ".join("wrong" if draw.random() < share_wrong else word for word in words)
        for words in sentences
    ]


REFERENCES = texts(120, 0.0, 0)


def test_the_difference_is_that_of_corpus_bleu() -> None:
    worse, better = texts(120, 0.3, 1), texts(120, 0.1, 2)
    found = paired_bootstrap(worse, better, REFERENCES, samples=100)
    expected = bleu(better, REFERENCES).value - bleu(worse, REFERENCES).value
    assert found.difference == pytest.approx(expected)
    assert found.low < found.difference < found.high
    assert found.is_clear
    assert found.p == 0.0


def test_it_changes_sign_with_the_order() -> None:
    one, other = texts(120, 0.3, 1), texts(120, 0.1, 2)
    there, back = (paired_bootstrap(*pair, REFERENCES, 50) for pair in ((one, other), (other, one)))
    assert back.difference == pytest.approx(-there.difference)
    assert (back.low, back.high) == pytest.approx((-there.high, -there.low))


def test_equals_are_not_told_apart() -> None:
    alike = paired_bootstrap(texts(120, 0.2, 1), texts(120, 0.2, 2), REFERENCES, samples=200)
    assert not alike.is_clear
    assert alike.p > 0.05
    same = paired_bootstrap(REFERENCES, REFERENCES, REFERENCES, samples=20)
    assert (same.difference, same.low, same.high, same.p) == (0.0, 0.0, 0.0, 1.0)


def test_it_repeats_itself() -> None:
    one, other = texts(60, 0.3, 1), texts(60, 0.2, 2)
    assert paired_bootstrap(one, other, REFERENCES[:60], 50) == paired_bootstrap(
        one, other, REFERENCES[:60], 50
    )


def test_lengths_that_differ_are_refused() -> None:
    with pytest.raises(ValueError, match="1 and 2 for 2 references"):
        paired_bootstrap(["a"], ["a", "b"], ["a", "b"])
