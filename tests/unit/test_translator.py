"""Text in, text out: layout, order, candidates, pass-through, refusals, deadlines, cancelling."""

import asyncio
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

from mt.beam_search import SearchOptions, search
from mt.errors import (
    DeadlineError,
    EngineError,
    InputError,
    OverloadedError,
    UnavailableError,
)
from mt.stepper import Stepper
from mt.tokenizer import EOS_ID
from serving.settings import OFFLINE, EngineSettings, Limits
from serving.text.text_options import TextOptions
from serving.translation import Candidate
from serving.translator import Translator
from tests.app_client import over
from tests.fake_bundle import fake_bundle, small_tokenizer
from tests.fakes import CheckedStepper, EchoStepper, Floats, TableStepper
from tests.gated_stepper import PATIENCE_S, GatedStepper

VOCAB_SIZE = small_tokenizer().vocab_size
GREEDY = SearchOptions(beam_size=1)


@contextmanager
def opened(
    stepper: Stepper | None = None, limits: Limits = OFFLINE, engine: Any = None, **facts: Any
) -> Iterator[Translator]:
    """A translator of the fake bundle; by default it says its source back."""
    settings = EngineSettings.model_validate(engine or {})
    bundle = fake_bundle(**facts)
    stepper = stepper or EchoStepper(bundle.tokenizer.vocab_size)
    with over(bundle, stepper, settings, limits) as translator:
        try:
            yield translator
        finally:
            if isinstance(stepper, GatedStepper):
                stepper.open()
    assert "engine fake" not in {thread.name for thread in threading.enumerate()}


def translate_one(translator: Translator, text: str, **options: Any) -> str:
    [translation] = translator.translate([text], SearchOptions(beam_size=1, **options))
    return translation.text


def test_answers_come_in_the_order_of_the_texts() -> None:
    texts = ["Hello world.", "a", "", "Jane visits Africa. The lazy dog jumps over."]
    with opened(engine={"max_rows": 2}) as translator:
        assert [one.text for one in translator.translate(texts)] == texts


@pytest.mark.parametrize("text", ["", " ", "\n", " \r\n\t\n", "\u00a0", "\u3000"])
def test_blank_text_comes_back_as_it_is(text: str) -> None:
    with opened() as translator:
        [translation] = translator.translate([text])
        assert translation.text == text
        assert translation.candidates == (Candidate(text, 0.0),)
        assert translation.sentences == ()
        assert translator.engine.stats().done == 0


def test_layout_is_kept() -> None:
    text = "  Hello world.  Jane visits Africa!\r\n\r\n\tThe dog. \n"
    with opened() as translator:
        assert translate_one(translator, text) == text
        assert translator.engine.stats().done == 3


def test_no_texts_no_translations() -> None:
    with opened() as translator:
        assert translator.translate([]) == []


def test_long_sentences_are_cut_and_joined() -> None:
    text = "the quick brown fox jumps, " * 20 + "over the dog"
    with opened(max_source_tokens=24) as translator:
        [translation] = translator.translate([text], GREEDY)
        assert translation.text == text
        assert len(translation.sentences) > 10
        longest = max(len(sentence.hypotheses[0].pieces) for sentence in translation.sentences)
        assert longest < 24


def test_a_long_word_is_cut_and_joined_without_space() -> None:
    with opened(max_source_tokens=24) as translator:
        assert translate_one(translator, "Jane" * 100) == "Jane" * 100


def test_sentences_without_words_are_passed_through() -> None:
    with opened() as translator:
        [translation] = translator.translate(["Hello world.\n?! \n -- \n 日本。 Jane!"], GREEDY)
        assert translation.text == "Hello world.\n?! \n -- \n 日本。 Jane!"
        passed = [one.hypotheses[0].text for one in translation.sentences if not one.translated]
        assert passed == ["?!", "--", "日本。"]
        assert translator.engine.stats().done == 2


@pytest.mark.parametrize(
    "text",
    [
        "😀",
        "👍🏽 ☀️\n😀",
        "?!\t…",
        "12,5 % - 3",
        "10:30",
        "\U0010fffd",
        "{name}: %d",
        "a@b.org",
        "① ½",
    ],
)
def test_what_has_no_words_comes_back_untouched(text: str) -> None:
    with opened(TableStepper(seed=1, vocab_size=VOCAB_SIZE)) as translator:
        assert translate_one(translator, text) == text
        assert translator.engine.stats().done == 0


