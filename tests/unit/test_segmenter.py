"""Sentences by hand: one line of each example is one sentence."""

import pytest

from serving.text.segmenter import Segment, gaps, join, segment

ENGLISH = """
Hello. | How are you? | Fine!
Dr. Smith met Mr. and Mrs. Jones. | They spoke.
He lives in St. Louis, e.g. near the park. | She does not.
The U.S. Army left. | J. R. R. Tolkien wrote it.
It costs 3.14 dollars. | That is 1,000.50 too much.
See www.example.com/a.html for more. | Write to a.b@example.org. | Thanks.
Really?! | Yes... | No!!!
Well... I see. | Good.
Wait... what? | Nothing.
He said "Stop." | Then he left.
"Who is there?" she asked. | Nobody answered.
(It rained.) | We stayed.
It is No. 5 on the list, see Fig. 2. | Next.
1. First item
12. Twelfth item. | It goes on.
Apples, pears, etc. | Then plums.
The company is Yahoo! in full. | Right.
no capitals here. so it stays whole
Version 2.0 is out. | 3 bugs are fixed.
A smile. 😀 And no more.
Isn't it? | 'Twas.
"""
FRENCH = """
Bonjour ! | Comment ça va ? | Bien.
M. Dupont et Mme Martin sont là. | Mlle Roux aussi.
« Bonjour ! » dit-il. | Puis il partit.
« Tu viens ? » | « Oui. » | Elle sourit.
Il arrive le 3 janv. 2020, cf. p. 12. | Voilà.
C'est le n° 5, c.-à-d. le dernier. | Fin.
Elle hésite… | Elle part… puis revient.
L'été arrive. | À bientôt. | Élise rit.
– Viens ! | – Non.
Un col. | Un cap. | Cinq mm. | MM. Petit et Roux.
Le Dr Martin et le Pr. Petit dorment. | Chut.
"""
GERMAN = """
Hallo. | Wie geht's? | Gut!
Am 3. Oktober kam Hr. Müller. | Er blieb.
Im 19. Jahrhundert lebte Ludwig XIV. nicht mehr. | Wilhelm II. Kaiser.
Es gibt Obst, z.B. Äpfel, bzw. Birnen usw. | Danach kommt Brot.
Es gibt z. B. Hunde, d. h. Tiere. | Ja.
„Hallo.“ | Er ging.
»Nein!« | »Doch!« sagte sie. | »Nein!«
Siehe Nr. 5, Abs. 2 und Abb. 300. | Danke.
Prof. Dr. Meier, geb. Schulz, spricht. | Alle hören zu.
Das war 44 v. Chr. in Rom. | Übung macht den Meister.
Er hat 250. | Sie hat mehr.
"""
CZECH = """
Dobrý den. | Jak se máte?
Přišel 3. května s p. Novákem, tj. pozdě. | Škoda.
"""
CHINESE = """
你好。|今天很好！|是吗？|是的
他说：“你好。”|然后走了。
圆周率是3.14。|对。
真的？！|嗯……好。
"""
JAPANESE = """
「はい。」と彼は言った。|今日は。
「元気？」って聞いた。|うん！|はい
"""
OTHER = """
Привет. | Как дела? | Хорошо.
كيف حالك؟ | بخير.
नमस्ते। | आप कैसे हैं?
Γεια σου. | Τι κάνεις;
"""


@pytest.mark.parametrize(
    ("language", "example"),
    [
        (language, example)
        for language, examples in [
            ("en", ENGLISH),
            ("fr", FRENCH),
            ("de", GERMAN),
            ("cs", CZECH),
            ("zh", CHINESE),
            ("ja", JAPANESE),
            ("", OTHER),
        ]
        for example in examples.strip().splitlines()
    ],
)
def test_sentences(language: str, example: str) -> None:
    text = example.replace(" | ", " ").replace("|", "")
    expected = [sentence.strip() for sentence in example.split("|")]
    assert [piece.sentence for piece in segment(text, language)] == expected


def test_where_a_sentence_stands() -> None:
    assert segment("  One.  Two.\r\n\r\n\tThree ") == [
        Segment("", "  ", 0),
        Segment("One.", "  ", 2),
        Segment("Two.", "\r\n\r\n\t", 8),
        Segment("Three", " ", 17),
    ]


def test_a_newline_ends_a_sentence_without_a_mark() -> None:
    assert [piece.sentence for piece in segment("a title\nand more\rend")] == [
        "a title",
        "and more",
        "end",
    ]


@pytest.mark.parametrize("text", ["", " ", "\n", " \r\n\t\n "])
def test_blank_text_has_no_sentence(text: str) -> None:
    pieces = segment(text)
    assert [piece.sentence for piece in pieces] == [""] * bool(text)
    assert join(pieces, [""] * len(pieces)) == text


def test_translations_stand_where_their_sentences_stood() -> None:
    pieces = segment("\t- Un.  Deux !\n\n\nTrois.\n")
    said = {"": "", "- Un.": "- One.", "Deux !": "Two!", "Trois.": "Three."}
    translations = [said[piece.sentence] for piece in pieces]
    assert join(pieces, translations, "en") == "\t- One.  Two!\n\n\nThree.\n"


def test_a_spaced_language_gets_spaces_that_chinese_does_not_have() -> None:
    pieces = segment("你好。你呢？\n好。", "zh")
    assert join(pieces, ["Hello.", "And you?", "Fine."], "en") == "Hello. And you?\nFine."
    assert join(pieces, ["やあ。", "君は？", "いい。"], "ja") == "やあ。君は？\nいい。"
    assert gaps(pieces, "zh-Hant") == ["", "\n", ""]


def test_the_language_refines_the_full_stop() -> None:
    text = "Er hat 3. Sie hat 4."
    assert len(segment(text, "de")) == 1
    assert len(segment(text, "de-AT")) == 1
    assert len(segment(text, "en")) == 2
    assert len(segment("See Nr. 5. It is Mme. Roux.")) == 2  # not told: all lists count
