"""Texts as parts: what the model reads of each, and that nothing is lost or doubled."""

import pytest

from serving.text.protected_spans import ProtectedSpan
from serving.text.text_plan import Planner, TextPlan, is_foreign
from tests.fake_bundle import fake_bundle
from tests.protected_texts import cases


def planner(max_source_tokens: int = 64, byte_fallback: bool = False) -> Planner:
    bundle = fake_bundle(byte_fallback, max_source_tokens=max_source_tokens)
    return Planner(bundle.tokenizer, bundle.manifest)


def whole(plan: TextPlan) -> str:
    return "".join(part.segment.sentence + part.segment.gap for part in plan.parts)


def test_what_the_tokenizer_cannot_write_is_replaced_at_once() -> None:
    [part] = planner().plan("Jane has 2 {a} dogs.").parts  # it knows no brace
    assert part.reading.text == "Jane has 2 homme dogs."
    [part] = planner(byte_fallback=True).plan("Jane has 2 {a} dogs.").parts
    assert part.reading.text == "Jane has 2 {a} dogs."
    strict = planner(byte_fallback=True).without_spans(part)
    assert strict is not None
    assert strict.reading.text == "Jane has 2 homme dogs."
    assert planner().without_spans(strict) is None


def test_markers_are_always_replaced() -> None:
    span = ProtectedSpan(5, 6, "symbol")
    [part] = planner(byte_fallback=True).plan("Jane \U000f0000 sleeps", given=[span]).parts
    assert part.reading.text == "Jane  sleeps"


def test_what_is_protected_alone_is_passed_through() -> None:
    plan = planner().plan("{a} 12: b@c.de!")
    assert plan.translated == []
    assert not is_foreign(plan.parts)
    assert is_foreign(planner().plan("{a} 日本").parts)


@pytest.mark.parametrize("max_tokens", [8, 12, 20])
@pytest.mark.parametrize("byte_fallback", [False, True])
def test_parts_are_the_text_with_each_slot_in_one_of_them(
    max_tokens: int, byte_fallback: bool
) -> None:
    own = planner(max_tokens, byte_fallback)
    for case in cases(seed=max_tokens, count=150):
        text = case.text.replace("\n", " ") + " \U000f0001\U000f0002<b></b> x"
        at = text.index("\U000f0001")
        marks = [ProtectedSpan(at + i, at + i + 1, "symbol") for i in range(2)]
        plan = own.plan(text, given=marks)
        assert " ".join(whole(plan).split()) == " ".join(text.split())
        for part in plan.parts:
            for slot in part.reading.slots:
                assert part.segment.sentence[slice(*slot.original)] == slot.verbatim
                assert 0 <= slot.span[0] <= slot.span[1] <= len(part.reading.text)
            assert part.src_ids is None or len(part.src_ids) <= max_tokens
