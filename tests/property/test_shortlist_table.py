"""A shortlist's file holds it whole, and a damaged one is refused or means some other shortlist."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from mt.errors import BundleError
from mt.shortlist import Shortlist
from mt.tokenizer import EOS_ID
from tests.listing_stepper import random_shortlist

VOCAB_SIZE = 12


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**16), sentence=st.lists(st.integers(4, VOCAB_SIZE - 1), max_size=5))
def test_its_file_holds_it_whole(seed: int, sentence: list[int]) -> None:
    shortlist = random_shortlist(seed, vocab_size=VOCAB_SIZE)
    again = Shortlist.from_bytes(shortlist.to_bytes(), VOCAB_SIZE)
    source = [*sentence, EOS_ID]
    assert again.of(source).tolist() == shortlist.of(source).tolist()
    wanted = set(shortlist.frequent.tolist()) | set(source)
    for one in source:
        wanted |= set(shortlist.ids[shortlist.offsets[one] : shortlist.offsets[one + 1]].tolist())
    assert again.of(source).tolist() == sorted(wanted)


@settings(max_examples=100, deadline=None)
@given(
    at=st.integers(0, 60),
    number=st.one_of(st.integers(-3, 40), st.integers(-(2**31), 2**31 - 1)),
    cut=st.integers(0, 9),
)
def test_a_damaged_file_breaks_nothing(at: int, number: int, cut: int) -> None:
    numbers = np.frombuffer(random_shortlist(3, vocab_size=VOCAB_SIZE).to_bytes(), "<i4").copy()
    numbers[at % len(numbers)] = number
    data = numbers.tobytes()
    try:
        shortlist = Shortlist.from_bytes(data[: len(data) - cut], VOCAB_SIZE)
    except BundleError as error:
        assert "is no shortlist of 12 pieces" in str(error)  # noqa: PT017  # either may happen
        return
    for source in range(VOCAB_SIZE):
        listed = shortlist.of([source, EOS_ID])
        assert EOS_ID in listed
        assert ((listed >= 0) & (listed < VOCAB_SIZE)).all()
