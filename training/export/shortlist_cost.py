"""What a vocabulary shortlist costs in BLEU and saves in time, on the parity check's sentences."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from statistics import mean, median

from mt.beam_search import Hypothesis, SearchOptions, search
from mt.shortlist import Shortlist
from mt.stepper import Footprint, Rows, Slot, StepOutput, Stepper
from training.export.parity import BEAM_SIZES, Reference, same_tokens

TOGETHER = 32  # sentences


@dataclass(frozen=True)
class ShortlistCost:
    """One precision at one beam size, with the shortlist and without (`full`).

    listed: ids of the vocabulary a sentence, the mean; identical: sentences with the same
    translation; step_ms, full_step_ms: medians of a decoding step of `together` sentences on this
    machine, in milliseconds.
    """

    precision: str
    beam_size: int
    sentences: int
    identical: int
    listed: float
    bleu: float
    full_bleu: float
    together: int
    step_ms: float
    full_step_ms: float


@dataclass(frozen=True)
class Trial:
    """The sentences of the parity check, and two steppers over the same weights."""

    reference: Reference
    shortlist: Shortlist
    full: Stepper
    short: Stepper

    def measure(
        self, precision: str, on_finished: Callable[[int], None] | None = None
    ) -> Iterator[ShortlistCost]:
        """Translate everything with both, one result for each beam size."""
        for beam_size in BEAM_SIZES:
            full, short = TimedStepper(self.full), TimedStepper(self.short)
            wanted, found = (self._translate(one, beam_size, on_finished) for one in (full, short))
            pairs = zip(found, wanted, strict=True)
            yield ShortlistCost(
                precision=precision,
                beam_size=beam_size,
                sentences=len(found),
                identical=sum(same_tokens(a, b) for a, b in pairs),
                listed=mean(len(self.shortlist.of(ids)) for ids in self.reference.sources),
                bleu=self.reference.bleu(found),
                full_bleu=self.reference.bleu(wanted),
                together=TOGETHER,
                step_ms=short.median_ms,
                full_step_ms=full.median_ms,
            )

    def _translate(
        self, stepper: Stepper, beam_size: int, on_finished: Callable[[int], None] | None
    ) -> list[Hypothesis]:
        options, rows = SearchOptions(beam_size=beam_size), TOGETHER * beam_size
        sources = self.reference.sources
        found = search(stepper, sources, options, max_rows=rows, on_finished=on_finished)
        return [hypotheses[0] for hypotheses in found]


@dataclass(frozen=True)
class TimedStepper:
    """A Stepper that notes how long each step of another one takes."""

    stepper: Stepper
    seconds: list[float] = field(default_factory=list)

    @property
    def median_ms(self) -> float:
        """Of all steps so far."""
        return 1e3 * median(self.seconds)

    @property
    def vocab_size(self) -> int:
        """Number of ids."""
        return self.stepper.vocab_size

    @property
    def footprint(self) -> Footprint:
        """That of the other one."""
        return self.stepper.footprint

    def admit(
        self, src_ids: Sequence[Sequence[int]], most_rows: Sequence[int] | None = None
    ) -> list[Slot]:
        """As the other one."""
        return self.stepper.admit(src_ids, most_rows)

    def step(self, rows: Rows, k: int, with_attention: bool = False) -> StepOutput:
        """As the other one, with an eye on the clock."""
        started = time.perf_counter()
        output = self.stepper.step(rows, k, with_attention)
        self.seconds.append(time.perf_counter() - started)
        return output

    def retire(self, slots: Sequence[Slot]) -> None:
        """As the other one."""
        self.stepper.retire(slots)