@pytest.mark.parametrize("byte_fallback", [False, True])
@pytest.mark.parametrize("text", ["日本語。", "日本 12 😀", "{name} 日本語"])
def test_a_text_of_which_nothing_is_known_is_refused(text: str, byte_fallback: bool) -> None:
    with opened(byte_fallback=byte_fallback) as translator:
        with pytest.raises(InputError, match=r"^texts\[1\]: the model knows none of its char"):
            translator.translate(["Hello.", text])
        assert translator.engine.stats().done == 0


def test_one_bad_text_refuses_the_request_before_any_work() -> None:
    with opened(limits=Limits(max_text_chars=20)) as translator:
        with pytest.raises(InputError, match=r"^texts\[1\]: 21 characters"):
            translator.translate(["Hello.", "a" * 21])
        with pytest.raises(InputError, match=r"^texts\[0\]: control character"):
            asyncio.run(translator.translate_async(["a\x00"]))
        with pytest.raises(InputError, match="beam_size is 17"):
            translator.translate(["Hello."], SearchOptions(beam_size=17))
        assert translator.engine.stats().steps == 0


def test_candidates_join_the_ith_best_of_every_sentence() -> None:
    stepper = TableStepper(seed=5, vocab_size=VOCAB_SIZE, peak=3.0)
    options = SearchOptions(beam_size=4, n_best=3, max_length=6)
    with opened(stepper) as translator:
        [translation] = translator.translate(["Hello. \n?!\nJane visits Africa."], options)
    first, _, last = translation.sentences
    assert len(translation.candidates) == 3
    for i, candidate in enumerate(translation.candidates):
        assert candidate.text == f"{first.hypotheses[i].text} \n?!\n{last.hypotheses[i].text}"
        assert candidate.score == first.hypotheses[i].score + last.hypotheses[i].score
    assert translation.text == translation.candidates[0].text


def test_served_hypotheses_are_those_of_the_offline_search() -> None:
    texts = ["Hello world.", "Jane visits Africa.", "The dog", "a b c d", "quick fox"] * 4
    tokenizer = small_tokenizer()
    options = SearchOptions(beam_size=3, n_best=2, max_length=8, attention=True)
    stepper = TableStepper(seed=2, vocab_size=VOCAB_SIZE, peak=3.0)
    with opened(stepper, engine={"max_rows": 16}) as translator, ThreadPoolExecutor(4) as pool:
        jobs = [pool.submit(translator.translate, [text], options) for text in texts]
        served = [job.result(PATIENCE_S)[0].sentences[0].hypotheses for job in jobs]
    reference = TableStepper(seed=2, vocab_size=VOCAB_SIZE, peak=3.0)
    sources = [tokenizer.encode_source(text) for text in texts]
    offline = search(reference, sources, options, max_target_tokens=64)
    for ours, theirs in zip(served, offline, strict=True):
        assert [one.score for one in ours] == [one.score for one in theirs]
        assert [one.pieces for one in ours] == [tuple(tokenizer.pieces(h.ids)) for h in theirs]
        assert [list(one.token_log_probs) for one in ours] == [h.token_log_probs for h in theirs]


def test_where_sentences_and_words_stand() -> None:
    text = " Jane visits Africa.\nHello  world!"
    with opened() as translator:
        [translation] = translator.translate([text], SearchOptions(beam_size=2, attention=True))
    out = translation.text
    assert out == " Jane visits Africa.\nHello world!"
    assert [text[slice(*one.source)] for one in translation.sentences] == [
        "Jane visits Africa.",
        "Hello  world!",
    ]
    assert [out[slice(*one.target)] for one in translation.sentences] == [
        "Jane visits Africa.",
        "Hello world!",
    ]
    pairs = [(text[slice(*p.source)], out[slice(*p.target)]) for p in translation.alignment]
    words = ["Jane", "visits", "Africa", ".", "Hello", "world", "!"]
    assert pairs == [(word, word) for word in words]


def test_no_alignment_unless_asked_for() -> None:
    with opened() as translator:
        assert translator.translate(["Hello."], GREEDY)[0].alignment == ()


def test_tokens_are_counted_without_eos() -> None:
    tokens = len(small_tokenizer().encode("Hello world."))
    with opened() as translator:
        [translation] = translator.translate(["Hello world.\n!!"], GREEDY)
    assert (translation.source_tokens, translation.output_tokens) == (tokens, tokens)


def test_more_sentences_than_the_queue_holds_are_fed_in_turn() -> None:
    with opened(engine={"max_waiting": 2, "max_rows": 4}) as translator:
        texts = ["Hello world."] * 30
        assert [one.text for one in translator.translate(texts, GREEDY)] == texts


