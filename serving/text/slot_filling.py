"""Put what slots stand for into a translation, where attention says that it belongs."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mt.tokenizer import Span
from serving.text.alignment import WordAttention
from serving.text.protected_spans import Located
from serving.text.stand_ins import Reading, Slot, original_offset

_NOTHING = Located((), ())
_CLOSING = tuple(".,;:!?…)]}»”’'\"%")


@dataclass(frozen=True)
class Edit:
    """Replace a span of the translation, perhaps an empty one, by a slot's text."""

    span: Span
    slot: Slot


@dataclass(frozen=True)
class Filled:
    """A translation with its slots filled; words: of the sentence and of it, a slot is one."""

    text: str
    words: WordAttention


def fill(
    reading: Reading, words: WordAttention, target: str, located: Located = _NOTHING
) -> Filled:
    """The translation with the text of every replaced or lost slot in it, once each.

    The target word that looked at a stand-in more than at any other word is replaced. Where there
    is none, or nothing stands in, the text goes beside the translation of the word it is next to.
    What `located` found in place is left alone, and is one word.
    """
    words = words.merged([slot.span for slot in reading.slots if not slot.replaced], located.kept)
    wanted = [slot for slot in reading.slots if slot.replaced or slot.protected in located.lost]
    found = _replaced(wanted, words, target, located.kept)
    fixed = [*located.kept, *(edit.span for edit in found.values())]
    edits = [
        found.get(i) or Edit(_gap(slot, words, target, fixed), slot)
        for i, slot in enumerate(wanted)
    ]
    return _apply(sorted(edits, key=_place), words, target, reading.slots)


def _place(edit: Edit) -> tuple[int, int, int]:
    """Along the translation; what goes to one place keeps the order of the sentence."""
    return (*edit.span, edit.slot.original[0])


def _replaced(
    slots: Sequence[Slot], words: WordAttention, target: str, kept: Sequence[Span]
) -> dict[int, Edit]:
    """Edits of the slots that a target word came of, by the slot's number; the surest first."""
    claims = sorted(
        (-share, i, at)
        for i, slot in enumerate(slots)
        for at, share in _claims(slot, words, target)
    )
    edits: dict[int, Edit] = {}
    taken = {
        at
        for at, word in enumerate(words.target)
        if any(s < word[1] and word[0] < e for s, e in kept)
    }
    for _, i, at in claims:
        if i not in edits and at not in taken:
            run = _run(at, {k for _, j, k in claims if j == i} - taken, slots[i])
            taken.update(run)
            edits[i] = Edit((words.target[run[0]][0], words.target[run[-1]][1]), slots[i])
    return edits


def _claims(slot: Slot, words: WordAttention, target: str) -> Iterable[tuple[int, float]]:
    """Target words, no marks, that looked at the stand-in most, and the share of it."""
    inside = _inside(slot, words)
    if not inside.any() or not words.target:
        return
    mine = words.weights[:, inside].sum(axis=1)
    others = words.weights[:, ~inside].max(axis=1, initial=0.0)
    for at in np.flatnonzero(mine > others).tolist():
        if target[words.target[at][0]].isalnum():
            yield at, float(mine[at] / words.weights[at].sum())


def _inside(slot: Slot, words: WordAttention) -> npt.NDArray[np.bool_]:
    start, end = slot.span
    return np.array([start < word[1] and word[0] < end for word in words.source], bool)


def _run(at: int, claimed: set[int], slot: Slot) -> list[int]:
    """The claimed words around a claimed one; of a noun's only the last, which follows articles.

    A term of several words has come to several.
    """
    run = [at]
    while run[-1] + 1 in claimed:
        run.append(run[-1] + 1)
    while run[0] - 1 in claimed:
        run.insert(0, run[0] - 1)
    return run[-1:] if slot.replaced and slot.term_words <= 1 else run


def _gap(slot: Slot, words: WordAttention, target: str, fixed: Sequence[Span]) -> Span:
    """Where in the translation a slot goes that no word stands for: an empty span."""
    before = _nearest(slot, words, -1)
    after = _nearest(slot, words, +1)
    spaced_before, spaced_after = slot.spaced
    if after is not None and (before is None or (spaced_before and not spaced_after)):
        at = after[0]
    elif before is not None:
        at = before[1]
    else:
        at = _proportional(slot, words, target)
    at = next((end for start, end in fixed if start < at < end), at)
    parts_words = slot.span[0] < slot.span[1] and not _inside(slot, words).any()
    return at, at + (parts_words and target[at : at + 1] == " ")


