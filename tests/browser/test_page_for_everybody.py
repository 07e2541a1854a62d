"""The page for those who see, read or point otherwise; on phones; and with keys."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from serving.stores.api_keys import ApiKeys
from serving.translator import Translator
from tests.app_client import echo
from tests.browser.translator_page import TranslatorPage, expect
from tests.fake_bundle import fake_bundle
from tests.loopback import on_loopback

if TYPE_CHECKING:
    from playwright.sync_api import Browser

axe = pytest.importorskip(
    "axe_playwright_python.sync_playwright",
    reason="axe-playwright-python is not installed: pip install 'seq2serve[dev]'",
)
TEXT = "The quick brown fox jumps.\nHello dog."


def models() -> list[Translator]:
    families = {"big": "transformer", "rnn": "gru"}
    return [
        echo(fake_bundle(byte_fallback=True, name=name, family=family))
        for name, family in families.items()
    ]


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with on_loopback(*models(), limits={"max_text_chars": 300}) as url:
        yield url


def violations(page: TranslatorPage) -> list[str]:
    """What axe-core finds wrong, by rule and place."""
    found = axe.Axe().run(page.page).response["violations"]
    return [f"{one['id']}: {node['target']}" for one in found for node in one["nodes"]]


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 1280), ("light", 390)])
def test_axe_finds_nothing_wrong(
    browser: "Browser", address: str, scheme: Any, width: int, tmp_path: Path
) -> None:
    page = TranslatorPage(browser, address, width, color_scheme=scheme)
    expect(page.page.locator("#source")).to_have_value("fr")
    assert violations(page) == []
    page.type(TEXT)
    page.page.get_by_role("button", name="Side by side").click()
    expect(page.output(1)).to_have_text(TEXT, use_inner_text=True)
    page.card().get_by_text("Attention, word by word").click()
    page.page.get_by_text("This request as a program").click()
    file = tmp_path / "a.txt"
    file.write_text("The fox.")
    page.page.locator("#file").set_input_files(file)
    expect(page.page.get_by_role("button", name="Save a.en.txt")).to_be_visible()
    page.word("fox").hover()
    expect(page.source_word("fox")).to_contain_class("lit")
    assert violations(page) == []
    wide = page.page.evaluate("document.documentElement.scrollWidth")
    assert wide <= width  # the page itself never scrolls sideways
    page.page.locator("#text").fill("The fox. " * 40)
    expect(page.card().get_by_role("alert")).to_be_visible()
    assert violations(page) == []
    page.context.close()


def test_dark_pages_are_dark(browser: "Browser", address: str) -> None:
    page = TranslatorPage(browser, address, color_scheme="dark")
    ground = "getComputedStyle(document.body).backgroundColor"
    dark = page.page.evaluate(ground)
    page.page.emulate_media(color_scheme="light")
    light = page.page.evaluate(ground)
    assert brightness(dark) < 60 < 200 < brightness(light)
    page.context.close()


def brightness(colour: str) -> float:
    """Of `rgb(1, 2, 3)`, 0 to 255."""
    parts = [float(one) for one in colour.strip("rgb()").split(",")]
    return sum(parts) / 3


def test_a_finger_points_too(browser: "Browser", address: str) -> None:
    page = TranslatorPage(browser, address, 390, has_touch=True, is_mobile=True)
    page.page.locator("#text").fill(TEXT)
    expect(page.output()).to_have_text(TEXT, use_inner_text=True)
    page.word("fox").tap()
    expect(page.source_word("fox")).to_contain_class("lit")
    panes = [page.page.locator("#source-pane"), page.card()]
    above, below = (pane.bounding_box() for pane in panes)
    assert above is not None
    assert below is not None
    assert above["y"] + above["height"] <= below["y"]
    page.context.close()


def test_a_key_is_asked_for_where_one_is_needed(browser: "Browser", tmp_path: Path) -> None:
    keys = ApiKeys(tmp_path)
    key = keys.create("page")
    keys.close()
    with on_loopback(*models(), data_dir=str(tmp_path)) as url:
        page = TranslatorPage(browser, url)
        field = page.page.get_by_label("This server asks for a key")
        field.fill("wrong")
        field.press("Enter")
        expect(page.page.get_by_role("alert")).to_contain_text("The API key is not accepted")
        field.fill(key)
        page.page.get_by_role("button", name="Use it").click()
        expect(field).to_be_hidden()
        page.type(TEXT)
        file = tmp_path / "a.txt"
        file.write_text("The fox.")
        page.page.locator("#file").set_input_files(file)
        save = page.page.get_by_role("button", name="Save a.en.txt")
        with page.page.expect_download() as downloading:
            save.click()
        assert Path(downloading.value.path()).read_text() == "The fox."
        page.page.get_by_text("This request as a program").click()
        expect(page.page.locator("#curl")).to_contain_text("Authorization: Bearer YOUR-KEY")
        assert key not in page.page.content()
        page.context.close()
