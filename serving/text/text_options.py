"""How a text is taken apart and what of it must come through unharmed: a caller's wishes."""

from typing import Annotated, Literal

from pydantic import Field

from mt.config import Strict
from serving.stores.glossaries import Entries

Format = Literal["text", "html", "xml"]
Splitting = Literal["newlines", "punctuation", "off"]
TagName = Annotated[str, Field(min_length=1, max_length=200)]
Term = Annotated[str, Field(min_length=1, max_length=1000)]


class TextOptions(Strict):
    """What `Translator.translate` is told of its texts, beside how to search.

    In `html` and `xml` the tags are taken out and put back (see `serving.text.markup`); an answer
    is well-formed where its text is. The DeepL names `tag_handling`, `split_sentences` 1,
    nonewlines and 0, `ignore_tags`, `splitting_tags`, `non_splitting_tags`, `outline_detection` and
    `preserve_formatting` are `format`, `split_sentences` newlines, punctuation and off, and the
    fields of the same names.
    """

    format: Format = Field("text", description="html and xml: tags are kept, and not translated")
    split_sentences: Splitting | None = Field(
        None,
        description="newlines: at punctuation and newlines; punctuation: a single newline is a "
        "space, so that hard-wrapped paragraphs are joined; off: each text, or element of markup, "
        "is one sentence. None: newlines for text, punctuation for markup",
    )
    do_not_translate: tuple[Term, ...] = Field(
        (), max_length=1000, description="words and phrases to keep, wherever they stand alone"
    )
    ignore_tags: tuple[TagName, ...] = Field(
        (), description="of markup: elements to keep as they are, text included"
    )
    splitting_tags: tuple[TagName, ...] = Field(
        (), description="of markup: elements that always end a sentence, as paragraphs do"
    )
    non_splitting_tags: tuple[TagName, ...] = Field(
        (), description="of markup: elements that never end a sentence, as bold does not"
    )
    outline_detection: bool = Field(
        True,
        description="of xml: find out which elements are paragraphs; false: only splitting_tags",
    )
    preserve_formatting: bool = Field(
        False,
        description="no full stop at the end of a translation whose sentence has no mark there, as "
        "titles and labels have none",
    )
    terminology: Entries = Field(
        (), description="terms of a glossary: source and target; see `serving.text.glossary_terms`"
    )
    terminology_bias: float | None = Field(
        None,
        gt=0,
        le=50,
        description="prefer the terms rather than require them: see SearchOptions",
    )
    guards: bool = Field(
        True,
        description="translate a sentence once more, and more strictly, where the first try "
        "repeats itself, is far too short or long, or lost what must be kept",
    )

    @property
    def splitting(self) -> Splitting:
        """Where sentences end, after the defaults of the format."""
        if self.split_sentences is not None:
            return self.split_sentences
        return "newlines" if self.format == "text" else "punctuation"


PLAIN = TextOptions()
"""Plain text, split at punctuation and newlines, guarded."""
