"""The page in a browser, watched: what it asked for, what it complained of, how one uses it."""

from typing import TYPE_CHECKING, Any

import pytest

playwright = pytest.importorskip(
    "playwright.sync_api", reason="playwright is not installed: pip install 'seq2serve[dev]'"
)
expect = playwright.expect
expect.set_options(timeout=60_000)  # a busy machine; no test waits as long on an idle one

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator


class TranslatorPage:
    """The page of a server, opened in a context of its own."""

    def __init__(self, browser: "Browser", address: str, width: int = 1280, **context: Any) -> None:
        self.address = address
        self.context = browser.new_context(
            viewport={"width": width, "height": 900}, accept_downloads=True, **context
        )
        self.context.set_default_timeout(60_000)
        self.context.grant_permissions(["clipboard-read", "clipboard-write"])
        self.page = self.context.new_page()
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self.page.on("console", lambda said: self.complaints.append(said.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda asked: self.requests.append(asked.url))
        self.page.goto(address)

    def type(self, text: str) -> None:
        """Into the field, and wait for the translation."""
        self.page.locator("#text").fill(text)
        expect(self.output()).to_have_text(text, use_inner_text=True)

    def stop_the_clock(self) -> None:
        """Nothing happens after a while any more, unless the test says so."""
        self.page.clock.install(time=0)
        self.page.clock.pause_at(1_000)

    def card(self, number: int = 0) -> "Locator":
        return self.page.locator(".card").nth(number)

    def output(self, number: int = 0) -> "Locator":
        """The translation of one model; echoes of what was typed."""
        return self.card(number).locator(".translation")

    def word(self, text: str, number: int = 0) -> "Locator":
        """A word of the translation."""
        return self.output(number).locator(".word").get_by_text(text, exact=True)

    def source_word(self, text: str) -> "Locator":
        """A word of the text, behind the field."""
        return self.page.locator("#mirror .word").get_by_text(text, exact=True)

    def point_at_source(self, text: str) -> None:
        """Move the pointer over a word of the field."""
        box = self.source_word(text).bounding_box()
        assert box is not None
        self.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)

    def paths(self) -> set[str]:
        """Of everything that was asked for; none of it elsewhere."""
        own = [url.removeprefix(self.address) for url in self.requests]
        assert not [url for url in own if url.startswith("http")]
        return set(own)
