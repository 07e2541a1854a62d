"""What holds for every epoch of every corpus."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from training.batching import plan_epoch

LENGTHS = st.lists(st.tuples(st.integers(1, 30), st.integers(1, 30)), min_size=1, max_size=60)


@settings(deadline=None, max_examples=60)
@given(LENGTHS, st.integers(30, 200), st.integers(0, 9), st.integers(0, 9))
def test_every_pair_once_within_budget_and_reproducible(
    lengths: list[tuple[int, int]], max_tokens: int, seed: int, epoch: int
) -> None:
    src, tgt = np.array(lengths).T
    plan = plan_epoch(src, tgt, max_tokens, seed, epoch)
    assert sorted(np.concatenate(plan).tolist()) == list(range(len(lengths)))
    for batch in plan:
        assert len(batch) * tgt[batch].max() <= max_tokens
        assert len(batch) * src[batch].max() <= 2 * max_tokens
    again = plan_epoch(src, tgt, max_tokens, seed, epoch)
    assert [b.tolist() for b in again] == [b.tolist() for b in plan]


def test_epochs_and_seeds_have_orders_of_their_own() -> None:
    lengths = np.full(50, 5)
    orders = {
        tuple(np.concatenate(plan_epoch(lengths, lengths, 50, seed, epoch)).tolist())
        for seed in range(3)
        for epoch in range(3)
    }
    assert len(orders) == 9


def test_sentences_of_like_length_stand_together() -> None:
    draw = np.random.default_rng(0)
    tgt = draw.integers(2, 40, 2000)
    plan = plan_epoch(tgt + draw.integers(-1, 5, 2000), tgt, 400, seed=1, epoch=0)
    padded = sum(len(batch) * tgt[batch].max() for batch in plan)
    assert tgt.sum() / padded > 0.95
