"""Attention between pieces, to pairs of words, by hand."""

import numpy as np
import pytest

from serving.text.alignment import WordAttention, WordPair, word_attention


def spans_of(text: str, *pieces: str) -> list[tuple[int, int]]:
    """Spans of pieces that spell a text from its start, the space before each included."""
    spans, at = [], 0
    for piece in pieces:
        end = text.index(piece, at) + len(piece)
        spans.append((at, end))
        at = end
    return spans


def words(pairs: tuple[WordPair, ...], source: str, target: str) -> list[tuple[str, str]]:
    return [(target[slice(*pair.target)], source[slice(*pair.source)]) for pair in pairs]


def test_each_word_is_paired_with_where_most_attention_fell() -> None:
    source, target = "la maison bleue", "the blue house"
    pieces = spans_of(source, "la", "maison", "bleue"), spans_of(target, "the", "blue", "house")
    attention = np.array([[0.8, 0.1, 0.1], [0.1, 0.2, 0.7], [0.0, 0.9, 0.1]], np.float32)
    pairs = word_attention(source, pieces[0], target, pieces[1], attention).pairs()
    assert words(pairs, source, target) == [("the", "la"), ("blue", "bleue"), ("house", "maison")]
    assert pairs[2] == WordPair(source=(3, 9), target=(9, 14))


def test_pieces_of_a_word_add_up() -> None:
    """0.3 + 0.3 on two pieces of one word beat 0.4 on another."""
    source, target = "Afrique ici", "Africa"
    source_spans = spans_of(source, "Afri", "que", "ici")
    attention = np.array([[0.3, 0.3, 0.4], [0.3, 0.3, 0.4]], np.float32)
    pairs = word_attention(
        source, source_spans, target, spans_of(target, "Af", "rica"), attention
    ).pairs()
    assert words(pairs, source, target) == [("Africa", "Afrique")]


def test_a_piece_over_two_words_is_shared_by_length() -> None:
    """The piece "abc." gives three quarters to "abc" and one to the full stop."""
    source, target = "abc. x", "y"
    attention = np.array([[0.6, 0.4]], np.float32)
    found = word_attention(source, spans_of(source, "abc.", "x"), target, [(0, 1)], attention)
    assert found.mass == pytest.approx(np.array([[0.45, 0.15, 0.4]]))


def test_what_a_word_gets_anyhow_counts_for_less() -> None:
    """The mark gets most of both words' attention: 0.3 / 0.35 of the first is more telling."""
    source, target = "un .", "one x"
    attention = np.array([[0.3, 0.7], [0.0, 0.9]], np.float32)
    found = word_attention(source, spans_of(source, "un", "."), target, [(0, 3), (3, 5)], attention)
    assert found.weights[0] == pytest.approx([0.3 / 0.35, 0.7 / 1.65 * np.exp(-0.5)])
    assert found.links == (0, 1)


def test_a_word_left_out_takes_one_of_its_neighbours() -> None:
    """The article looks at the noun a little more than at the source's article, which had none."""
    source, target = "a hat here", "einen Hut hier"
    spans = spans_of(source, "a", "hat", "here"), spans_of(target, "einen", "Hut", "hier")
    attention = np.array([[0.3, 0.7, 0.0], [0.3, 0.7, 0.0], [0.0, 0.1, 0.9]], np.float32)
    found = word_attention(source, spans[0], target, spans[1], attention)
    assert found.links == (0, 1, 2)
    nothing = np.array([[0.0, 0.9, 0.1], [0.0, 0.9, 0.1], [0.0, 0.1, 0.9]], np.float32)
    assert word_attention(source, spans[0], target, spans[1], nothing).links == (1, 1, 2)


def test_words_of_a_unit_are_one() -> None:
    found = WordAttention.of_copy("see a.b c").merged([(4, 7)], [(4, 7)])
    assert found.source == found.target == ((0, 3), (4, 7), (8, 9))
    assert found.mass.tolist() == [[1, 0, 0], [0, 3, 0], [0, 0, 1]]
    assert found.links == (0, 1, 2)


def test_log_probs_of_a_words_pieces_add_up() -> None:
    target = "Af rica."
    spans = spans_of(target, "Af", "ri", "ca.")
    found = word_attention("x", [(0, 1)], target, spans, None, [-1.0, -0.5, -0.25])
    assert found.log_probs == (-1.0, -0.75, -0.25)  # "ca." is of the word and of the full stop
    assert found.merged([], [(0, 7)]).log_probs == (-1.75, -0.25)
    assert word_attention("x", [(0, 1)], target, spans, None).log_probs == ()


def test_a_unit_with_a_word_of_unknown_probability_has_none() -> None:
    one = np.ones((2, 1), np.float32)
    found = WordAttention(((0, 1),), ((0, 1), (2, 3)), one, (-1.0, None))
    assert found.merged([], []).log_probs == (-1.0, None)
    assert found.merged([], [(0, 3)]).log_probs == (None,)


def test_eos_rows_and_columns_are_passed_over() -> None:
    attention = np.array([[0.1, 0.9], [0.0, 1.0]], np.float32)
    found = word_attention("a", [(0, 1)], "b", [(0, 1)], attention)
    assert found.pairs() == (WordPair((0, 1), (0, 1)),)


def test_a_word_that_looked_at_nothing_has_no_pair() -> None:
    nothing = np.zeros((2, 2), np.float32)
    assert word_attention("a", [(0, 1)], "b", [(0, 1)], nothing).pairs() == ()
    assert word_attention("a", [(0, 1)], "", [], np.ones((1, 2), np.float32)).pairs() == ()
    assert word_attention("a", [(0, 1)], "b", [(0, 1)], None).pairs() == ()


def test_what_counts_as_a_word() -> None:
    source = "l'été, aujourd’hui 日本 x-y"
    spans = [(i, i + 1) for i in range(len(source))]
    attention = np.eye(len(source), dtype=np.float32)
    pairs = word_attention(source, spans, source, spans, attention).pairs()
    expected = ["l'été", ",", "aujourd’hui", "日", "本", "x-y"]
    assert words(pairs, source, source) == [(word, word) for word in expected]


def test_the_processors_flag_of_an_invalid_product_is_not_listened_to() -> None:
    """BLAS may raise it beside finite operands; infinity times zero raises it for sure."""
    weights = np.array([[np.inf, 0.0], [0.0, 1.0]], np.float32)
    spans = spans_of("a b", "a", " b")
    mass = word_attention("a b", spans, "a b", spans, weights).mass  # a warning is an error here
    assert np.isnan(mass).any()
