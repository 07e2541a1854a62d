"""A report in a real Chromium: it draws, sorts, copies, fits a phone, prints, asks for nothing."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser

playwright = pytest.importorskip(
    "playwright.sync_api", reason="playwright is not installed: pip install 'seq2serve[dev]'"
)


@pytest.fixture(scope="module")
def address(hostile_comparison: Path) -> str:
    return (hostile_comparison / "report" / "report.html").as_uri()


class Watched:
    """A page, what it complained of, and what it asked for."""

    def __init__(self, browser: "Browser", address: str, width: int = 1280) -> None:
        context = browser.new_context(viewport={"width": width, "height": 900})
        context.grant_permissions(["clipboard-read", "clipboard-write"])
        self.page = context.new_page()
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self.page.on("console", lambda said: self.complaints.append(said.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda asked: self.requests.append(asked.url))
        self.page.goto(address)

    def scroll_through(self) -> int:
        """Bring every picture into sight and wait until all of them are drawn."""
        figures = self.page.locator("figure[data-picture]")
        for i in range(figures.count()):
            figures.nth(i).scroll_into_view_if_needed()
        self.page.wait_for_function(
            "document.querySelectorAll('figure.live').length"
            " === document.querySelectorAll('figure[data-picture]').length"
        )
        return int(figures.count())


@pytest.mark.parametrize("width", [1280, 375])
def test_every_picture_is_drawn_without_a_request_or_a_complaint(
    browser: "Browser", address: str, width: int
) -> None:
    watched = Watched(browser, address, width)
    drawn = watched.scroll_through()
    assert drawn >= 12
    assert watched.page.locator("figure .plot svg").count() == drawn
    assert watched.complaints == []
    assert [url for url in watched.requests if not url.startswith("data:")] == [address]
    wide = watched.page.evaluate("document.documentElement.scrollWidth")
    assert wide <= width  # the page itself never scrolls sideways
    assert watched.page.evaluate("window.hacked") is None


def test_a_table_sorts_by_mouse_and_by_keyboard(browser: "Browser", address: str) -> None:
    page = Watched(browser, address).page
    heading = page.locator("#table-scores th", has_text="BLEU (95 %)")
    at = heading.evaluate("heading => heading.cellIndex")

    def column() -> list[float]:
        cells = page.locator(f"#table-scores tbody td:nth-child({at + 1})")
        return [float(key) for key in cells.evaluate_all("all => all.map(c => c.dataset.key)")]

    before = column()
    heading.get_by_role("button").click()
    assert heading.get_attribute("aria-sort") == "ascending"
    assert column() == sorted(before)
    heading.get_by_role("button").press("Enter")
    assert heading.get_attribute("aria-sort") == "descending"
    assert column() == sorted(before, reverse=True)
    systems = page.locator("#table-scores th", has_text="System")
    systems.get_by_role("button").click()
    assert heading.get_attribute("aria-sort") is None
    at = systems.evaluate("heading => heading.cellIndex")
    names = page.locator(f"#table-scores tbody td:nth-child({at + 1})").all_inner_texts()
    assert names == sorted(names)


def test_data_of_a_picture_can_be_copied_and_read_as_a_table(
    browser: "Browser", address: str
) -> None:
    page = Watched(browser, address).page
    figure = page.locator("#picture-bleu-by-length-test")
    figure.locator(".copy").click()
    playwright.expect(figure.locator(".copy")).to_have_text("Copied")
    copied = page.evaluate("navigator.clipboard.readText()").splitlines()
    assert copied[0].split("\t")[:2] == ["system", "band"]
    figure.locator(".data summary").click()
    rows = figure.locator(".data tbody tr")
    playwright.expect(rows).to_have_count(len(copied) - 1)  # written once it is opened
    assert rows.first.locator("td").first.inner_text() == copied[1].split("\t")[0]


def test_a_system_can_be_picked_out_in_the_legend(browser: "Browser", address: str) -> None:
    watched = Watched(browser, address)
    watched.scroll_through()
    figure = watched.page.locator("#picture-bleu-by-length-test")
    faint = "marks => marks.filter(m => Number(m.getAttribute('opacity')) < 0.15).length"
    lines = figure.locator(".mark-line path")
    assert lines.evaluate_all(faint) == 0
    figure.locator(".role-legend-symbol path").first.click(force=True)
    watched.page.wait_for_timeout(200)
    assert lines.evaluate_all(faint) == lines.count() - 1
    assert watched.complaints == []


def test_print_shows_static_pictures_and_what_was_folded(
    browser: "Browser", address: str, tmp_path: Path
) -> None:
    watched = Watched(browser, address)
    watched.scroll_through()
    page = watched.page
    page.emulate_media(media="print")
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    image = page.locator("#picture-scores img.static").bounding_box()
    assert image is not None
    assert image["width"] > 300
    assert not page.locator("#picture-scores .plot").is_visible()
    assert page.locator("main details:not(.data):not([open])").count() == 0
    page.evaluate("window.dispatchEvent(new Event('afterprint'))")
    assert page.locator("main details[open]").count() == 0
    page.pdf(path=str(tmp_path / "report.pdf"), format="A4")
    assert (tmp_path / "report.pdf").stat().st_size > 50_000
    assert watched.complaints == []


def test_without_scripts_everything_is_still_there(browser: "Browser", address: str) -> None:
    page = browser.new_context(java_script_enabled=False).new_page()
    page.goto(address)
    image = page.locator("#picture-scores img.static")
    box = image.bounding_box()
    assert box is not None
    assert box["width"] > 300
    assert page.locator(".copy").first.is_hidden()


def test_dark_pages_have_light_labels(browser: "Browser", address: str) -> None:
    page = browser.new_context(color_scheme="dark").new_page()
    page.goto(address)
    page.locator("#picture-scores").scroll_into_view_if_needed()
    label = page.locator("#picture-scores .role-axis-label text").first
    label.wait_for(state="attached")
    assert label.get_attribute("fill") == "#e8eaed"
    page.emulate_media(color_scheme="light")
    playwright.expect(
        page.locator("#picture-scores .role-axis-label text").first
    ).to_have_attribute("fill", "#1b1f24")
