"""Signs that a translation went wrong, and the stricter search that a second try gets."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from mt.beam_search import Hypothesis, SearchOptions
from mt.tokenizer import Tokenizer
from serving.text.glossary_terms import lacking
from serving.text.protected_spans import locate
from serving.text.term_slots import are_misplaced, put_in
from serving.text.text_plan import Part, Planner

Doubt = Literal["lost", "repeats", "short", "endless", "lacks", "misplaced"]
MEANING: dict[Doubt, str] = {
    "repeats": "repeats itself",
    "short": "is far shorter than its source, something may be missing",
    "endless": "was cut off at the longest length allowed",
    "lacks": "lacks a term of the glossary",
}
"""What a caller is told; what was lost or misplaced is put in its place, so it is no news."""

_LONGEST_PERIOD = 8
_TERM_BEAM = 5
_SHORT_FROM = 10  # source tokens: below, a single word may be the whole translation
_SHORT_RATIO = 0.3


class Try(NamedTuple):
    """A part to search a translation for, and how."""

    part: Part
    options: SearchOptions


@dataclass(frozen=True)
class Decoded:
    """A part, what the search found for it, best first, and what speaks against the best."""

    part: Part
    hypotheses: list[Hypothesis]
    doubts: tuple[Doubt, ...]


def first_tries(parts: Iterable[Part], options: SearchOptions) -> list[Try]:
    """A try of every part; with attention where there is something to put back."""
    pointing = options.model_copy(update={"attention": True})
    return [
        Try(part, _with_terms(pointing if _needs_attention(part) else options, part))
        for part in parts
    ]


def judge(
    part: Part, hypotheses: list[Hypothesis], options: SearchOptions, tokenizer: Tokenizer
) -> Decoded:
    """Look at the best hypothesis: has it all that it must keep, no loop, a sensible length?"""
    best, source = hypotheses[0], part.src_ids or []
    signs: dict[Doubt, Callable[[], bool]] = {
        "lost": lambda: _has_lost(part, tokenizer.decode(best.ids)),
        "repeats": lambda: _is_looping(best.ids, source),
        "short": lambda: len(best.ids) < _least(len(source)),
        "endless": lambda: not best.finished and options.max_length is None,
        "lacks": lambda: _has_terms(part) and lacking(tokenizer.decode(best.ids), part.terms) > 0,
        "misplaced": lambda: _has_terms(part) and are_misplaced(part, best, tokenizer),
    }
    return Decoded(part, hypotheses, tuple(doubt for doubt, seen in signs.items() if seen()))


def second_try(decoded: Decoded, options: SearchOptions, planner: Planner) -> Try | None:
    """The one more try of a doubtful translation; None where there is nothing else to try.

    What was lost is not read again: a stand-in is. Required terms that are not where they belong
    are put in afterwards. No n-gram may come twice in place of a loop,
    and no end before half the length of a source that was cut short.
    """
    doubts = set(decoded.doubts)
    part = planner.without_spans(decoded.part) if "lost" in doubts else None
    if {"lacks", "misplaced"} & doubts and decoded.part.terms.bias is None:
        part = put_in(part or decoded.part)
    if part is None and not doubts - {"lost", "lacks"}:
        return None
    part = part or decoded.part
    changes: dict[str, object] = {"attention": options.attention or _needs_attention(part)}
    if {"repeats", "endless"} & doubts:
        changes["no_repeat_ngram"] = min(options.no_repeat_ngram or 3, 3)
    if "short" in doubts:
        half = max(1, len(decoded.part.src_ids or []) // 2)
        changes["min_length"] = max(options.min_length, min(half, options.max_length or half))
    return Try(part, _with_terms(options.model_copy(update=changes), part))


def improved(firsts: Sequence[Decoded], seconds: Mapping[int, Decoded]) -> list[Decoded]:
    """Of each, the try with fewer doubts; the first where that does not decide."""
    return [
        min((first, seconds.get(i, first)), key=lambda one: len(one.doubts))
        for i, first in enumerate(firsts)
    ]


def _with_terms(options: SearchOptions, part: Part) -> SearchOptions:
    """A search that looks after a part's terms; a narrow beam would put them where it can first."""
    if not part.terms.ids:
        return options
    width = max(options.beam_size, _TERM_BEAM)
    terms = {"terms": part.terms.ids, "term_bias": part.terms.bias, "beam_size": width}
    return options.model_copy(update=terms)


def _needs_attention(part: Part) -> bool:
    """Whether tags, spans or required terms have places that attention tells."""
    required = bool(part.terms.ids) and part.terms.bias is None
    return part.aligned or bool(part.reading.slots) or required


def _has_terms(part: Part) -> bool:
    """Whether its translation itself must hold terms, before any is put in."""
    return bool(part.terms.found) and not part.terms.are_put_in


def _least(source_tokens: int) -> float:
    """Tokens that a translation has at least, where nothing is missing."""
    return _SHORT_RATIO * source_tokens if source_tokens >= _SHORT_FROM else 1


def _has_lost(part: Part, text: str) -> bool:
    kept = [slot.protected for slot in part.reading.slots if not slot.replaced]
    return bool(kept) and bool(locate(kept, part.segment.sentence, text).lost)


def _is_looping(ids: Sequence[int], source: Sequence[int]) -> bool:
    """Whether the same few ids come thrice in a row, and not as often in the source."""
    if max(Counter(ids).values(), default=0) < 3:
        return False
    return (longest := _longest_run(ids)) > 2 and longest > _longest_run(source)


def _longest_run(ids: Sequence[int]) -> int:
    """How many times in a row the same few ids come, at most; a lone id counts half."""
    longest = 1
    for period in range(1, min(_LONGEST_PERIOD, len(ids) // 2) + 1):
        same = 0
        for before, after in zip(ids, ids[period:], strict=False):
            same = same + 1 if before == after else 0
            runs = 1 + same // period
            longest = max(longest, runs if period > 1 else runs // 2)
    return longest
