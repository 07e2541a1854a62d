"""The gate before a bundle is written: do the graphs translate as the model in PyTorch does?

In fp32 every token must be the same. Two translations may differ only where they tie, which the
last digits of floating point decide: their scores, or their log-probabilities up to and including
the first token that differs, lie within `TIE`. In 8 and in 16 bits tokens do differ; there BLEU
must hold.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from mt.beam_search import Hypothesis, SearchOptions, search
from mt.errors import BundleError, CorpusError
from mt.stepper import Stepper
from mt.tokenizer import Tokenizer
from training.corpora.pair import Pair
from training.evaluate import bleu

BEAM_SIZES = (1, 5)
EXACT = "fp32"  # the precision whose tokens must be those of PyTorch
TIE = 1e-4  # nats
LARGEST_DIFFERENCE = 1e-3  # nats, of one token's log-probability in the same fp32 translation
LARGEST_LOSS = 0.3  # BLEU, of the parity sentences, in other precisions

OnFinished = Callable[[int], None]


@dataclass(frozen=True)
class Agreement:
    """How one precision's translations compare with those of PyTorch at one beam size.

    identical and tied count sentences; different are the numbers (from 1) of those that are
    neither; log_prob_difference is the largest of one token, in nats, in identical translations;
    bleu and torch_bleu are of these sentences only.
    """

    precision: str
    beam_size: int
    sentences: int
    identical: int
    tied: int
    different: list[int]
    log_prob_difference: float
    bleu: float
    torch_bleu: float

    def values(self) -> dict[str, object]:
        """For the manifest."""
        return {**asdict(self), "different": len(self.different)}

    def problem(self, largest_loss: float = LARGEST_LOSS) -> str | None:
        """Why this is not good enough, or None."""
        where = f"{self.precision}, beam {self.beam_size}"
        if self.precision != EXACT:
            loss = self.torch_bleu - self.bleu
            if loss > largest_loss:
                return (
                    f"{where}: loses {loss:.2f} BLEU, more than {largest_loss:g}; leave "
                    f"{self.precision} out, or allow more with --max-loss"
                )
        elif self.different:
            numbers = ", ".join(map(str, self.different[:10]))
            return (
                f"{where}: {len(self.different)} of {self.sentences} translations are not "
                f"PyTorch's (sentences {numbers})"
            )
        elif self.log_prob_difference > LARGEST_DIFFERENCE:
            return f"{where}: log-probabilities differ by up to {self.log_prob_difference:.1e}"
        return None


class Reference:
    """Validation sentences (`sources`, ids), and what PyTorch makes of them at each beam size."""

    def __init__(
        self,
        pairs: Sequence[Pair],
        tokenizer: Tokenizer,
        stepper: Stepper,
        max_source_tokens: int,
        on_finished: OnFinished | None = None,
    ) -> None:
        """Translate the pairs that the model accepts; `on_finished` counts finished sentences.

        Raises:
            CorpusError: there is none.
        """
        sources = [tokenizer.encode_source(pair.src) for pair in pairs]
        kept = [i for i, ids in enumerate(sources) if 1 < len(ids) <= max_source_tokens]
        if not kept:
            raise CorpusError(
                f"no validation sentence of 1 to {max_source_tokens - 1} tokens to compare on"
            )
        self.sources = [sources[i] for i in kept]
        self._references = [pairs[i].tgt for i in kept]
        self._tokenizer = tokenizer
        self._translations = dict(self._translate(stepper, on_finished))

    def __len__(self) -> int:
        return len(self.sources)

    def compare(
        self, precision: str, stepper: Stepper, on_finished: OnFinished | None = None
    ) -> list[Agreement]:
        """Translate with another stepper and compare, one agreement for each beam size."""
        return [
            self._agreement(precision, beam_size, found)
            for beam_size, found in self._translate(stepper, on_finished)
        ]

    def _translate(
        self, stepper: Stepper, on_finished: OnFinished | None
    ) -> Iterator[tuple[int, list[Hypothesis]]]:
        """The best translation of every sentence, at each beam size."""
        for beam_size in BEAM_SIZES:
            options = SearchOptions(beam_size=beam_size)
            found = search(stepper, self.sources, options, on_finished=on_finished)
            yield beam_size, [hypotheses[0] for hypotheses in found]

    def _agreement(self, precision: str, beam_size: int, found: list[Hypothesis]) -> Agreement:
        wanted = self._translations[beam_size]
        pairs = list(zip(found, wanted, strict=True))
        identical = [same_tokens(a, b) for a, b in pairs]
        tied = [not same and is_tie(a, b) for same, (a, b) in zip(identical, pairs, strict=True)]
        neither = [not (a or b) for a, b in zip(identical, tied, strict=True)]
        gaps = [largest_gap(a, b) for same, (a, b) in zip(identical, pairs, strict=True) if same]
        return Agreement(
            precision=precision,
            beam_size=beam_size,
            sentences=len(self),
            identical=sum(identical),
            tied=sum(tied),
            different=[i for i, different in enumerate(neither, start=1) if different],
            log_prob_difference=max(gaps, default=0.0),
            bleu=self.bleu(found),
            torch_bleu=self.bleu(wanted),
        )

    def bleu(self, hypotheses: list[Hypothesis]) -> float:
        """Of translations of all `sources`."""
        texts = [self._tokenizer.decode(hypothesis.ids) for hypothesis in hypotheses]
        return bleu(texts, self._references).value


def require(agreements: Sequence[Agreement], largest_loss: float = LARGEST_LOSS) -> None:
    """Refuse a bundle that does not translate as its checkpoint does.

    Raises:
        BundleError: names every precision and beam size that differs, and by how much.
    """
    problems = [problem for a in agreements if (problem := a.problem(largest_loss))]
    if problems:
        raise BundleError(
            f"the graphs do not match the model, nothing written: {'; '.join(problems)}"
        )


def same_tokens(a: Hypothesis, b: Hypothesis) -> bool:
    """Whether two translations are the same, their end included."""
    return a.ids == b.ids and a.finished == b.finished


def is_tie(a: Hypothesis, b: Hypothesis) -> bool:
    """Whether rounding may decide which of two different translations wins."""
    first = next(
        (i for i, (x, y) in enumerate(zip(a.ids, b.ids, strict=False)) if x != y),
        min(len(a.ids), len(b.ids)),
    )
    so_far = sum(a.token_log_probs[: first + 1]) - sum(b.token_log_probs[: first + 1])
    return min(abs(a.score - b.score), abs(so_far)) <= TIE


def largest_gap(a: Hypothesis, b: Hypothesis) -> float:
    """The largest difference of one token's log-probability, of two equal translations."""
    return float(np.abs(np.subtract(a.token_log_probs, b.token_log_probs)).max(initial=0.0))
