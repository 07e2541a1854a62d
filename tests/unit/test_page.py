"""The files of the page, and the policy they are sent under."""

from collections.abc import Iterator
from html.parser import HTMLParser
from importlib.resources import files

import pytest

from tests.app_client import AppClient, open_app, problem_of


@pytest.fixture(scope="module")
def client() -> Iterator[AppClient]:
    with open_app() as opened:
        yield opened


class Addresses(HTMLParser):
    """What a page refers to, and what it would run or style by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.inline: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.found += [given[name] or "" for name in ("src", "href") if name in given]
        self.inline += [name for name in given if name == "style" or name.startswith("on")]
        if tag == "style" or (tag == "script" and "src" not in given):
            self.inline.append(tag)


def test_everything_the_page_refers_to_is_served_here(client: AppClient) -> None:
    page = client.get("/")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    addresses = Addresses()
    addresses.feed(page.text)
    assert addresses.inline == []
    own = [one for one in addresses.found if not one.startswith("#")]
    assert set(own) == {"web/icon.svg", "web/style.css", "web/app.js"}
    for path in own:
        assert client.get(f"/{path}").status_code == 200


def test_every_file_is_of_a_kind_that_browsers_run(client: AppClient) -> None:
    names = sorted(one.name for one in (files("serving") / "web").iterdir())
    assert {"app.js", "index.html", "style.css"} < set(names)
    kinds = {
        "js": "text/javascript",
        "css": "text/css",
        "svg": "image/svg+xml",
        "html": "text/html",
    }
    for name in names:
        found = client.get(f"/web/{name}")
        assert found.headers["content-type"].startswith(kinds[name.rpartition(".")[2]])
        assert found.headers["x-content-type-options"] == "nosniff"
        policy = found.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; ")
        assert "unsafe" not in policy
        assert "http" not in policy


def test_a_file_that_the_browser_has_is_not_sent_again(client: AppClient) -> None:
    first = client.get("/web/app.js")
    assert first.headers["cache-control"] == "no-cache"
    again = client.get("/web/app.js", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    changed = client.get("/web/app.js", headers={"If-None-Match": '"other"'})
    assert changed.status_code == 200


@pytest.mark.parametrize("name", ["nothing.js", "..%2Fpage.py", "%2e%2e/page.py", "", "index.htm"])
def test_other_files_are_not_served(client: AppClient, name: str) -> None:
    problem_of(client.get(f"/web/{name}"), 404)


def test_the_page_is_told_the_limits() -> None:
    limits = {"max_text_chars": 77, "max_n_best": 3, "max_beam_size": 8}
    with open_app(limits=limits, documents={"max_bytes": 99}) as client:
        facts = client.get("/web/facts.json").json()
    assert (facts["max_text_chars"], facts["max_candidates"], facts["max_file_bytes"]) == (
        77,
        3,
        99,
    )
    assert {".srt", ".docx"} <= set(facts["file_endings"])


def test_the_page_can_be_switched_off() -> None:
    with open_app(page=False) as client:
        problem_of(client.get("/"), 404)
        problem_of(client.get("/web/app.js"), 404)
        assert client.translate().status_code == 200


def test_the_page_is_no_part_of_the_interface(client: AppClient) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    assert "/" not in paths
    assert not [path for path in paths if path.startswith("/web")]
