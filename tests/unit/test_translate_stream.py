"""A translation in pieces: in order, as they are finished, and joined the same as in one piece."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from mt.beam_search import SearchOptions
from mt.errors import DeadlineError, EngineError, InputError, OverloadedError
from serving.settings import OFFLINE, EngineSettings, Limits
from serving.text.text_options import PLAIN, TextOptions
from serving.translation import Piece, Translation, join
from serving.translator import Translator
from tests.app_client import over
from tests.babbling_stepper import BabblingStepper
from tests.fake_bundle import fake_bundle, small_tokenizer
from tests.gated_stepper import PATIENCE_S, GatedStepper

GREEDY = SearchOptions(beam_size=1)
TEXTS = (
    "  Hello world.  Jane visits!\n\nThe dog. \n",
    "",
    " \n",
    "Hello. 1 2 3.\n- a fox\n- dogs.",
)
MARKUP = "<!doctype html><p>Hello <b>world</b>. Jane.</p>\n<ul><li>A dog.<li>1</ul><hr>"


def opened(stepper: Any, limits: Limits = OFFLINE, **engine: int) -> Translator:
    return over(fake_bundle(), stepper, EngineSettings.model_validate(engine), limits)


def gated(**options: Any) -> GatedStepper:
    return GatedStepper(small_tokenizer().vocab_size, **options)


def facts(translation: Translation) -> list[Any]:
    """All of a translation but for its attention, which is compared as alignment."""
    targets = [(one.source, one.target, one.translated) for one in translation.sentences]
    tokens = (translation.source_tokens, translation.output_tokens)
    return [translation.candidates, targets, translation.alignment, tokens, translation.warnings]


async def streamed(
    translator: Translator,
    texts: Sequence[str],
    options: SearchOptions = GREEDY,
    text_options: TextOptions = PLAIN,
) -> list[list[Piece]]:
    async with translator.translate_stream(texts, options, None, text_options) as streams:
        return [[piece async for piece in stream] for stream in streams]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("text_options", [PLAIN, TextOptions(format="html")])
def test_joined_pieces_are_the_translation(seed: int, text_options: TextOptions) -> None:
    texts = TEXTS if text_options is PLAIN else (MARKUP, "", "<hr>", "Hello.")
    options = SearchOptions(beam_size=2, n_best=2, attention=True)
    stepper = BabblingStepper(seed, small_tokenizer().vocab_size)
    with opened(stepper) as translator:
        found = asyncio.run(streamed(translator, texts, options, text_options))
        whole = translator.translate(texts, options, None, text_options)
    assert [facts(join(one)) for one in found] == [facts(one) for one in whole]


def test_one_piece_is_one_sentence_with_the_space_around_it() -> None:
    with opened(gated(open_gate=True)) as translator:
        found = asyncio.run(streamed(translator, TEXTS))
    assert [(i, p.before, p.text, p.after) for i, one in enumerate(found) for p in one] == [
        (0, "  ", "Hello world.", "  "),
        (0, "", "Jane visits!", "\n\n"),
        (0, "", "The dog.", " \n"),
        (2, "", "", " \n"),
        (3, "", "Hello.", " "),
        (3, "", "1 2 3.", "\n"),
        (3, "", "-", " "),
        (3, "", "a fox", "\n"),
        (3, "", "-", " "),
        (3, "", "dogs.", ""),
    ]


def test_of_markup_one_piece_is_one_block() -> None:
    with opened(gated(open_gate=True)) as translator:
        [found] = asyncio.run(streamed(translator, [MARKUP], GREEDY, TextOptions(format="html")))
    assert [(one.before, one.text) for one in found] == [
        ("<!doctype html><p>", "Hello <b>world</b>. Jane."),
        ("</p>\n<ul><li>", "A dog."),
        ("<li>1</ul><hr>", ""),
    ]


def test_the_first_sentence_comes_while_the_next_is_searched() -> None:
    stepper = gated()
    with opened(stepper, max_rows=1) as translator:

        async def read() -> None:
            async with translator.translate_stream(["Jane. A much longer one."], GREEDY) as [
                pieces
            ]:
                first = asyncio.ensure_future(anext(pieces))
                while not first.done():
                    stepper.allow()
                    await asyncio.sleep(0.001)
                assert first.result().text == "Jane."
                stats = translator.engine.stats()
                assert stats.running + stats.waiting == 1
                stepper.open()
                assert (await anext(pieces)).text == "A much longer one."

        asyncio.run(read())


def test_leaving_frees_the_rest_within_a_step() -> None:
    stepper = gated()
    with opened(stepper, max_rows=2) as translator:

        async def leave() -> None:
            async with translator.translate_stream(["Jane. A dog. A fox. Hello world."], GREEDY):
                await asyncio.to_thread(stepper.wait_until_asked)

        asyncio.run(leave())
        stepper.allow()
        assert translator.engine.drain(PATIENCE_S)
        assert stepper.running == {}
        assert stepper.steps == 1
        assert translator.engine.stats().cancelled == 4


def test_a_failure_comes_after_the_sentences_before_it() -> None:
    stepper = gated(open_gate=True, poison=[small_tokenizer().encode("z")[-1]])
    with opened(stepper) as translator:

        async def read() -> None:
            async with translator.translate_stream(["Hello. Zz. Jane."], GREEDY) as [pieces]:
                assert (await anext(pieces)).text == "Hello."
                with pytest.raises(EngineError):
                    await anext(pieces)

        asyncio.run(read())
        assert translator.engine.drain(PATIENCE_S)
        assert stepper.running == {}


def test_refusals_are_raised_on_entering() -> None:
    stepper = gated()
    with opened(stepper, max_rows=1, max_waiting=2) as translator:
        with pytest.raises(InputError, match=r"texts\[0\]"):
            asyncio.run(streamed(translator, ["a\x00"]))

        async def crowd() -> None:
            async with translator.translate_stream(["Jane. A fox."], GREEDY):
                with pytest.raises(OverloadedError):
                    await streamed(translator, ["Jane. A fox."])
                stepper.open()

        asyncio.run(crowd())


def test_the_deadline_holds_even_where_a_step_hangs() -> None:
    stepper = gated()
    with opened(stepper, Limits(deadline_s=0.05)) as translator:
        with pytest.raises(DeadlineError):
            asyncio.run(streamed(translator, ["Hello world."]))
        stepper.open()
