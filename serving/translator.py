"""Text to sentences to ids to the engine, and back to text. Knows neither HTTP nor Ray."""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import TypeVar, TypeVarTuple

import numpy as np

from mt import bundle as bundles
from mt.beam_search import SearchOptions
from mt.bundle import Bundle, Manifest
from mt.errors import InputError
from mt.tokenizer import EOS_ID, UNK_ID
from serving.engine import Engine
from serving.running.cores import local_cores
from serving.running.process_core import process_cores
from serving.settings import OFFLINE, EngineSettings, Limits
from serving.text.composition import PlannedSentence, compose_sentence, planned_sentences
from serving.text.glossary_terms import has_spaces
from serving.text.guards import Decoded, first_tries
from serving.text.markup import (
    Kept,
    MarkupPlan,
    PlannedBlock,
    compose_block,
    plan_markup,
    planned_blocks,
)
from serving.text.sentence_cache import SentenceCache
from serving.text.sentence_search import SentenceSearch, Wishes
from serving.text.text_checks import check_options, check_texts
from serving.text.text_options import PLAIN, TextOptions
from serving.text.text_plan import Planner, TextPlan, is_foreign
from serving.translation import Candidate, Piece, TranslatedSentence, Translation, join

__all__ = ["Candidate", "TranslatedSentence", "Translation", "Translator"]

Plan = TextPlan | MarkupPlan
Planned = PlannedSentence | PlannedBlock | Kept
Given = TypeVarTuple("Given")
Result = TypeVar("Result")
_DEFAULT_ENGINE = EngineSettings()
_DEFAULT_SEARCH = SearchOptions()
_QUICK_CHARS = 2_000  # prepared on the event loop; longer requests would hold up the others


