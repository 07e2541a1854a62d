from typing import Any

import pytest

from training.corpora.cleaning import CleaningConfig, CleaningReport, Reason, clean
from training.corpora.pair import Pair
from training.corpora.scripts import Script, share_in_script


def reason_for(pair: Pair, **settings: Any) -> Reason | None:
    report = CleaningReport()
    kept = list(clean([pair], CleaningConfig(**settings), report))
    lost = [reason for reason, dropped in report.dropped.items() if dropped.count]
    assert report.read == 1
    assert len(kept) == report.kept == 1 - len(lost)
    return lost[0] if lost else None


@pytest.mark.parametrize("pair", [Pair("", "b"), Pair("a", " \t"), Pair("\u00a0", "b")])
def test_blank_side(pair: Pair) -> None:
    assert reason_for(pair) is Reason.EMPTY


def test_longest_allowed_and_one_more() -> None:
    assert reason_for(Pair("a b c", "x y z"), max_words=3) is None
    assert reason_for(Pair("a b c", "w x y z"), max_words=3) is Reason.TOO_LONG
    assert reason_for(Pair("abc", "xyz"), max_chars=3) is None
    assert reason_for(Pair("abcd", "xyz"), max_chars=3) is Reason.TOO_LONG


def test_length_ratio_counts_characters_both_ways() -> None:
    assert reason_for(Pair("ab", "x" * 8), max_length_ratio=4) is None
    assert reason_for(Pair("ab", "x" * 9), max_length_ratio=4) is Reason.LENGTH_RATIO
    assert reason_for(Pair("x" * 9, "ab"), max_length_ratio=4) is Reason.LENGTH_RATIO


def test_copied_source() -> None:
    assert reason_for(Pair("same ", " same")) is Reason.COPIED_SOURCE
    assert reason_for(Pair("same", "same"), drop_copies=False) is None


def test_wrong_script_on_either_side() -> None:
    pair = Pair("a red house", "красный дом")
    assert reason_for(pair, source_script="Latin", target_script="Cyrillic") is None
    assert reason_for(pair, target_script="Latin") is Reason.WRONG_SCRIPT
    assert reason_for(pair, source_script="Greek") is Reason.WRONG_SCRIPT
    assert reason_for(pair) is None


@pytest.mark.parametrize(
    ("text", "script", "share"),
    [
        ("Grüße, 42!", "Latin", 1.0),
        ("Москва is big", "Cyrillic", 6 / 11),
        ("北京 is", "Han", 0.5),
        ("東京タワーへ", "Japanese", 1.0),
        ("東京タワーへ", "Han", 2 / 6),
        ("ＡＢ", "Latin", 1.0),  # full width
        ("Ωμέγα", "Greek", 1.0),
        ("مرحبا", "Arabic", 1.0),
        ("대한", "Hangul", 1.0),
        ("42 + 1 = ?", "Thai", 1.0),  # no letters, no evidence
    ],
)
def test_share_of_letters_in_a_script(text: str, script: Script, share: float) -> None:
    assert share_in_script(text, script) == pytest.approx(share)


def test_duplicates_are_pairs_seen_before_not_sides() -> None:
    pairs = [Pair("a", "x"), Pair("a", "y"), Pair(" a", "x "), Pair("a", "x")]
    report = CleaningReport()
    assert list(clean(pairs, CleaningConfig(), report)) == pairs[:2]
    assert report.dropped[Reason.DUPLICATE].count == 2
    assert report.dropped[Reason.DUPLICATE].first == [3, 4]
    assert list(clean(pairs, CleaningConfig(drop_duplicates=False)))[2:] == [Pair("a", "x")] * 2


def test_report_counts_reasons_and_names_the_first_places() -> None:
    pairs = [Pair("", "x")] * 7 + [Pair("copy", "copy"), Pair("good", "gut")]
    report = CleaningReport()
    assert list(clean(pairs, CleaningConfig(), report)) == [Pair("good", "gut")]
    assert report.lines() == [
        "read 9 pairs, kept 1",
        "dropped 7: empty (pair 1, 2, 3, 4, 5, ...)",
        "dropped 1: copied source (pair 8)",
    ]


def test_cleaning_streams() -> None:
    def endless() -> Any:
        number = 0
        while True:
            number += 1
            yield Pair(f"source {number}", f"target {number}")

    assert next(clean(endless(), CleaningConfig())) == Pair("source 1", "target 1")