def test_an_event_loop_is_refused_at_once_where_there_is_no_room() -> None:
    stepper = GatedStepper(VOCAB_SIZE)
    with opened(stepper, engine={"max_waiting": 2, "max_rows": 1}) as translator:

        async def crowd() -> None:
            jobs = [
                asyncio.create_task(translator.translate_async(["Hello."], GREEDY)),
                asyncio.create_task(translator.translate_async(["Jane."], GREEDY)),
            ]
            await asyncio.to_thread(stepper.wait_until_asked)
            with pytest.raises(OverloadedError):
                await translator.translate_async(["A dog.", "A fox."], GREEDY)
            with pytest.raises(InputError, match="3 sentences, at most 2 in one request"):
                await translator.translate_async(["a", "b", "c"], GREEDY)
            stepper.open()
            answers = await asyncio.gather(*jobs)
            assert [one.text for [one] in answers] == ["Hello.", "Jane."]

        asyncio.run(crowd())


def test_long_requests_are_prepared_off_the_event_loop() -> None:
    text = "Hello world. " * 400
    with opened() as translator:
        [translation] = asyncio.run(translator.translate_async([text], GREEDY))
        assert translation.text == text


def test_a_cancelled_request_frees_all_its_rows() -> None:
    stepper = GatedStepper(VOCAB_SIZE)
    with opened(stepper) as translator:

        async def leave() -> None:
            job = asyncio.create_task(translator.translate_async(["Hello. Jane.", "a"], GREEDY))
            await asyncio.to_thread(stepper.wait_until_asked)
            job.cancel()
            with pytest.raises(asyncio.CancelledError):
                await job

        asyncio.run(leave())
        stepper.allow()
        assert translator.engine.drain(PATIENCE_S)
        assert stepper.running == {}
        assert translator.engine.stats().cancelled == 3


@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_failing_sentence_fails_its_request_and_frees_the_rest(asynchronous: bool) -> None:
    poison = small_tokenizer().encode("z")[-1]
    stepper = GatedStepper(VOCAB_SIZE, open_gate=True, poison=[poison])
    with opened(stepper) as translator:
        with pytest.raises(EngineError):
            translate(translator, ["Hello world.", "z"], asynchronous)
        assert translate(translator, ["Hello world."], asynchronous) == ["Hello world."]
        assert translator.engine.drain(PATIENCE_S)
        assert stepper.running == {}


@pytest.mark.parametrize("asynchronous", [False, True])
def test_the_deadline_holds_even_where_a_step_hangs(asynchronous: bool) -> None:
    stepper = GatedStepper(VOCAB_SIZE)
    with opened(stepper, Limits(deadline_s=0.05)) as translator:
        with pytest.raises(DeadlineError):
            translate(translator, ["Hello world."], asynchronous)
        stepper.open()
        assert translator.engine.drain(PATIENCE_S)
        assert translator.engine.stats().done == 0


@pytest.mark.parametrize(("limit", "own"), [(600.0, 0.02), (0.02, 600.0), (None, 0.02)])
def test_a_caller_may_shorten_the_deadline_and_not_lengthen_it(
    limit: float | None, own: float
) -> None:
    stepper = GatedStepper(VOCAB_SIZE)
    with opened(stepper, Limits(deadline_s=limit)) as translator, pytest.raises(DeadlineError):
        translator.translate(["Hello."], GREEDY, own)


def translate(translator: Translator, texts: Sequence[str], asynchronous: bool) -> list[str]:
    if asynchronous:
        answers = asyncio.run(translator.translate_async(texts, GREEDY))
    else:
        answers = translator.translate(texts, GREEDY)
    return [answer.text for answer in answers]


def test_a_closed_translator_says_so() -> None:
    with opened() as translator:
        assert translator.ready
        translator.close()
        assert not translator.ready
        with pytest.raises(UnavailableError):
            translator.translate(["Hello."])


class LoopingStepper(CheckedStepper):
    """Says one word for ever, and would rather stop than say another; fails from a step on."""

    word = 9

    def __init__(self, fail_after: int | None = None) -> None:
        super().__init__(VOCAB_SIZE)
        self.fail_after = fail_after

    def distribution(self, src: Sequence[int], prefix: Sequence[int]) -> Floats:
        if self.fail_after is not None and self.steps > self.fail_after:
            raise EngineError("the fake model failed")
        log_probs = np.full(VOCAB_SIZE, -20, np.float32)
        log_probs[[self.word, EOS_ID]] = [-0.1, -5]
        return log_probs


