"""Generated trees through a model that babbles: well-formed in, well-formed out, nothing lost."""

import re
from collections.abc import Iterator
from xml.etree import ElementTree

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mt.beam_search import SearchOptions
from serving.text.text_options import TextOptions
from serving.translator import Translator
from tests.app_client import over
from tests.babbling_stepper import BabblingStepper
from tests.fake_bundle import fake_bundle

WORDS = ["Jane", "visits Africa", "the dog.", "A fox!", "&amp;", "&lt;b&gt;", "12", " ", "\n"]
WORDS += ["&#8364;", "<![CDATA[a < b]]>", "<!-- c -->", "😀", "{x}"]
INLINE, BLOCK = ["b", "i", "a", "span"], ["p", "div", "li"]
ATTRIBUTES = ["", ' id="x"', " class='y z'", ' href="?a=1&amp;b=&quot;2&quot;"', ' translate="no"']

words = st.sampled_from(WORDS)


def element(names: list[str], inside: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.builds(
        lambda name, attributes, text: f"<{name}{attributes}>{text}</{name}>",
        st.sampled_from(names),
        st.sampled_from(ATTRIBUTES),
        inside,
    )


def several(one: st.SearchStrategy[str], most: int = 4) -> st.SearchStrategy[str]:
    return st.lists(one, max_size=most).map(" ".join)


empty = st.sampled_from(["<br/>", '<img src="a"/>', "<x id='1'/>", '<x id="2"></x>'])
inline = st.recursive(several(words | empty), lambda inner: several(element(INLINE, inner) | words))
trees = st.recursive(inline, lambda inner: several(element(BLOCK, inner) | inline, 3), max_leaves=6)


@pytest.fixture(scope="module", params=[True, False], ids=["attentive", "blind"])
def babble(request: pytest.FixtureRequest) -> Iterator[Translator]:
    bundle = fake_bundle(byte_fallback=True, max_source_tokens=40)
    stepper = BabblingStepper(3, bundle.tokenizer.vocab_size, attentive=request.param)
    with over(bundle, stepper) as translator:
        yield translator


def tags(markup: str) -> list[str]:
    bare = re.sub(r"<!--.*?-->|<!\[CDATA\[.*?\]\]>", "", markup, flags=re.DOTALL)
    return sorted(re.findall(r"<[^>]+>", bare))


def structure(markup: str) -> list[object]:
    """Blocks with their tags in order; inline elements, which may move in them, as a bag."""

    def of(node: ElementTree.Element) -> list[object]:
        inner = [child for child in node if child.tag in BLOCK]
        moving = sorted(child.tag for child in node.iter() if child.tag not in BLOCK)
        return [node.tag, sorted(node.attrib.items()), [of(child) for child in inner], moving]

    return of(ElementTree.fromstring(f"<root>{markup}</root>"))


CROWDED = "<p><b>Jane</b> <b>Jane Jane Jane</b> <b>Jane</b> <b><b></b> <b></b> <b>Jane</b></b></p>"


@settings(deadline=None, max_examples=150)
@given(trees, st.sampled_from(["html", "xml"]), st.booleans())
@example(CROWDED, "html", False)  # more elements than the translation has words
def test_well_formed_markup_stays_well_formed(
    babble: Translator, markup: str, form: str, ignoring: bool
) -> None:
    options = {"format": form, "ignore_tags": ["x"] if ignoring else [], "splitting_tags": BLOCK}
    search = SearchOptions(beam_size=1, max_length=10)
    if form == "html":
        markup = re.sub(r"<!\[CDATA\[.*?\]\]>", "", markup)
    [found] = babble.translate([markup], search, None, TextOptions.model_validate(options))
    assert tags(found.text) == tags(markup)
    assert structure(found.text) == structure(markup)
    for kept in re.findall(r"<!--.*?-->|<x[^>]*>|\{x\}|😀", markup):
        assert found.text.count(kept) >= markup.count(kept)
