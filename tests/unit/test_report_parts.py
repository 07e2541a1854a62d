"""Parts of a report: figures as text, tables, headlines, marked words."""

from typing import Literal

import pytest

from tests.fake_comparison import BUDGETS
from training.compare.outcome import Contrast, Estimate, ViewName
from training.compare.report import charts
from training.compare.report.headlines import headlines
from training.compare.report.numbers import (
    difference,
    estimate,
    number,
    p_value,
    percent,
    scaled,
    signed,
)
from training.compare.report.page import marked
from training.compare.report.picture import Picture, Row
from training.compare.report.tables import Table, plain, word


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [(35.14, 1, "35.1"), (-0.26, 1, "−0.3"), (-0.04, 1, "0.0"), (12345.0, 0, "12,345")],
)
def test_numbers(value: float, digits: int, text: str) -> None:
    assert number(value, digits) == text


@pytest.mark.parametrize(
    ("value", "text"), [(0.26, "+0.3"), (-0.26, "−0.3"), (0.04, "0.0"), (0.0, "0.0")]
)
def test_signs(value: float, text: str) -> None:
    assert signed(value) == text


def test_figures_carry_their_intervals() -> None:
    found = Estimate(value=0.125, low=-0.05, high=0.25)
    assert estimate(found, 2) == "0.12 (−0.05 to 0.25)"
    assert difference(found, 2) == "+0.12 (−0.05 to +0.25)"
    assert percent(found) == "12.5 % (−5.0 to 25.0)"


def test_p_values_and_large_figures() -> None:
    assert [p_value(p) for p in (0.0004, 0.0116, 1.0)] == ["< 0.001", "0.012", "1.000"]
    assert [scaled(x) for x in (12.34, 5600, 6e6, 7.5e9, 2.4e14)] == [
        *("12.3", "5.6 k", "6.0 M"),
        *("7.5 G", "2.4e14"),
    ]


def test_markdown_prints_text_as_it_is() -> None:
    assert plain("a|b *c* <i>\nd & e") == r"a\|b \*c\* \<i\> d &amp; e"
    table = Table("t", "T", ("a", "n"), [[word("x|y"), ("1.0", 1.0)]], frozenset({1}))
    assert table.markdown() == "| a | n |\n| --- | ---: |\n| x\\|y | 1.0 |"


def test_words_that_the_reference_lacks_are_marked() -> None:
    parts = list(marked("The dog, the dog barks.", "the dog, a cat."))
    assert "".join(part for part, _ in parts) == "The dog, the dog barks."
    assert [part for part, strange in parts if strange] == ["the", "dog", "barks"]  # once is right
    assert list(marked("", "a")) == []
    assert list(marked(" a ", "a")) == [(" ", False), ("a", False), (" ", False)]


def test_csv_holds_the_rows_of_a_picture() -> None:
    rows: list[Row] = [{"system": 'a "b", c', "value": 1.5}, {"system": "d", "value": None}]
    picture = Picture("p", "P", rows, {}, "", "", "")
    assert picture.csv() == 'system,value\n"a ""b"", c",1.5\nd,\n'
    assert picture.specification("container")["width"] == "container"
    assert picture.specification()["data"] == {"values": rows}


def contrast(
    view: ViewName,
    value: float,
    better: Literal["first", "second", "neither"],
    pair: tuple[str, str] = ("a", "b"),
) -> Contrast:
    found = Estimate(value=value, low=value - 1, high=value + 1)
    return Contrast(
        first=pair[0],
        second=pair[1],
        data="all",
        view=view,
        test_set="test",
        metric="BLEU",
        difference=found,
        p=0.01,
        p_holm=0.01,
        hedges_g=None,
        superiority=found,
        single_seed=(),
        better=better,
        verdict="",
    )


def test_one_sentence_tells_a_pair_over_all_budgets() -> None:
    found = headlines(
        [
            contrast("tokens", -2.0, "first"),
            contrast("minutes", -3.0, "first"),
            contrast("flops", 0.5, "neither"),
        ],
        ["a", "b"],
        BUDGETS,
    )
    assert found == [
        "On test, a is better than b after 6,000,000 target tokens by 2.0 BLEU (1.0 to 3.0) and "
        "after 90 minutes by 3.0 BLEU (2.0 to 4.0); neither of a and b is shown to be better after "
        "2.4e14 FLOPs (b less a: +0.5, −0.5 to +1.5 BLEU)."
    ]


def test_each_budget_may_have_its_winner() -> None:
    contrasts = [contrast("tokens", -2.0, "first"), contrast("flops", 2.0, "second")]
    (found,) = headlines(contrasts, ["a", "b"], BUDGETS)
    assert "a is better than b after 6,000,000 target tokens" in found
    assert "b is better than a after 2.4e14 FLOPs" in found


def test_a_clear_interval_that_the_correction_takes_away_is_explained() -> None:
    taken = contrast("tokens", -2.0, "neither").model_copy(update={"p_holm": 0.084})
    (found,) = headlines([taken], ["a", "b"], BUDGETS)
    assert "−3.0 to −1.0 BLEU, yet p = 0.084 once corrected for the number of tests)" in found


def test_of_many_systems_each_is_told_against_the_first() -> None:
    pairs = [("a", "b"), ("a", "c"), ("b", "c"), ("a", "d"), ("b", "d"), ("c", "d")]
    contrasts = [contrast("tokens", 1.0, "neither", pair) for pair in pairs]
    assert len(headlines(contrasts, list("abcd"), BUDGETS)) == 3
    assert len(headlines(contrasts[:3], list("abc"), BUDGETS)) == 3


def test_every_system_can_be_told_apart_without_colour() -> None:
    assert len(set(charts.SHAPES)) == len(set(charts.COLOURS)) == len(charts.DASHES) == 7
    assert "stroke" not in charts.SHAPES  # a line without an area: our points have no outline
