"""HTML and XML: tags are taken out before the translation, and put back by word alignment.

Ask for it by `TextOptions(format="html")` or "xml" in `Translator.translate` and
`translate_async`: texts are markup then, and so are their translations. What is not text comes back
byte for byte; every inline element comes back once, around the words that its words became, so that
well-formed markup stays well-formed. Kept as they are: comments, scripts, styles, code,
`translate="no"`, `class="notranslate"` and elements named in `ignore_tags`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

from mt.tokenizer import Span, Tokenizer
from serving.text.composition import compose
from serving.text.guards import Decoded
from serving.text.markup_blocks import Block, blocks
from serving.text.tag_placement import Link, Placed, place
from serving.text.text_options import TextOptions
from serving.text.text_plan import Part, Planner, TextPlan
from serving.translation import Candidate, Piece, Translation


@dataclass(frozen=True)
class MarkupPlan:
    """Markup as what stays as it is, and blocks with the plans of their texts."""

    text: str
    pieces: tuple[str | tuple[Block, TextPlan], ...]

    @property
    def parts(self) -> list[Part]:
        """The parts of all blocks, in their order."""
        plans = (piece[1] for piece in self.pieces if not isinstance(piece, str))
        return [part for text_plan in plans for part in text_plan.parts]

    @property
    def translated(self) -> list[Part]:
        """The parts that the model reads."""
        return [part for part in self.parts if part.src_ids is not None]


def plan_markup(markup: str, planner: Planner, options: TextOptions) -> MarkupPlan:
    """Take markup apart and plan its blocks.

    Raises:
        InputError: XML that is not well-formed, or declares entities; elements nested too deep.
    """
    line_by_line = options.model_copy(update={"split_sentences": "newlines"})
    return MarkupPlan(
        markup,
        tuple(
            piece
            if isinstance(piece, str)
            else (piece, _plan(piece, planner, line_by_line if piece.preformatted else options))
            for piece in blocks(markup, options)
        ),
    )


def _plan(block: Block, planner: Planner, options: TextOptions) -> TextPlan:
    return planner.plan(block.text, options, block.spans, aligned=bool(block.elements))


@dataclass(frozen=True)
class PlannedBlock:
    """A block, the plan of its text, what stays before it, and its number in the markup, from 1."""

    before: str
    block: Block
    text_plan: TextPlan
    number: int

    @property
    def translated(self) -> list[Part]:
        """The parts that the model reads."""
        return self.text_plan.translated


@dataclass(frozen=True)
class Kept:
    """What stays after the last block."""

    text: str
    translated: tuple[Part, ...] = ()


def planned_blocks(plan: MarkupPlan) -> list[PlannedBlock | Kept]:
    """All blocks, each with what stays before it, and what stays after the last."""
    found: list[PlannedBlock | Kept] = []
    before = ""
    for piece in plan.pieces:
        if isinstance(piece, str):
            before += piece
        else:
            found.append(PlannedBlock(before, *piece, number=len(found) + 1))
            before = ""
    return [*found, Kept(before)] if before else found


def compose_block(
    planned: PlannedBlock, decoded: Sequence[Decoded], tokenizer: Tokenizer, language: str
) -> Piece:
    """A block's translation from what was found for its translated parts, in their order."""
    translation = compose(planned.text_plan, decoded, tokenizer, language)
    return Piece(
        before=planned.before,
        candidates=tuple(
            Candidate(_rendered(planned.block, translation, i), one.score)
            for i, one in enumerate(translation.candidates)
        ),
        after="",
        source_tokens=translation.source_tokens,
        output_tokens=translation.output_tokens,
        warnings=tuple(
            f"paragraph {planned.number}, {warning}" for warning in translation.warnings
        ),
    )


def _rendered(block: Block, translation: Translation, i: int) -> str:
    """A block's translation as markup: tags around their words, markers replaced, text escaped."""
    text, links = _with_links(translation, i)
    if text == block.text:
        return block.raw
    placed = place(block.elements, block.text, text, links)
    return "".join(_written(text, 0, len(text), placed, block))


def _with_links(translation: Translation, i: int) -> tuple[str, list[Link]]:
    """The i-th candidate's text, and the word of the source that each of its words came of."""
    text, at = "", 0
    links: list[Link] = []
    for sentence in translation.sentences:
        hypothesis = sentence.hypotheses[min(i, len(sentence.hypotheses) - 1)]
        text += translation.text[at : sentence.target[0]]
        if (words := hypothesis.words) is not None:  # asked for where there are elements
            for word, of in zip(words.target, words.links, strict=True):
                source = _moved(words.source[of], sentence.source[0]) if of >= 0 else None
                links.append(Link(_moved(word, len(text)), source))
        text += hypothesis.text
        at = sentence.target[1]
    return text + translation.text[at:], links


def _moved(span: Span, by: int) -> Span:
    return span[0] + by, span[1] + by


def _written(
    text: str, start: int, end: int, placed: Sequence[Placed], block: Block
) -> Iterator[str]:
    for one in placed:
        yield _escaped(text[start : one.start], block)
        yield one.element.opening
        yield from _written(text, one.start, one.end, one.children, block)
        yield one.element.closing
        start = one.end
    yield _escaped(text[start:end], block)


def _escaped(text: str, block: Block) -> str:
    return "".join(block.markers.get(one) or escape(one, quote=False) for one in text)
