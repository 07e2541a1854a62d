"""BLEU by length: bands as people write them, and the very BLEU of a band's sentences."""

import pytest

from mt.errors import ConfigError
from training.compare.explain.length_bands import (
    CAPTIONS,
    TENS,
    Band,
    bands_for,
    bleu_by_length,
    parse_bands,
)
from training.compare.explain.outputs import Outputs
from training.evaluate import bleu


def test_bands_are_read_and_written_alike() -> None:
    bands = parse_bands("1-8, 9-11,12,13+")
    assert bands == (
        Band(fewest=1, most=8),
        Band(fewest=9, most=11),
        Band(fewest=12, most=12),
        Band(fewest=13, most=None),
    )
    assert [band.name for band in bands] == ["1-8", "9-11", "12", "13+"]


@pytest.mark.parametrize("text", ["", "a-b", "8-1", "1-8,8-10", "5+,9-10", "0-3", "1-8;9+"])
def test_bands_that_make_no_sense_are_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="write rising ones"):
        parse_bands(text)


@pytest.mark.parametrize(("length", "holds"), [(8, False), (9, True), (11, True), (12, False)])
def test_both_ends_belong_to_a_band(length: int, holds: bool) -> None:
    assert Band(fewest=9, most=11).holds(length) is holds
    assert Band(fewest=9, most=None).holds(length) is (length >= 9)


def test_captions_have_narrow_bands_and_long_sentences_tens() -> None:
    assert bands_for(["word " * 12] * 100) == CAPTIONS
    assert bands_for(["word " * 12] * 90 + ["word " * 60] * 10) == TENS


def test_each_band_has_sacrebleus_score_of_its_sentences() -> None:
    references = ["a b c d e", "f g h i j k", "a b c d e f g h i j"]
    hypotheses = ["a b c d x", "f g h i j k", "a b c d e f g x y z"]
    sources = ["one two", "one two three", "1 2 3 4 5 6 7 8 9"]
    outputs = Outputs(sources, references, {"x": {1: hypotheses}, "y": {1: references}})
    scores, differences = bleu_by_length(outputs, parse_bands("1-3,4-8,9+"), samples=20)
    assert [(one.system, one.band, one.sentences) for one in scores] == [
        *(("x", "1-3", 2), ("y", "1-3", 2)),
        *(("x", "9+", 1), ("y", "9+", 1)),
    ]  # nothing is in 4-8
    expected = bleu(hypotheses[:2], references[:2]).value
    assert scores[0].bleu.value == pytest.approx(expected)
    assert scores[0].mean_length == 2.5
    assert scores[2].bleu.low == scores[2].bleu.high  # one sentence cannot vary
    assert [(one.first, one.second, one.band) for one in differences] == [
        ("x", "y", "1-3"),
        ("x", "y", "9+"),
    ]
    assert differences[0].difference.value == pytest.approx(100 - expected)


def test_a_band_is_a_mean_over_seeds() -> None:
    references = ["a b c d e"] * 4
    outputs = Outputs(references, references, {"x": {1: references, 2: ["?"] * 4}})
    (score,), _ = bleu_by_length(outputs, parse_bands("1+"), samples=20)
    assert score.bleu.value == pytest.approx(50.0)