@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_loop_is_searched_once_more_without_repeats(asynchronous: bool) -> None:
    with opened(LoopingStepper()) as translator:
        assert translate(translator, ["Hello world.\n?"], asynchronous) == [
            small_tokenizer().decode([9] * 3) + "\n?"
        ]
        assert translator.translate(["Hello world."], GREEDY)[0].warnings == ()
        assert translator.engine.drain(PATIENCE_S)
        assert translator.engine.stats().done == 4


@pytest.mark.parametrize("asynchronous", [False, True])
def test_where_the_second_try_fails_the_first_stands_with_a_warning(asynchronous: bool) -> None:
    tokens = 2 * len(small_tokenizer().encode_source("Hello world.")) + 10
    with opened(LoopingStepper(fail_after=tokens)) as translator:
        [text] = translate(translator, ["Hello world."], asynchronous)
        assert text == small_tokenizer().decode([9] * tokens)
        assert translator.engine.drain(PATIENCE_S)
        assert translator.engine.stats().failed == 1


def test_without_guards_there_is_one_try_and_a_warning() -> None:
    with opened(LoopingStepper()) as translator:
        unguarded = TextOptions(guards=False)
        [translation] = translator.translate(["?\nHello world."], GREEDY, None, unguarded)
        assert translator.engine.drain(PATIENCE_S)
        assert translator.engine.stats().done == 1
    assert translation.warnings == (
        "sentence 2 repeats itself",
        "sentence 2 was cut off at the longest length allowed",
    )


def test_samples_are_what_they_are() -> None:
    with opened(LoopingStepper()) as translator:
        translator.translate(["Hello world."], SearchOptions(samples=2))
        assert translator.engine.drain(PATIENCE_S)
        assert translator.engine.stats().done == 1


def test_what_the_model_cannot_write_is_put_where_its_stand_in_was() -> None:
    text = "Jane visits {name} in 2 parks.\nSee b@c.de."
    with opened(byte_fallback=False) as translator:
        [translation] = translator.translate([text], SearchOptions(beam_size=2, attention=True))
    assert translation.text == text
    pairs = [
        (text[slice(*pair.source)], translation.text[slice(*pair.target)])
        for pair in translation.alignment
    ]
    assert ("{name}", "{name}") in pairs
    assert all(source == target for source, target in pairs)


def test_terms_are_kept() -> None:
    options = TextOptions(do_not_translate=("small test", "Jane"))
    search = SearchOptions(beam_size=1, max_length=8)
    with opened(TableStepper(seed=1, vocab_size=VOCAB_SIZE)) as translator:
        [translation] = translator.translate(["Jane, a small test."], search, None, options)
    assert "Jane" in translation.text
    assert "small test" in translation.text
    assert translation.warnings == ()


class AddsStops(EchoStepper):
    """Ends whatever it says back with a full stop."""

    def distribution(self, src: Sequence[int], prefix: Sequence[int]) -> Floats:
        return super().distribution(
            [*src[:-1], *small_tokenizer().encode(".")[-1:], EOS_ID], prefix
        )


@pytest.mark.parametrize(
    ("text", "plain", "preserved"),
    [
        ("Hello world", "Hello world.", "Hello world"),
        ("Hello world!\nJane", "Hello world!.\nJane.", "Hello world!.\nJane"),
    ],
)
def test_no_full_stop_is_added_where_formatting_is_to_be_kept(
    text: str, plain: str, preserved: str
) -> None:
    with opened(AddsStops(VOCAB_SIZE)) as translator:
        assert translate_one(translator, text) == plain
        wishes = TextOptions(preserve_formatting=True)
        [translation] = translator.translate([text], SearchOptions(attention=True), None, wishes)
        assert translation.text == preserved
        assert max(pair.target[1] for pair in translation.alignment) <= len(preserved)


def test_parts_of_a_long_sentence_do_not_end_with_stops_of_their_own() -> None:
    text = "the quick brown fox jumps over the lazy dog"
    with opened(AddsStops(VOCAB_SIZE), max_source_tokens=24) as translator:
        assert translate_one(translator, text) == f"{text}."


@pytest.mark.parametrize("text", ["the quick brown fox etc. jumps over the lazy dog", "a." * 40])
def test_parts_of_a_long_sentence_keep_the_stops_that_they_have(text: str) -> None:
    for length in range(8, 40):
        with opened(max_source_tokens=length) as translator:
            assert translate_one(translator, text) == text