def _nearest(slot: Slot, words: WordAttention, step: int) -> Span | None:
    """The target word of the next source word before (-1) or behind (+1) the slot that has one."""
    best = np.array(words.links)
    start, end = slot.span
    columns = [
        i
        for i, word in enumerate(words.source)
        if (word[1] <= start if step < 0 else word[0] >= end)
    ]
    for column in columns[::step]:
        hits = np.flatnonzero(best == column)
        if len(hits):
            surest = hits[words.weights[hits, column].argmax()]
            return words.target[int(surest)]
    return None


def _proportional(slot: Slot, words: WordAttention, target: str) -> int:
    """Without attention: as far into the translation as into the sentence, between words."""
    before = sum(word[1] <= slot.span[0] for word in words.source)
    count = round(before / max(1, len(words.source)) * len(words.target))
    if count == len(words.target):
        return len(target)
    return words.target[count - 1][1] if count else 0


def _apply(
    edits: Sequence[Edit], words: WordAttention, target: str, slots: Sequence[Slot]
) -> Filled:
    pieces: list[str] = []
    stays: list[tuple[Span, int]] = []  # spans of the translation that stay, and their shift
    placed: list[Span] = []
    at = length = 0
    for edit in edits:
        start, end = max(edit.span[0], at), max(edit.span[1], at)
        stays.append(((at, start), length - at))
        pieces.append(target[at:start])
        before = target[at:start] or "".join(pieces[-2:])
        lead, tail = _spaces(edit, before[-1:], target[end : end + 1])
        pieces.append(lead + edit.slot.verbatim + tail)
        verbatim = length + start - at + len(lead)
        placed.append((verbatim, verbatim + len(edit.slot.verbatim)))
        length, at = placed[-1][1] + len(tail), end
    stays.append(((at, len(target)), length - at))
    pieces.append(target[at:])
    return Filled("".join(pieces), _moved(words, stays, placed, edits, slots))


def _moved(
    words: WordAttention,
    stays: Sequence[tuple[Span, int]],
    placed: Sequence[Span],
    edits: Sequence[Edit],
    slots: Sequence[Slot],
) -> WordAttention:
    """Attention between the sentence's words and those of the filled translation, in order."""
    kept = [
        (at, (word[0] + shift, word[1] + shift))
        for at, word in enumerate(words.target)
        for (start, end), shift in stays
        if start <= word[0] and word[1] <= end
    ]
    source = [(original_offset(a, slots), original_offset(b, slots)) for a, b in words.source]
    mass = np.zeros((len(kept) + len(placed), len(source) + len(placed)), np.float32)
    mass[: len(kept), : len(source)] = words.mass[[at for at, _ in kept]]
    np.fill_diagonal(mass[len(kept) :, len(source) :], 1.0)
    source += [edit.slot.original for edit in edits]
    target = [span for _, span in kept] + list(placed)
    order = sorted(range(len(target)), key=target.__getitem__)
    known = words.log_probs or (None,) * len(words.target)
    log_probs = [*(known[at] for at, _ in kept), *(None for _ in placed)]
    return WordAttention(
        tuple(source),
        tuple(target[i] for i in order),
        mass[order],
        tuple(log_probs[i] for i in order),
    )


def _spaces(edit: Edit, before: str, after: str) -> tuple[str, str]:
    """Space around a slot's text where it is put between words that had none."""
    text = edit.slot.verbatim
    if edit.span[0] != edit.span[1]:
        return "", ""
    wanted_before, wanted_after = edit.slot.spaced
    apart_before, apart_after = edit.slot.apart
    wanted_before |= before.isalnum() and (apart_before or text[0].isalnum())
    wanted_after = wanted_after and after not in _CLOSING
    wanted_after |= after.isalnum() and (apart_after or text[-1].isalnum())
    lead = " " if wanted_before and before and not before.isspace() else ""
    tail = " " if wanted_after and after and not after.isspace() else ""
    return lead, tail
