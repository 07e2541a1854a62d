"""IBM Model 1 worked by hand, and the shortlist that comes of it."""

import pytest

from mt.tokenizer import EOS_ID
from tests.tiny_run import random_pairs, tiny_tokenizer
from training.corpora.pair import Pair
from training.export import shortlist as module
from training.export.lexicon import Lexicon, learn_lexicon
from training.export.shortlist import ShortlistPlan, learn_shortlist, sample

A, B, X, Y = 4, 5, 6, 7
PAIRS = [([A], [X]), ([A, B], [X, Y])]


def table(lexicon: Lexicon) -> dict[tuple[int, int], float]:
    keys = zip(lexicon.source.tolist(), lexicon.target.tolist(), strict=True)
    return dict(zip(keys, lexicon.probability.tolist(), strict=True))


def test_one_round_shares_every_target_out_alike() -> None:
    """Counts of A: x 1 + 1/2, y 1/2; of B: 1/2 each."""
    found = table(learn_lexicon(PAIRS, 8, rounds=1))
    assert found == {(A, X): 0.75, (A, Y): 0.25, (B, X): 0.5, (B, Y): 0.5}


def test_a_second_round_takes_from_b_what_a_explains() -> None:
    """The second pair's x is A's by .75 / 1.25, its y by .25 / .75."""
    found = table(learn_lexicon(PAIRS, 8, rounds=2))
    assert found[A, X] == pytest.approx(1.6 / (1.6 + 1 / 3))
    assert found[B, Y] == pytest.approx((2 / 3) / (2 / 3 + 0.4))


def test_a_piece_that_stands_twice_counts_twice() -> None:
    """Source A B B: of x, A has one part in three."""
    found = table(learn_lexicon([([A, B, B], [X]), ([A], [Y])], 8, rounds=1))
    assert found == {(A, X): pytest.approx(1 / 4), (A, Y): pytest.approx(3 / 4), (B, X): 1.0}


def test_the_best_of_each_source() -> None:
    lexicon = learn_lexicon([([A], [X, X, X, Y, B]), ([B], [Y])], 8, rounds=1)
    source, target = lexicon.best(most=2, least=0.0)
    assert (source.tolist(), target.tolist()) == ([A, A, B], [B, X, Y])  # Y and B tie
    source, target = lexicon.best(most=2, least=0.5)
    assert (source.tolist(), target.tolist()) == ([A, B], [X, Y])


def test_nothing_to_learn_from() -> None:
    shortlist = learn_shortlist([], 8, ShortlistPlan()).shortlist
    assert shortlist.of([A, EOS_ID]).tolist() == [EOS_ID, A]


def test_words_get_their_translations() -> None:
    pairs, tokenizer = random_pairs(200), tiny_tokenizer()
    sampled = sample(pairs, len(pairs), tokenizer)
    plan = ShortlistPlan(best=8, frequent=2)
    learnt = learn_shortlist(sampled, tokenizer.vocab_size, plan)
    assert learnt.origin["pairs"] == 200
    assert EOS_ID in learnt.shortlist.frequent
    assert len(learnt.shortlist.frequent) <= 3
    for english, german in (("cat", "katze"), ("house", "haus"), ("likes", "mag")):
        listed = learnt.shortlist.of(tokenizer.encode_source(english))
        assert set(tokenizer.encode(german)) <= set(listed.tolist())
        assert len(listed) < tokenizer.vocab_size


def test_a_sample_is_spread_and_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    tokenizer = tiny_tokenizer()
    pairs = [Pair(f"cat {'dog ' * i}", "katze") for i in range(9)]
    monkeypatch.setattr(module, "MOST_PAIRS", 3)
    sampled = sample(pairs, 9, tokenizer)
    assert [src for src, _ in sampled] == [tokenizer.encode_source(pairs[i].src) for i in (0, 3, 6)]
    assert sampled[0][1] == [*tokenizer.encode("katze"), EOS_ID]
    links = [len(src) * len(tgt) for src, tgt in sampled]
    monkeypatch.setattr(module, "MOST_LINKS", links[0] + links[1])
    assert len(sample(pairs, 9, tokenizer)) == 2