class Translator:
    """One bundle, opened and ready to translate. Any thread may call; close it when done."""

    def __init__(
        self, bundle: Bundle, engine: Engine, limits: Limits = OFFLINE, cache_bytes: int = 0
    ) -> None:
        """The engine, which runs the bundle's model, is the translator's now; see `open`."""
        self.manifest: Manifest = bundle.manifest
        self.limits = limits
        self._tokenizer = bundle.tokenizer
        self._planner = Planner(bundle.tokenizer, bundle.manifest)
        self.engine = engine
        self.cache = SentenceCache(self.engine, cache_bytes) if cache_bytes else None
        self._search = SentenceSearch(self.cache or self.engine, bundle.tokenizer, self._planner)

    @classmethod
    def open(
        cls,
        folder: Path | str,
        settings: EngineSettings = _DEFAULT_ENGINE,
        limits: Limits = OFFLINE,
        cache_bytes: int = 0,
        apart: bool = False,
    ) -> "Translator":
        """Open a bundle, load its graphs and translate one token, so that the first text is quick.

        Without `limits` texts may be of any length and number, and answers may take any time.
        `cache_bytes`: see `SentenceCache`; 0 is none. `apart`: the model runs in processes of its
        own, so that it does not wait for a server's interpreter.

        Raises:
            BundleError: the folder is no whole bundle, or has no such precision.
            ConfigError: the runtime is not installed.
            EngineError: the model does not run.
        """
        bundle = bundles.open(Path(folder))
        spaced = has_spaces(bundle.manifest.target_language)
        continuing = np.array(bundle.tokenizer.continuing()) if spaced else None
        cores = (process_cores if apart else local_cores)(bundle, settings, continuing)
        engine = Engine(cores, settings, bundle.manifest.name)
        translator = cls(bundle, engine, limits, cache_bytes)
        try:
            translator.engine.submit([UNK_ID, EOS_ID], SearchOptions(max_length=1)).result()
        except BaseException:
            translator.close()
            raise
        return translator

    @property
    def ready(self) -> bool:
        """Whether a text sent now would be translated."""
        return self.engine.stats().ready

    def translate(
        self,
        texts: Sequence[str],
        options: SearchOptions = _DEFAULT_SEARCH,
        deadline_s: float | None = None,
        text_options: TextOptions = PLAIN,
    ) -> list[Translation]:
        """Translate texts, in their order; blocks, and waits for room in the engine's queue.

        `deadline_s` may shorten the limits' own, never lengthen it. A forced prefix holds for every
        sentence. Sentences that lost what must be kept, loop or stop short are searched once more
        (see `serving.text.guards`); where that fails, the first try stands.

        Raises:
            InputError: a text or an option that cannot be; nothing was translated then.
            DeadlineError: the deadline passed.
            UnavailableError: the translator is draining or closed.
            EngineError: the model failed.
        """
        wishes = Wishes(options, text_options.guards, self._deadline(deadline_s))
        plans = self._plan(texts, options, text_options)
        first = first_tries((part for one in plans for part in one.translated), options)
        return self._compose(plans, self._search.decode(first, wishes))

    async def translate_async(
        self,
        texts: Sequence[str],
        options: SearchOptions = _DEFAULT_SEARCH,
        deadline_s: float | None = None,
        text_options: TextOptions = PLAIN,
    ) -> list[Translation]:
        """As `translate`, for an event loop; refuses at once where the queue has no room.

        All sentences are queued or none. Where the awaiting task is cancelled, or one sentence
        fails, the others are cancelled too and free their rows.

        Raises:
            OverloadedError: the queue is full.
            InputError: also where the texts hold more sentences than the queue.
            DeadlineError: the deadline passed.
            UnavailableError: the translator is draining or closed.
            EngineError: the model failed.
        """
        wishes = Wishes(options, text_options.guards, self._deadline(deadline_s))
        quick = _is_quick(texts)
        plans = await _run(quick, self._plan, texts, options, text_options)
        first = first_tries((part for one in plans for part in one.translated), options)
        async with self._search.decoding(first, wishes) as tasks:
            tries = await asyncio.gather(*tasks)
        return await _run(quick, self._compose, plans, tries)

    @asynccontextmanager
    async def translate_stream(
        self,
        texts: Sequence[str],
        options: SearchOptions = _DEFAULT_SEARCH,
        deadline_s: float | None = None,
        text_options: TextOptions = PLAIN,
    ) -> AsyncIterator[list[AsyncIterator[Piece]]]:
        """As `translate_async`, in pieces: those of each text, in order, as they are finished.

        Joined, they are what `translate_async` gives. Refusals are raised on entering; leaving
        frees the rows of what is not finished.

        Raises:
            MTError: as `translate_async`; of a sentence that fails, when its turn comes.
        """
        wishes = Wishes(options, text_options.guards, self._deadline(deadline_s))
        quick = _is_quick(texts)
        plans = await _run(quick, self._plan, texts, options, text_options)
        first = first_tries((part for one in plans for part in one.translated), options)
        async with (
            self._search.decoding(first, wishes, in_order=True) as tasks,
            AsyncExitStack() as stack,
        ):
            remaining = iter(tasks)
            streams = [self._pieces(plan, remaining, quick) for plan in plans]
            yield [await stack.enter_async_context(aclosing(one)) for one in streams]

    def close(self) -> None:
        """Stop the engine; what has not finished fails with UnavailableError. Safe to repeat."""
        self.engine.close()

    def __enter__(self) -> "Translator":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _plan(
        self, texts: Sequence[str], options: SearchOptions, text_options: TextOptions
    ) -> list[Plan]:
        """Check everything and encode it, before any of it is queued."""
        check_options(options, self.limits)
        check_texts(texts, self.limits)
        if options.samples and text_options.terminology:
            raise InputError("samples are drawn, not searched for: leave the glossary out")
        plans: list[Plan] = []
        for index, text in enumerate(texts):
            try:
                plans.append(self._plan_one(text, text_options))
            except InputError as error:
                raise InputError(f"texts[{index}]: {error}") from None
        return plans

    def _plan_one(self, text: str, text_options: TextOptions) -> Plan:
        plain = text_options.format == "text"
        plan: Plan = (
            self._planner.plan(text, text_options)
            if plain
            else plan_markup(text, self._planner, text_options)
        )
        if is_foreign(plan.parts):
            raise InputError("the model knows none of its characters")
        return plan

    def _pieces(
        self, plan: Plan, remaining: Iterator[asyncio.Task[Decoded]], quick: bool
    ) -> AsyncGenerator[Piece]:
        planned = self._planned(plan)
        return self._finished(
            [(one, list(islice(remaining, len(one.translated)))) for one in planned], quick
        )

    async def _finished(
        self, planned: Iterable[tuple[Planned, Sequence[asyncio.Task[Decoded]]]], quick: bool
    ) -> AsyncGenerator[Piece]:
        for one, tasks in planned:
            tries = [await task for task in tasks]
            yield await _run(quick, self._piece, one, tries)

    def _compose(self, plans: Sequence[Plan], tries: Sequence[Decoded]) -> list[Translation]:
        remaining = iter(tries)
        return [join(list(self._composed(plan, remaining))) for plan in plans]

    def _composed(self, plan: Plan, remaining: Iterator[Decoded]) -> Iterator[Piece]:
        for planned in self._planned(plan):
            yield self._piece(planned, list(islice(remaining, len(planned.translated))))

    def _planned(self, plan: Plan) -> Sequence[Planned]:
        if isinstance(plan, MarkupPlan):
            return planned_blocks(plan)
        return planned_sentences(plan, self.manifest.target_language)

    def _piece(self, planned: Planned, tries: Sequence[Decoded]) -> Piece:
        if isinstance(planned, Kept):
            return Piece(planned.text, (Candidate("", 0.0),), "")
        if isinstance(planned, PlannedBlock):
            language = self.manifest.target_language
            return compose_block(planned, tries, self._tokenizer, language)
        return compose_sentence(planned, next(iter(tries), None), self._tokenizer)

    def _deadline(self, deadline_s: float | None) -> float | None:
        """The earlier of the caller's and the limits' deadline, on the monotonic clock."""
        given = [s for s in (deadline_s, self.limits.deadline_s) if s is not None]
        return time.monotonic() + min(given) if given else None


async def _run(quick: bool, function: Callable[[*Given], Result], *given: *Given) -> Result:
    """What takes long is done beside the event loop."""
    return function(*given) if quick else await asyncio.to_thread(function, *given)


def _is_quick(texts: Sequence[str]) -> bool:
    return sum(len(text) for text in texts if isinstance(text, str)) <= _QUICK_CHARS
