"""What counts as a sign that a translation went wrong, and what the second try asks for."""

from typing import Any

import numpy as np
import pytest

from mt.beam_search import Hypothesis, SearchOptions
from mt.tokenizer import EOS_ID
from serving.text.guards import Decoded, first_tries, improved, judge, second_try
from serving.text.text_options import TextOptions
from serving.text.text_plan import Part, Planner
from tests.fake_bundle import fake_bundle

BUNDLE = fake_bundle(byte_fallback=True)
PLANNER = Planner(BUNDLE.tokenizer, BUNDLE.manifest)
SEARCH = SearchOptions(beam_size=2)
LONG = "the quick brown fox jumps over the lazy dog in the park"


def part_of(text: str) -> Part:
    [part] = PLANNER.plan(text).parts
    return part


def hypothesis(ids: list[int], finished: bool = True) -> Hypothesis:
    return Hypothesis(ids, -1.0, -1.0, [-0.1] * (len(ids) + finished), finished)


def decoded(text: str, ids: list[int], finished: bool = True, **options: Any) -> Decoded:
    search = SEARCH.model_copy(update=options)
    return judge(part_of(text), [hypothesis(ids, finished)], search, BUNDLE.tokenizer)


@pytest.mark.parametrize(
    ("ids", "repeats"),
    [
        ([9] * 5, False),
        ([9] * 6, True),
        ([9, 10] * 2, False),
        ([9, 10] * 3, True),
        ([8, 9, 10, 11] * 3, True),
        ([9, 10, 11, 9, 10, 12, 9, 10], False),
        (list(range(5, 35)), False),
    ],
)
def test_loops(ids: list[int], repeats: bool) -> None:
    assert ("repeats" in decoded("the dog", ids).doubts) is repeats


def test_a_source_that_repeats_itself_may_be_repeated() -> None:
    text = "ha " * 6
    ids = BUNDLE.tokenizer.encode(text.strip())
    assert decoded(text.strip(), ids).doubts == ()


@pytest.mark.parametrize(("text", "short"), [("the dog", False), (LONG, True)])
def test_far_too_short(text: str, short: bool) -> None:
    assert ("short" in decoded(text, [9, 12]).doubts) is short


def test_nothing_at_all_is_too_short() -> None:
    assert decoded("the dog", []).doubts == ("short",)


def test_cut_off_at_the_longest_length_unless_the_caller_set_it() -> None:
    assert decoded("the dog", [9, 12, 13], finished=False).doubts == ("endless",)
    assert decoded("the dog", [9, 12, 13], finished=False, max_length=3).doubts == ()


def test_a_lost_span_is_tried_with_a_stand_in() -> None:
    one = decoded("the {a} dog", BUNDLE.tokenizer.encode("der Hund"))
    assert one.doubts == ("lost",)
    second = second_try(one, SEARCH, PLANNER)
    assert second is not None
    assert second.part.reading.text == "the homme dog"  # the bundle translates from French
    assert second.options == SEARCH.model_copy(update={"attention": True})
    again = judge(second.part, [hypothesis([9, 12, 13, 14])], second.options, BUNDLE.tokenizer)
    assert improved([one], {0: again}) == [again]


def test_no_second_try_without_doubt() -> None:
    assert second_try(decoded("the dog", [9, 12]), SEARCH, PLANNER) is None


def test_a_loop_gets_no_ngram_twice_and_a_stub_a_least_length() -> None:
    second = second_try(decoded("the dog", [9] * 9), SEARCH, PLANNER)
    assert second is not None
    assert second.options == SEARCH.model_copy(update={"no_repeat_ngram": 3})
    stub = decoded(LONG, [9])
    second = second_try(stub, SEARCH, PLANNER)
    assert second is not None
    assert second.options.min_length == len(stub.part.src_ids or []) // 2
    narrow = SEARCH.model_copy(update={"max_length": 4})
    second = second_try(stub, narrow, PLANNER)
    assert second is not None
    assert second.options.min_length == 4


