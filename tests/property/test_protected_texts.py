"""Two thousand generated texts: whatever the model babbles, what must survive does."""

import pytest

from mt.beam_search import SearchOptions
from mt.stepper import Stepper
from serving.text.text_options import TextOptions
from tests.app_client import over
from tests.babbling_stepper import BabblingStepper
from tests.fake_bundle import fake_bundle
from tests.fakes import EchoStepper
from tests.protected_texts import TERMS, cases

SEARCH = SearchOptions(beam_size=1, max_length=12)


def stepper_of(kind: str, vocab_size: int) -> Stepper:
    if kind == "echo":
        return EchoStepper(vocab_size)
    return BabblingStepper(7, vocab_size, attentive=kind == "attentive")


@pytest.mark.parametrize(
    ("kind", "byte_fallback", "count", "options"),
    [
        ("attentive", False, 800, {}),
        ("attentive", True, 400, {"split_sentences": "punctuation"}),
        ("attentive", True, 200, {"split_sentences": "off", "guards": False}),
        ("blind", True, 400, {}),
        ("echo", True, 200, {}),
    ],
)
def test_nothing_protected_is_lost(
    kind: str, byte_fallback: bool, count: int, options: dict[str, object]
) -> None:
    bundle = fake_bundle(byte_fallback, max_source_tokens=30)
    stepper = stepper_of(kind, bundle.tokenizer.vocab_size)
    wishes = TextOptions.model_validate({"do_not_translate": TERMS} | options)
    given = cases(seed=count, count=count)
    with over(bundle, stepper) as translator:
        answers = translator.translate([case.text for case in given], SEARCH, None, wishes)
    broken = [
        (case.text, answer.text, case.broken(answer.text))
        for case, answer in zip(given, answers, strict=True)
        if case.broken(answer.text)
    ]
    assert broken == []
    assert not any("has lost" in warning for answer in answers for warning in answer.warnings)


def test_the_check_sees_what_is_broken() -> None:
    [case] = [case for case in cases(seed=3, count=40) if len(case.kept) == 2 and case.numbers][:1]
    assert case.broken(case.text) == []
    assert case.broken("") == [*dict.fromkeys(case.kept), *dict.fromkeys(case.numbers)]
