"""Language codes in many spellings, and their names."""

import pytest

from serving.text import language_names
from serving.text.language_codes import find


@pytest.mark.parametrize(
    ("code", "offered", "found"),
    [
        ("EN", ["de", "en"], "en"),
        ("en-US", ["de", "en"], "en"),
        ("en_gb", ["en"], "en"),
        ("en", ["de", "en-US"], "en-US"),
        ("en-GB", ["en-US", "en-GB"], "en-GB"),
        ("fr", ["de", "en"], None),
        ("e", ["en"], None),
        ("", ["en"], None),
        ("zh-Hans", ["zh"], "zh"),
        ("zh", ["zh-Hans"], "zh-Hans"),
        ("zt", ["zh-Hant"], "zh-Hant"),
        ("zh-TW", ["zh", "zt"], "zt"),
        ("zh-Hant", ["zh"], None),
        ("zt", ["zh-Hans"], None),
        ("zh", ["zh-Hant"], None),
        ("pb", ["pt", "pt-BR"], "pt-BR"),
        ("pt-BR", ["pb"], "pb"),
        ("PT-BR", ["pt"], "pt"),
        ("pt-PT", ["pb", "pt"], "pt"),
        ("pt", ["pt-BR"], "pt-BR"),
        ("nb", ["no"], "no"),
        ("sr-Latn", ["sr-Cyrl"], None),
    ],
)
def test_a_code_is_found_however_it_is_spelt(
    code: str, offered: list[str], found: str | None
) -> None:
    assert find(code, offered) == found


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("fr", "French"),
        ("EN", "English"),
        ("en-US", "English (American)"),
        ("pt-BR", "Portuguese (Brazilian)"),
        ("zh-Hant", "Chinese (traditional)"),
        ("gd", "Scottish Gaelic"),
        ("de-AT", "German"),
        ("tlh", "tlh"),
    ],
)
def test_a_language_has_an_english_name(code: str, name: str) -> None:
    assert language_names.of(code) == name