def test_the_first_try_stands_where_the_second_is_no_better() -> None:
    first, second = decoded("the dog", [9] * 9), decoded("the dog", [8] * 9)
    assert improved([first], {0: second}) == [first]
    assert improved([first], {}) == [first]


def test_only_what_holds_slots_needs_attention() -> None:
    plans = [PLANNER.plan("the dog.\nthe {a} dog."), PLANNER.plan("?!")]
    tries = first_tries([part for plan in plans for part in plan.translated], SEARCH)
    assert [one.options.attention for one in tries] == [False, True]
    assert all((one.part.src_ids or [])[-1] == EOS_ID for one in tries)
    [part] = PLANNER.plan("the dog.", aligned=True).parts
    assert first_tries([part], SEARCH)[0].options.attention


def with_terms(text: str, *entries: tuple[str, str], bias: float | None = None) -> Part:
    asked = TextOptions(terminology=entries, terminology_bias=bias)
    [part] = PLANNER.plan(text, asked).parts
    return part


def test_terms_go_with_their_sentence_into_the_search() -> None:
    part = with_terms("the dog in the dog house", ("dog", "Hund"), ("fox", "Park"), bias=2.0)
    [one] = first_tries([part], SEARCH)
    ids = tuple(BUNDLE.tokenizer.encode("Hund"))
    assert one.options == SearchOptions(beam_size=5, terms=(ids, ids), term_bias=2.0)
    [other] = first_tries([with_terms("the park", ("dog", "Hund"))], SEARCH)
    assert other.options == SEARCH


@pytest.mark.parametrize("bias", [None, 2.0])
def test_a_required_term_that_is_lacking_is_put_in_and_a_preferred_one_told(
    bias: float | None,
) -> None:
    part = with_terms("the dog", ("dog", "Hund"), bias=bias)
    [one] = first_tries([part], SEARCH)
    there = [hypothesis(BUNDLE.tokenizer.encode("der Hund"))]
    assert judge(part, there, one.options, BUNDLE.tokenizer).doubts == ()
    absent = [hypothesis(BUNDLE.tokenizer.encode("der Park"))]
    tried = judge(part, absent, one.options, BUNDLE.tokenizer)
    assert tried.doubts == ("lacks",)
    second = second_try(tried, SEARCH, PLANNER)
    if bias is not None:
        assert second is None
        return
    assert second is not None
    assert second.options == SEARCH.model_copy(update={"attention": True})
    [slot] = second.part.reading.slots
    assert (slot.verbatim, slot.span, second.part.reading.text) == ("Hund", (4, 7), "the dog")
    assert judge(second.part, absent, second.options, BUNDLE.tokenizer).doubts == ()


def test_a_required_term_beside_its_place_is_put_in() -> None:
    """Three target words, of which the term's looked at "the", or at "dog"."""
    part = with_terms("the dog sleeps", ("dog", "Hund"))
    source_pieces = len(part.src_ids or [])
    pieces = BUNDLE.tokenizer.encode_with_spans("the dog sleeps")[1]
    ids = BUNDLE.tokenizer.encode("Hund schläft")
    for looked_at, doubts in (("the", ("misplaced",)), ("dog", ())):
        start = "the dog sleeps".index(looked_at)
        attention = np.full((len(ids) + 1, source_pieces), 0.001, np.float32)
        for at, (piece_start, piece_end) in enumerate(pieces):
            attention[:2, at] += piece_start < start + 3 and start < piece_end
            attention[2:, at] += piece_start >= 7
        found = Hypothesis(ids, -1.0, -1.0, [-0.1] * (len(ids) + 1), True, attention)
        assert judge(part, [found], SEARCH, BUNDLE.tokenizer).doubts == doubts


def test_a_second_try_looks_after_the_terms_too() -> None:
    part = with_terms("the {a} dog", ("dog", "Hund"), bias=2.0)
    looping = [hypothesis([9] * 9)]
    second = second_try(judge(part, looping, SEARCH, BUNDLE.tokenizer), SEARCH, PLANNER)
    assert second is not None
    assert second.options.terms == part.terms.ids != ()
    assert second.options.no_repeat_ngram == 3
