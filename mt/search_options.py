"""What a caller may ask of a search: widths, lengths, penalties, constraints. And its scores."""

from typing import Annotated, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field, model_validator

from mt.config import Strict
from mt.phrases import MOST_IDS
from mt.tokenizer import BOS_ID, EOS_ID, PAD_ID

LengthNorm = Literal["wu", "average"]
ALL = 2**31  # more than any vocabulary has
_SMALLEST = float(np.finfo(np.float32).tiny)  # stands for an attention that fell to zero


class SearchOptions(Strict):
    """How one sentence is searched. Lengths count target tokens, prefix and eos included.

    With `samples` the answer is not searched for but drawn from the model, word after word: a beam
    of one for each sample, whose next word is drawn (see `mt.sampling`). All of them are returned,
    in the order of their numbers; `score` and log-probabilities stay the model's own. The same
    seed gives the same samples, and the first ones stay the same when more are asked for.

    Cost: a draw without `top_k` needs the log-probabilities of the whole vocabulary, for every row
    of the running batch while such a sentence runs, and sorts it for each row that draws. With 8000
    ids and 32 rows of a small int8 model a step took 27 ms of a core in place of 3, and 14 more
    where all 32 draw; with top_k up to 50 it took half a millisecond more.
    """

    beam_size: int = Field(5, ge=1, le=64, description="hypotheses that survive a step; 1 = greedy")
    n_best: int = Field(1, ge=1, le=64, description="hypotheses to return, at most beam_size")
    length_norm: LengthNorm = Field("wu", description="((5 + n) / 6)^alpha, or n^alpha")
    length_penalty: float = Field(1.0, ge=0, le=5, description="alpha; 0 compares sums")
    coverage_penalty: float = Field(
        0.0, ge=0, le=10, description="beta of Wu et al. 2016, eq. 14; needs attention"
    )
    min_length: int = Field(0, ge=0, description="no eos before; the longest length wins over it")
    max_length: int | None = Field(None, ge=1, description="None: twice the source and ten more")
    early_stopping: int | None = Field(
        6,
        ge=0,
        description="give up a row that would not win if it grew at no cost to its own length or "
        "the source's, and so many tokens more; None: only one that cannot win at all",
    )
    prefix: tuple[Annotated[int, Field(ge=0)], ...] = Field(
        (), description="ids every hypothesis begins with; given, so not scored"
    )
    no_repeat_ngram: int = Field(0, ge=0, description="no n-gram of this size twice; 0: allowed")
    terms: tuple[tuple[Annotated[int, Field(ge=0)], ...], ...] = Field(
        (), description="phrases, as ids, that the answer must hold, each as often as it is given"
    )
    term_bias: float | None = Field(
        None,
        gt=0,
        le=50,
        description="prefer the terms rather than require them: what is added to the logits of the "
        "ids that bring a missing one on",
    )
    attention: bool = Field(False, description="keep attention, for alignments")
    samples: int = Field(0, ge=0, le=64, description="translations to draw; 0: beam search")
    temperature: float = Field(
        1.0, ge=0.01, le=10, description="of samples: divides log-probabilities; below 1 is safer"
    )
    top_k: int | None = Field(
        None, ge=1, description="of samples: draw among so many best ids (Fan et al. 2018)"
    )
    top_p: float = Field(
        1.0,
        gt=0,
        le=1,
        description="of samples: draw among the best ids that together have this probability, "
        "after temperature and top_k (Holtzman et al. 2020)",
    )
    seed: int = Field(0, ge=0, lt=2**32, description="of samples: another seed, other draws")

    @model_validator(mode="before")
    @classmethod
    def _sample_without_beam(cls, values: object) -> object:
        """A beam that was not asked for is no reason to refuse samples."""
        if isinstance(values, dict) and values.get("samples"):
            return {"beam_size": 1, **values}
        return values

    @model_validator(mode="after")
    def _check_sampling(self) -> "SearchOptions":
        if self.samples and self.n_best > 1:
            raise ValueError("n_best is of beam search; all samples are returned")
        if self.samples and self.beam_size > 1:
            raise ValueError("samples are drawn, not searched for: leave beam_size out, or 1")
        cuts = {"temperature": 1.0, "top_k": None, "top_p": 1.0}
        given = [name for name, neutral in cuts.items() if getattr(self, name) != neutral]
        if given and not self.samples:
            raise ValueError(f"only samples have a {given[0]}: give the number of samples too")
        return self

    @model_validator(mode="after")
    def _check_together(self) -> "SearchOptions":
        if self.n_best > self.beam_size:
            raise ValueError(f"n_best is {self.n_best}, more than beam_size, {self.beam_size}")
        if self.max_length is not None and self.min_length > self.max_length:
            raise ValueError(
                f"min_length is {self.min_length}, above max_length, {self.max_length}"
            )
        if self.max_length is not None and len(self.prefix) > self.max_length:
            raise ValueError(
                f"prefix has {len(self.prefix)} tokens, more than max_length, {self.max_length}"
            )
        if not {PAD_ID, BOS_ID, EOS_ID}.isdisjoint(self.prefix):
            raise ValueError("prefix must not hold pad, bos or eos")
        return self

    @model_validator(mode="after")
    def _check_terms(self) -> "SearchOptions":
        if self.samples and self.terms:
            raise ValueError("samples are drawn, not searched for: leave terms out")
        ids = {piece for term in self.terms for piece in term}
        if not all(self.terms) or not {PAD_ID, BOS_ID, EOS_ID}.isdisjoint(ids):
            raise ValueError("each term needs ids, and none of pad, bos or eos")
        if (total := sum(map(len, self.terms))) > MOST_IDS:
            raise ValueError(f"the terms have {total} ids, at most {MOST_IDS} together")
        return self

    @property
    def requires_terms(self) -> bool:
        """Whether an answer without its terms is none."""
        return bool(self.terms) and self.term_bias is None

    @property
    def rows(self) -> int:
        """The most rows that are live at once: as many as survive a step."""
        return self.samples or self.beam_size

    @property
    def candidates(self) -> int:
        """How many ids a row needs to choose from, where none is banned.

        Twice the beam where terms are required: of the best ids some may undo a term.
        """
        if self.samples:
            return self.top_k or ALL
        return self.beam_size * (2 if self.requires_terms else 1)

    @property
    def hypotheses(self) -> int:
        """How many hypotheses are returned."""
        return self.samples or self.n_best

    @property
    def needs_attention(self) -> bool:
        """Whether the model's attention is used, for the answer or for its score."""
        return self.attention or self.coverage_penalty > 0

    def length_limit(self, src_len: int, max_target_tokens: int) -> int:
        """The most tokens a hypothesis may have for a source of src_len tokens, eos included."""
        wanted = 2 * src_len + 10 if self.max_length is None else self.max_length
        return min(wanted, max_target_tokens)

    def reach(self, length: int, src_len: int, limit: int) -> int:
        """How long a row of `length` tokens is thought to grow; the longest length is `limit`."""
        if self.early_stopping is None:
            return limit
        return min(max(length, src_len) + self.early_stopping, limit)

    def norm(self, length: int) -> float:
        """What the log-probability of `length` tokens is divided by (Wu et al. 2016, eq. 14)."""
        base = (5 + length) / 6 if self.length_norm == "wu" else float(length)
        return float(base**self.length_penalty)

    def coverage(self, attention: npt.NDArray[np.float32]) -> float:
        """Coverage penalty, at most 0, of attention (tgt_len, src_len); Wu et al. 2016, eq. 14."""
        received = attention.sum(axis=0, dtype=np.float64)  # (src_len,)
        return self.coverage_penalty * float(np.log(received.clip(_SMALLEST, 1.0)).sum())
