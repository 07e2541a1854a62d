"""Whatever the text: nothing is lost, and sentences never hold what belongs between them."""

from hypothesis import given, settings
from hypothesis import strategies as st

from serving.text.segmenter import join, segment

SCRAPS = [
    "a",
    "B",
    "3",
    ".",
    "...",
    "!",
    "?",
    " ",
    "  ",
    "\n",
    "\r\n",
    "\t",
    "«",
    "»",
    '"',
    "“",
    "”",
]
SCRAPS += [
    "(",
    ")",
    "Dr",
    "z.B",
    "。",
    "」",
    "と",
    "你好",
    "\u00a0",
    "\u2028",
    "\u200d",
    "é",
    "e\u0301",
    "😀",
]
texts = st.one_of(st.text(), st.lists(st.sampled_from(SCRAPS), max_size=40).map("".join))
languages = st.sampled_from(["", "en", "fr", "de", "cs", "zh", "ja"])


@settings(deadline=None, max_examples=150)
@given(texts, languages)
def test_segments_put_end_to_end_are_the_text(text: str, language: str) -> None:
    pieces = segment(text, language)
    assert "".join(piece.sentence + piece.gap for piece in pieces) == text
    assert join(pieces, [piece.sentence for piece in pieces], "zh") == text
    for piece in pieces:
        assert text[piece.start : piece.end] == piece.sentence


@settings(deadline=None, max_examples=150)
@given(texts, languages)
def test_space_stands_between_sentences_and_not_at_their_ends(text: str, language: str) -> None:
    pieces = segment(text, language)
    assert all(piece.sentence for piece in pieces[1:])
    for piece in pieces:
        assert piece.sentence == piece.sentence.strip()
        assert not piece.gap.strip()
        assert "\n" not in piece.sentence


@settings(deadline=None, max_examples=100)
@given(st.lists(st.sampled_from(["Ja. ", "Dr. X ", "und so ", "Am 3. Mai! ", "\n"]), max_size=20))
def test_lines_are_segmented_apart(scraps: list[str]) -> None:
    text = "".join(scraps)
    together = [piece.sentence for piece in segment(text, "de") if piece.sentence]
    apart = [
        piece.sentence
        for line in text.splitlines()
        for piece in segment(line, "de")
        if piece.sentence
    ]
    assert together == apart
