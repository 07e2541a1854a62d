import math
from typing import Any

import numpy as np
import pytest

from mt.config import validate
from mt.errors import ConfigError
from mt.search_options import SearchOptions


def test_length_penalty_of_seven_tokens_doubles_at_alpha_one() -> None:
    assert SearchOptions(length_penalty=1.0).norm(7) == 2.0  # (5 + 7) / (5 + 1)


def test_wu_norm_of_one_token_is_one() -> None:
    assert SearchOptions(length_penalty=0.6).norm(1) == 1.0


def test_alpha_two_squares_the_wu_norm() -> None:
    assert SearchOptions(length_penalty=2.0).norm(13) == 9.0  # (18 / 6) ^ 2


@pytest.mark.parametrize(("alpha", "norm"), [(0.0, 1.0), (0.5, 3.0), (1.0, 9.0), (2.0, 81.0)])
def test_average_divides_by_a_power_of_the_length(alpha: float, norm: float) -> None:
    assert SearchOptions(length_norm="average", length_penalty=alpha).norm(9) == norm


def test_coverage_sums_logarithms_of_what_each_source_token_received() -> None:
    attention = np.array([[0.5, 0.25, 0.25], [0.75, 0.25, 0.0]], np.float32)
    received = [1.0, 0.5, 0.25]  # 1.25 is cut to 1
    expected = 0.2 * sum(math.log(each) for each in received)  # 0.2 log(1/8)
    assert SearchOptions(coverage_penalty=0.2).coverage(attention) == pytest.approx(expected)


def test_full_coverage_costs_nothing() -> None:
    assert SearchOptions(coverage_penalty=1.0).coverage(np.eye(3, dtype=np.float32)) == 0.0


def test_a_source_token_never_attended_costs_much_but_not_everything() -> None:
    penalty = SearchOptions(coverage_penalty=1.0).coverage(np.array([[1.0, 0.0]], np.float32))
    assert -100 < penalty < -80


def test_longest_length_follows_the_source_unless_given() -> None:
    assert SearchOptions().length_limit(src_len=7, max_target_tokens=256) == 24  # 2 * 7 + 10
    assert SearchOptions(max_length=5).length_limit(7, 256) == 5
    assert SearchOptions().length_limit(7, max_target_tokens=20) == 20
    assert SearchOptions(max_length=300).length_limit(7, 256) == 256


@pytest.mark.parametrize(
    ("options", "needed"),
    [({}, False), ({"attention": True}, True), ({"coverage_penalty": 0.1}, True)],
)
def test_attention_is_needed_for_alignments_and_coverage(
    options: dict[str, Any], needed: bool
) -> None:
    assert SearchOptions(**options).needs_attention is needed


def test_samples_need_no_beam() -> None:
    drawn = SearchOptions(samples=7)
    assert (drawn.beam_size, drawn.rows, drawn.hypotheses) == (1, 7, 7)
    assert SearchOptions.model_validate(drawn.model_dump()) == drawn
    assert SearchOptions(samples=7, beam_size=1) == drawn
    searched = SearchOptions(beam_size=4, n_best=2, samples=0)
    assert (searched.rows, searched.hypotheses) == (4, 2)


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"beam_size": 0}, "beam_size: Input should be greater than or equal to 1"),
        ({"beam_size": 10_000}, "beam_size: Input should be less than or equal to 64"),
        ({"n_best": 0}, "n_best: Input should be greater than or equal to 1"),
        ({"beam_size": 4, "n_best": 5}, "n_best is 5, more than beam_size, 4"),
        ({"length_norm": "google"}, "length_norm: Input should be 'wu' or 'average'"),
        ({"length_penalty": -0.1}, "length_penalty: Input should be greater"),
        ({"length_penalty": 5.1}, "length_penalty: Input should be less"),
        ({"length_penalty": math.nan}, "length_penalty: Input should be"),
        ({"coverage_penalty": -1}, "coverage_penalty: Input should be greater"),
        ({"coverage_penalty": math.inf}, "coverage_penalty: Input should be"),
        ({"min_length": -1}, "min_length: Input should be greater"),
        ({"max_length": 0}, "max_length: Input should be greater"),
        ({"min_length": 9, "max_length": 8}, "min_length is 9, above max_length, 8"),
        ({"prefix": [4, 5], "max_length": 1}, "prefix has 2 tokens, more than max_length, 1"),
        ({"prefix": [4, 3]}, "prefix must not hold pad, bos or eos"),
        ({"terms": [[4], []]}, "each term needs ids, and none of pad, bos or eos"),
        ({"terms": [[4, 3]]}, "each term needs ids, and none of pad, bos or eos"),
        ({"terms": [[4] * 40, [5] * 23]}, "the terms have 63 ids, at most 62 together"),
        ({"terms": [[4]], "samples": 2}, "samples are drawn, not searched for: leave terms out"),
        ({"terms": [[4]], "term_bias": 0}, "term_bias: "),
        ({"prefix": [-1]}, "prefix.0: Input should be greater"),
        ({"no_repeat_ngram": -1}, "no_repeat_ngram: Input should be greater"),
        ({"beams": 5}, "beams: Extra inputs are not permitted"),
        ({"samples": -1}, "samples: Input should be greater than or equal to 0"),
        ({"samples": 65}, "samples: Input should be less than or equal to 64"),
        ({"samples": 2, "beam_size": 2}, "samples are drawn, not searched for: leave beam_size"),
        ({"samples": 2, "n_best": 2}, "n_best is of beam search; all samples are returned"),
        ({"temperature": 0.5}, "only samples have a temperature: give the number of samples too"),
        ({"top_k": 5}, "only samples have a top_k"),
        ({"top_p": 0.5}, "only samples have a top_p"),
        ({"samples": 1, "temperature": 0}, "temperature: Input should be greater"),
        ({"samples": 1, "temperature": 11}, "temperature: Input should be less"),
        ({"samples": 1, "temperature": math.nan}, "temperature: Input should be"),
        ({"samples": 1, "top_k": 0}, "top_k: Input should be greater"),
        ({"samples": 1, "top_p": 0}, "top_p: Input should be greater"),
        ({"samples": 1, "top_p": 1.1}, "top_p: Input should be less"),
        ({"samples": 1, "seed": -1}, "seed: Input should be greater"),
        ({"samples": 1, "seed": 2**32}, "seed: Input should be less"),
    ],
)
def test_wrong_options_are_refused_by_name(options: dict[str, Any], problem: str) -> None:
    with pytest.raises(ConfigError) as caught:
        validate(options, SearchOptions, where="request")
    assert str(caught.value).startswith("request: ")
    assert problem in str(caught.value)


def test_several_wrong_options_are_named_together() -> None:
    with pytest.raises(ConfigError, match=r"beam_size: .*; min_length: "):
        validate({"beam_size": 0, "min_length": -1}, SearchOptions, where="request")


def test_required_terms_need_more_candidates_than_preferred_ones() -> None:
    required = SearchOptions(beam_size=3, terms=((4, 5),))
    assert (required.requires_terms, required.candidates) == (True, 6)
    preferred = SearchOptions(beam_size=3, terms=((4, 5),), term_bias=2.0)
    assert (preferred.requires_terms, preferred.candidates) == (False, 3)
    assert not SearchOptions().requires_terms
