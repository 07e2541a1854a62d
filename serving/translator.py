"""Text to sentences to ids to the engine, and back to text. Knows neither HTTP nor Ray."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from concurrent.futures import Future
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import TypeVar, TypeVarTuple

from mt import bundle as bundles
from mt.beam_search import Hypothesis, SearchOptions
from mt.bundle import Bundle, Manifest
from mt.errors import InputError, MTError
from mt.stepper import Stepper, runtime
from mt.tokenizer import EOS_ID, UNK_ID
from serving.composition import compose
from serving.engine import Engine
from serving.guards import Decoded, Try, first_tries, improved, judge, second_try
from serving.markup import MarkupPlan, compose_markup, plan_markup
from serving.settings import OFFLINE, EngineSettings, Limits
from serving.text_checks import check_options, check_texts
from serving.text_options import PLAIN, TextOptions
from serving.text_plan import Planner, TextPlan, is_foreign
from serving.translation import Candidate, TranslatedSentence, Translation
from serving.waiting_line import expired

__all__ = ["Candidate", "TranslatedSentence", "Translation", "Translator"]

Plan = TextPlan | MarkupPlan
Given = TypeVarTuple("Given")
Result = TypeVar("Result")
_DEFAULT_ENGINE = EngineSettings()
_DEFAULT_SEARCH = SearchOptions()
_QUICK_CHARS = 2_000  # prepared on the event loop; longer requests would hold up the others


class Translator:
    """One bundle, opened and ready to translate. Any thread may call; close it when done."""

    def __init__(
        self,
        bundle: Bundle,
        stepper: Stepper,
        settings: EngineSettings = _DEFAULT_ENGINE,
        limits: Limits = OFFLINE,
    ) -> None:
        self.manifest: Manifest = bundle.manifest
        self.limits = limits
        self._tokenizer = bundle.tokenizer
        self._planner = Planner(bundle.tokenizer, bundle.manifest)
        self.engine = Engine(
            stepper, settings, bundle.manifest.max_target_tokens, bundle.manifest.name
        )

    @classmethod
    def open(
        cls,
        folder: Path | str,
        settings: EngineSettings = _DEFAULT_ENGINE,
        limits: Limits = OFFLINE,
    ) -> "Translator":
        """Open a bundle, load its graphs and translate one token, so that the first text is quick.

        Without `limits` texts may be of any length and number, and answers may take any time.

        Raises:
            BundleError: the folder is no whole bundle, or has no such precision.
            ConfigError: the runtime is not installed.
            EngineError: the model does not run.
        """
        bundle = bundles.open(Path(folder))
        stepper = runtime("onnx")(bundle, settings.precision, settings.threads)
        translator = cls(bundle, stepper, settings, limits)
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
        (see `serving.guards`); where that fails, the first try stands.

        Raises:
            InputError: a text or an option that cannot be; nothing was translated then.
            DeadlineError: the deadline passed.
            UnavailableError: the translator is draining or closed.
            EngineError: the model failed.
        """
        deadline = self._deadline(deadline_s)
        plans = self._plan(texts, options, text_options)
        first = first_tries((part for one in plans for part in one.translated), options)
        tries = self._judge(first, self._search(first, deadline))
        if second := self._second_tries(tries, options, text_options):
            with contextlib.suppress(MTError):  # the first ones stand
                found = self._judge(second.values(), self._search(second.values(), deadline))
                tries = improved(tries, dict(zip(second, found, strict=True)))
        return self._compose(plans, tries)

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
        deadline = self._deadline(deadline_s)
        quick = sum(len(text) for text in texts if isinstance(text, str)) <= _QUICK_CHARS
        plans = await _run(quick, self._plan, texts, options, text_options)
        first = first_tries((part for one in plans for part in one.translated), options)
        answers = await self._search_async(first, deadline)
        tries = await _run(quick, self._judge, first, answers)
        if second := self._second_tries(tries, options, text_options):
            with contextlib.suppress(MTError):  # the first ones stand
                answers = await self._search_async(list(second.values()), deadline)
                found = self._judge(second.values(), answers)
                tries = improved(tries, dict(zip(second, found, strict=True)))
        return await _run(quick, self._compose, plans, tries)

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

    def _search(self, tries: Collection[Try], deadline: float | None) -> list[list[Hypothesis]]:
        """What is found for each; blocks, and waits for room in the queue."""
        futures: dict[int, Future[list[Hypothesis]]] = {}
        given = list(tries)
        try:
            for i in _longest_first(given):
                part, options = given[i]
                futures[i] = self.engine.submit(part.src_ids or [], options, deadline, block=True)
            return [futures[i].result(_left_s(deadline)) for i in range(len(given))]
        except TimeoutError:
            raise expired() from None
        finally:
            for future in futures.values():
                future.cancel()

    async def _search_async(
        self, tries: Sequence[Try], deadline: float | None
    ) -> list[list[Hypothesis]]:
        """What is found for each; refuses where the queue has no room for all of them."""
        futures = self._submit_all(tries, deadline)
        try:
            async with asyncio.timeout(_left_s(deadline)):
                return await asyncio.gather(*map(asyncio.wrap_future, futures))
        except TimeoutError:
            raise expired() from None
        finally:
            for future in futures:
                future.cancel()

    def _submit_all(
        self, tries: Sequence[Try], deadline: float | None
    ) -> list[Future[list[Hypothesis]]]:
        most = self.engine.settings.max_waiting
        if len(tries) > most:
            raise InputError(f"{len(tries)} sentences, at most {most} in one request")
        futures: dict[int, Future[list[Hypothesis]]] = {}
        order = _longest_first(tries)
        try:
            for options in dict.fromkeys(tries[i].options for i in order):
                alike = [i for i in order if tries[i].options == options]
                sources = [tries[i].part.src_ids or [] for i in alike]
                queued = self.engine.submit_many(sources, options, deadline)
                futures |= zip(alike, queued, strict=True)
        except MTError:
            for future in futures.values():
                future.cancel()
            raise
        return [futures[i] for i in range(len(tries))]

    def _judge(self, tries: Iterable[Try], answers: Iterable[list[Hypothesis]]) -> list[Decoded]:
        return [
            judge(one.part, found, one.options, self._tokenizer)
            for one, found in zip(tries, answers, strict=True)
        ]

    def _second_tries(
        self, tries: Sequence[Decoded], options: SearchOptions, text_options: TextOptions
    ) -> dict[int, Try]:
        """By the number of the first; samples are what they are."""
        if options.samples or not text_options.guards:
            return {}
        seconds = ((i, second_try(one, options, self._planner)) for i, one in enumerate(tries))
        return {i: second for i, second in seconds if second is not None}

    def _compose(self, plans: Sequence[Plan], tries: Sequence[Decoded]) -> list[Translation]:
        remaining = iter(tries)
        return [
            self._compose_one(plan, list(islice(remaining, len(plan.translated)))) for plan in plans
        ]

    def _compose_one(self, plan: Plan, tries: Sequence[Decoded]) -> Translation:
        language = self.manifest.target_language
        if isinstance(plan, MarkupPlan):
            return compose_markup(plan, tries, self._tokenizer, language)
        return compose(plan, tries, self._tokenizer, language)

    def _deadline(self, deadline_s: float | None) -> float | None:
        """The earlier of the caller's and the limits' deadline, on the monotonic clock."""
        given = [s for s in (deadline_s, self.limits.deadline_s) if s is not None]
        return time.monotonic() + min(given) if given else None


async def _run(quick: bool, function: Callable[[*Given], Result], *given: *Given) -> Result:
    """What takes long is done beside the event loop."""
    return function(*given) if quick else await asyncio.to_thread(function, *given)


def _longest_first(tries: Sequence[Try]) -> list[int]:
    """An order in which sentences that run together are of like length, so little is padding."""
    return sorted(range(len(tries)), key=lambda i: -len(tries[i].part.src_ids or []))


def _left_s(deadline: float | None) -> float | None:
    return None if deadline is None else max(deadline - time.monotonic(), 0.0)
