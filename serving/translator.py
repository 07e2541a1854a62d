"""Text to sentences to ids to the engine, and back to text. Knows neither HTTP nor Ray."""

import asyncio
import time
from collections.abc import Sequence
from concurrent.futures import Future
from itertools import islice
from pathlib import Path
from types import TracebackType

from mt import bundle as bundles
from mt.beam_search import Hypothesis, SearchOptions
from mt.bundle import Bundle, Manifest
from mt.errors import InputError
from mt.stepper import Stepper, runtime
from mt.tokenizer import EOS_ID, UNK_ID
from serving.engine import Engine
from serving.settings import OFFLINE, EngineSettings, Limits
from serving.text_checks import check_options, check_texts
from serving.text_plan import TextPlan, compose, is_foreign, plan
from serving.translation import Candidate, TranslatedSentence, Translation
from serving.waiting_line import expired

__all__ = ["Candidate", "TranslatedSentence", "Translation", "Translator"]

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
    ) -> list[Translation]:
        """Translate texts, in their order; blocks, and waits for room in the engine's queue.

        `deadline_s` may shorten the limits' own, never lengthen it. A forced prefix holds for every
        sentence.

        Raises:
            InputError: a text or an option that cannot be; nothing was translated then.
            DeadlineError: the deadline passed.
            UnavailableError: the translator is draining or closed.
            EngineError: the model failed.
        """
        deadline = self._deadline(deadline_s)
        plans = self._plan(texts, options)
        sources = [source for text_plan in plans for source in text_plan.sources]
        futures: dict[int, Future[list[Hypothesis]]] = {}
        try:
            for i in _longest_first(sources):
                futures[i] = self.engine.submit(sources[i], options, deadline, block=True)
            answers = [futures[i].result(_left_s(deadline)) for i in range(len(sources))]
        except TimeoutError:
            raise expired() from None
        finally:
            for future in futures.values():
                future.cancel()
        return self._compose(plans, answers)

    async def translate_async(
        self,
        texts: Sequence[str],
        options: SearchOptions = _DEFAULT_SEARCH,
        deadline_s: float | None = None,
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
        plans = (
            self._plan(texts, options)
            if quick
            else await asyncio.to_thread(self._plan, texts, options)
        )
        futures = self._submit_all(plans, options, deadline)
        try:
            async with asyncio.timeout(_left_s(deadline)):
                answers = await asyncio.gather(*map(asyncio.wrap_future, futures))
        except TimeoutError:
            raise expired() from None
        finally:
            for future in futures:
                future.cancel()
        if quick:
            return self._compose(plans, answers)
        return await asyncio.to_thread(self._compose, plans, answers)

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

    def _plan(self, texts: Sequence[str], options: SearchOptions) -> list[TextPlan]:
        """Check everything and encode it, before any of it is queued."""
        check_options(options, self.limits)
        check_texts(texts, self.limits)
        plans = [plan(text, self._tokenizer, self.manifest) for text in texts]
        for index, text_plan in enumerate(plans):
            if is_foreign(text_plan):
                raise InputError(f"texts[{index}]: the model knows none of its characters")
        return plans

    def _submit_all(
        self, plans: Sequence[TextPlan], options: SearchOptions, deadline: float | None
    ) -> list[Future[list[Hypothesis]]]:
        sources = [source for text_plan in plans for source in text_plan.sources]
        most = self.engine.settings.max_waiting
        if len(sources) > most:
            raise InputError(f"{len(sources)} sentences, at most {most} in one request")
        order = _longest_first(sources)
        queued = self.engine.submit_many([sources[i] for i in order], options, deadline)
        futures = dict(zip(order, queued, strict=True))
        return [futures[i] for i in range(len(sources))]

    def _compose(
        self, plans: Sequence[TextPlan], answers: Sequence[list[Hypothesis]]
    ) -> list[Translation]:
        remaining = iter(answers)
        return [
            compose(
                text_plan,
                list(islice(remaining, len(text_plan.sources))),
                self._tokenizer,
                self.manifest.target_language,
            )
            for text_plan in plans
        ]

    def _deadline(self, deadline_s: float | None) -> float | None:
        """The earlier of the caller's and the limits' deadline, on the monotonic clock."""
        given = [s for s in (deadline_s, self.limits.deadline_s) if s is not None]
        return time.monotonic() + min(given) if given else None


def _longest_first(sources: Sequence[Sequence[int]]) -> list[int]:
    """An order in which sentences that run together are of like length, so little is padding."""
    return sorted(range(len(sources)), key=lambda i: -len(sources[i]))


def _left_s(deadline: float | None) -> float | None:
    return None if deadline is None else max(deadline - time.monotonic(), 0.0)
