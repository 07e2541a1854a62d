"""The line before the batch: order, budget, leaving, and how long it takes."""

import math

from mt.search_options import SearchOptions
from mt.stepper import Footprint
from serving.running.waiting_line import Load, Room, Sentence, WaitingLine

MANY = 10_000


def sentence(rows: int, deadline: float = math.inf, tokens: int = 2) -> Sentence:
    return Sentence([5] * tokens, SearchOptions(beam_size=rows), deadline)


OTHERS = [sentence(1)]
"""Who run already."""


def line_of(*sentences: Sentence) -> WaitingLine:
    line = WaitingLine()
    line.join(sentences)
    return line


def test_as_many_enter_as_fit() -> None:
    first, second, third = (sentence(4) for _ in range(3))
    line = line_of(first, second, third)
    assert line.take(Room(9, MANY), OTHERS) == [first, second]
    assert len(line) == 1


def test_bytes_are_those_of_tensors_as_long_as_the_longest() -> None:
    short = Sentence([5] * 2, SearchOptions(beam_size=1), math.inf, longest=10)
    long = Sentence([5] * 20, SearchOptions(beam_size=3), math.inf, longest=50)
    load = Load().beside(short).beside(long).beside(short)
    assert load == Load(sentences=3, source_tokens=20, entries=150)
    assert load.bytes(Footprint(source_token=7, entry=100)) == 3 * (20 * 7 + 150 * 100)


def test_bytes_are_a_budget_too() -> None:
    first, second, third = (
        Sentence([5] * 4, SearchOptions(beam_size=1), math.inf, longest=10) for _ in range(3)
    )
    line = line_of(first, second, third)
    footprint = Footprint(source_token=5, entry=8)  # 100 bytes a sentence
    assert line.take(Room(9, MANY, 299, footprint), OTHERS) == [first]  # with one that runs
    assert line.take(Room(9, MANY, 199, footprint), [first, second]) == []
    assert line.take(Room(9, MANY, 99, footprint)) == [second]  # too large, but alone
    assert line.take(Room(9, MANY, 100, footprint)) == [third]


def test_rows_are_those_of_who_waits() -> None:
    first, second, third = sentence(4), sentence(2), sentence(1)
    line = line_of(first, second, third)
    assert line.rows == 7
    line.take(Room(4), OTHERS)
    assert line.rows == 3
    line.remove(lambda one: one is third)
    assert line.rows == 2
    line.clear()
    assert (line.rows, len(line)) == (0, 0)
    assert line.take(Room(9)) == []


def test_a_wide_one_at_the_head_is_not_overtaken() -> None:
    wide, narrow = sentence(8), sentence(1)
    line = line_of(wide, narrow)
    assert line.take(Room(7, MANY), OTHERS) == []
    assert line.take(Room(8, MANY), OTHERS) == [wide]


def test_one_wider_than_the_batch_enters_alone() -> None:
    wide, narrow = sentence(8), sentence(1)
    line = line_of(narrow, wide, sentence(1))
    assert line.take(Room(4, MANY)) == [narrow]
    assert line.take(Room(3, MANY), OTHERS) == []
    assert line.take(Room(4, MANY)) == [wide]


def test_newcomers_are_encoded_a_few_at_a_time() -> None:
    short, other, last = (sentence(1, tokens=3) for _ in range(3))
    long = sentence(1, tokens=50)
    line = line_of(short, other, long, last)
    assert line.take(Room(9, 6), OTHERS) == [short, other]
    assert line.take(Room(9, 6), OTHERS) == [long]  # longer than allowed: by itself
    assert line.take(Room(9, 6), OTHERS) == [last]


def test_padding_counts_as_tokens() -> None:
    line = line_of(sentence(1, tokens=2), sentence(1, tokens=5))
    assert len(line.take(Room(9, 9), OTHERS)) == 1


def test_those_of_like_length_enter_together() -> None:
    oldest, long, alike, short = (sentence(1, tokens=n) for n in (10, 40, 11, 3))
    line = line_of(oldest, long, alike, short)
    assert line.take(Room(3, MANY), OTHERS) == [oldest, alike, short]
    assert line.take(Room(3, MANY), OTHERS) == [long]


def test_nobody_overtakes_one_that_has_waited_too_long() -> None:
    oldest, long, alike = (sentence(1, tokens=n) for n in (10, 40, 10))
    for age, one in enumerate((oldest, long, alike)):
        one.joined = float(age)
    line = line_of(oldest, long, alike)
    assert line.take(Room(2, MANY), OTHERS, overdue_before=1.5) == [oldest, long]


def test_an_overdue_one_that_does_not_fit_keeps_others_out() -> None:
    oldest, wide, alike = sentence(1), sentence(8), sentence(1)
    oldest.joined, wide.joined, alike.joined = 0.0, 1.0, 2.0
    line = line_of(oldest, wide, alike)
    assert line.take(Room(4, MANY), OTHERS, overdue_before=1.5) == [oldest]
    assert line.take(Room(4, MANY), OTHERS, overdue_before=1.5) == []
    assert line.take(Room(8, MANY), OTHERS, overdue_before=1.5) == [wide]


def test_everyone_enters_in_the_end() -> None:
    """Under a stream of newcomers that always suit better."""
    odd = sentence(1, tokens=50)
    line = line_of(sentence(1, tokens=5), odd)
    entered = []
    for _ in range(2):
        line.join([sentence(1, tokens=5), sentence(1, tokens=5)])
        entered += line.take(Room(1, MANY), OTHERS)
    assert odd in entered


def test_leaving_keeps_the_order_of_the_others() -> None:
    sentences = [sentence(1, deadline) for deadline in (1.0, math.inf, 3.0, 2.0)]
    line = line_of(*sentences)
    assert line.remove(lambda s: s.left(2.0)) == [sentences[0], sentences[3]]
    assert line.clear() == [sentences[1], sentences[2]]
    assert len(line) == 0


def test_cancelled_and_late_have_left() -> None:
    cancelled, late, waiting = sentence(1), sentence(1, 5.0), sentence(1, 5.1)
    cancelled.future.cancel()
    assert [s.left(5.0) for s in (cancelled, late, waiting)] == [True, True, False]


def test_an_outcome_reaches_only_who_still_wants_it() -> None:
    wanted, failed, cancelled = (sentence(1) for _ in range(3))
    cancelled.future.cancel()
    assert wanted.resolve([])
    assert failed.resolve(ValueError("no"))
    assert not cancelled.resolve([])
    assert wanted.future.result() == []
    assert isinstance(failed.future.exception(), ValueError)


def test_samples_reserve_a_row_each() -> None:
    assert Sentence([5], SearchOptions(samples=3), math.inf).rows == 3
