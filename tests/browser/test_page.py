"""A person translates on the page: a real server, a real Chromium."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from serving.translator import Translator
from tests.app_client import echo
from tests.browser.translator_page import TranslatorPage, expect
from tests.fake_bundle import fake_bundle
from tests.loopback import on_loopback

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Route

FOX = "The quick brown fox jumps."
HOSTILE = '<img src=x onerror="window.hacked=1"> & <script>window.hacked=2</script>'
SRT = "1\n00:00:01,000 --> 00:00:02,000\nThe quick brown fox.\n"


def model(name: str, source: str = "fr", target: str = "en", **facts: Any) -> Translator:
    given = {"name": name, "source_language": source, "target_language": target} | facts
    return echo(fake_bundle(**{"byte_fallback": True, **given}))


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    scores = [{"metric": "BLEU", "value": 31.25, "signature": "nrefs:1", "test_set": "t"}]
    models = [
        model("big", parameters=2_300_000, scores=scores),
        model("small"),
        model("rnn", family="gru"),
        model("back", "en", "fr"),
        model("german", "de", "en", byte_fallback=False),  # whose alternatives are in letters
    ]
    with on_loopback(*models, limits={"max_text_chars": 300}) as url:
        yield url


@pytest.fixture
def page(browser: "Browser", address: str) -> Iterator[TranslatorPage]:
    """One that must not have complained, nor asked for anything elsewhere, in the end."""
    opened = TranslatorPage(browser, address)
    yield opened
    assert opened.complaints == []
    opened.paths()
    opened.context.close()


def test_what_is_typed_is_translated(page: TranslatorPage) -> None:
    field = page.page.get_by_role("textbox", name="Text")
    field.press_sequentially("The fox.\n\n  Hello  dog.")
    expect(page.output()).to_have_text("The fox.\n\n  Hello  dog.", use_inner_text=True)
    expect(page.page.locator("#count")).to_have_text("23 / 300")
    assert {"/", "/v1/models", "/v1/translate", "/web/app.js"} <= page.paths()
    page.page.get_by_role("button", name="Clear the text").click()
    expect(page.output()).to_be_empty()
    expect(field).to_be_focused()


def test_what_is_typed_before_the_limits_are_known_is_counted(
    browser: "Browser", address: str
) -> None:
    page = TranslatorPage(browser, address)  # a text this long is refused, which is complained of
    held: list[Route] = []
    page.page.route("**/web/facts.json", lambda route: held.append(route))
    page.page.reload()
    page.page.locator("#text").fill("The fox. " * 40)
    count = page.page.locator("#count")
    expect(count).to_have_text("360")
    while not held:
        page.page.wait_for_timeout(20)
    held[0].continue_()
    expect(count).to_have_text("360 / 300")
    expect(count).to_contain_class("over")
    page.context.close()


def test_the_server_is_asked_once_the_typing_pauses(browser: "Browser", address: str) -> None:
    page = TranslatorPage(browser, address)
    expect(page.page.locator("#source")).to_have_value("fr")
    page.stop_the_clock()
    asked: list[str] = []
    page.page.on("request", lambda one: asked.append(one.post_data or ""))
    field = page.page.locator("#text")
    field.fill("The")
    page.page.clock.run_for(300)
    field.fill("The fox")
    page.page.clock.run_for(300)
    assert asked == []
    page.page.clock.run_for(100)
    expect(page.output()).to_have_text("The fox")
    assert len(asked) == 1
    assert '"text":"The fox"' in asked[0]


def test_an_answer_that_comes_too_late_is_dropped(page: TranslatorPage) -> None:
    held: list[Route] = []

    def hold_the_first(route: "Route") -> None:
        if held:
            route.continue_()
        else:
            held.append(route)

    page.page.route("**/v1/translate", hold_the_first)
    page.page.locator("#text").fill("The fox.")
    page.page.locator(".card.busy").first.wait_for()
    while not held:
        page.page.wait_for_timeout(20)
    page.type("The dog.")
    late = {"translations": [{"text": "too late"}], "model": "big", "usage": {}}
    held[0].fulfill(json=late)
    page.word("dog").hover()
    expect(page.output()).to_have_text("The dog.")


def test_models_are_chosen_and_told_apart(page: TranslatorPage) -> None:
    page.type(FOX)
    picker = page.card().get_by_label("Model")
    assert picker.locator("option").all_inner_texts() == ["big", "small", "rnn"]
    expect(page.card().locator(".facts")).to_have_text("Transformer · 2.3 M parameters · BLEU 31.3")
    with page.page.expect_request("**/v1/translate") as asked:
        picker.select_option("rnn")
    assert '"model":"rnn"' in (asked.value.post_data or "")
    expect(page.card().locator(".facts")).to_have_text("RNN (GRU)")


def test_an_rnn_stands_beside_a_transformer(page: TranslatorPage) -> None:
    page.type(FOX)
    beside = page.page.get_by_role("button", name="Side by side")
    beside.click()
    expect(beside).to_have_attribute("aria-pressed", "true")
    expect(page.card(1).get_by_label("Model")).to_have_value("rnn")
    expect(page.output(1)).to_have_text(FOX)
    page.point_at_source("fox")
    for number in (0, 1):
        expect(page.word("fox", number)).to_contain_class("lit")
    beside.click()
    expect(page.card(1)).to_have_count(0)
    expect(page.output()).to_have_text(FOX)


def test_languages_are_those_that_are_loaded(page: TranslatorPage) -> None:
    source = page.page.get_by_role("combobox", name="From")
    target = page.page.get_by_role("combobox", name="To")
    expect(source.locator("option")).to_have_text(
        ["French", "English", "German", "Detect language"]
    )
    page.type(FOX)
    swap = page.page.get_by_role("button", name="Swap languages")
    swap.click()
    expect(source).to_have_value("en")
    expect(target).to_have_value("fr")
    expect(page.card().get_by_label("Model")).to_have_value("back")
    expect(page.page.get_by_role("button", name="Side by side")).to_be_hidden()
    source.select_option("German")
    expect(target).to_have_value("en")
    expect(swap).to_be_disabled()


def test_the_language_is_detected(page: TranslatorPage) -> None:
    page.page.get_by_role("combobox", name="From").select_option("Detect language")
    page.page.locator("#text").fill("Der Hund läuft im Park, nicht wahr?")
    expect(page.page.locator("#detected")).to_contain_text("German, ")
    expect(page.page.get_by_role("button", name="Swap languages")).to_be_disabled()
    page.page.locator("#text").fill("Jane visite l'Afrique en septembre, n'est-ce pas?")
    expect(page.page.locator("#detected")).to_contain_text("French, ")
    page.page.get_by_role("button", name="Swap languages").click()
    expect(page.page.get_by_role("combobox", name="From")).to_have_value("en")


def test_a_word_lights_the_words_it_came_of_and_the_reverse(page: TranslatorPage) -> None:
    page.type(FOX)
    page.word("fox").hover()
    expect(page.source_word("fox")).to_contain_class("lit")
    expect(page.source_word("quick")).not_to_contain_class("lit")
    expect(page.card().locator(".about")).to_contain_text("fox · from fox ")
    page.point_at_source("quick")
    expect(page.word("quick")).to_contain_class("lit")
    expect(page.word("fox")).not_to_contain_class("lit")
    expect(page.source_word("fox")).not_to_contain_class("lit")
    page.page.mouse.move(5, 5)
    expect(page.word("quick")).not_to_contain_class("lit")


def test_typing_on_takes_the_light_off(page: TranslatorPage) -> None:
    page.type(FOX)
    page.word("fox").hover()
    expect(page.source_word("fox")).to_contain_class("lit")
    page.page.route("**/v1/translate", lambda route: None)  # no answer any more
    page.page.locator("#text").press_sequentially(" A")
    expect(page.page.locator("#mirror .word")).to_have_count(0)


def test_words_behind_emoji_are_lit_where_they_stand(page: TranslatorPage) -> None:
    page.type("😀 The fox 🦊 jumps.")
    page.word("jumps").hover()
    expect(page.source_word("jumps")).to_contain_class("lit")


def test_words_are_walked_through_by_keyboard(page: TranslatorPage) -> None:
    page.type(FOX)
    page.output().focus()
    page.page.keyboard.press("ArrowRight")
    expect(page.source_word("The")).to_contain_class("lit")
    page.page.keyboard.press("ArrowRight")
    expect(page.source_word("quick")).to_contain_class("lit")
    expect(page.source_word("The")).not_to_contain_class("lit")
    page.page.keyboard.press("Home")
    expect(page.source_word("The")).to_contain_class("lit")
    page.page.keyboard.press("Escape")
    expect(page.source_word("The")).not_to_contain_class("lit")
    page.page.locator("#text").focus()
    page.page.keyboard.press("Control+Home")
    page.page.keyboard.press("Control+ArrowRight")
    page.page.keyboard.press("Control+ArrowRight")
    page.page.keyboard.press("ArrowRight")
    expect(page.word("brown")).to_contain_class("lit")


def test_everything_is_reached_by_tab(page: TranslatorPage) -> None:
    page.type(FOX)
    page.page.get_by_role("link", name="Skip to the text").focus()
    name = "document.activeElement.id || document.activeElement.className"
    reached: list[str] = []
    for _ in range(16):
        page.page.keyboard.press("Tab")
        reached.append(page.page.evaluate(name))
    wanted = ["source", "swap", "target", "shade", "compare", "clear", "text", "open-file"]
    wanted += ["model", "translation", "copy"]
    assert list(dict.fromkeys(one for one in reached if one in wanted)) == wanted


def test_confidence_shades_words(page: TranslatorPage) -> None:
    page.type(FOX)
    doubt = page.word("fox").evaluate("word => getComputedStyle(word).getPropertyValue('--doubt')")
    assert 0 < float(doubt) < 1
    line = "word => getComputedStyle(word).textDecorationLine"
    assert page.word("fox").evaluate(line) == "underline"
    page.page.get_by_label("Shade unsure words").uncheck()
    assert page.word("fox").evaluate(line) == "none"


def test_another_translation_is_put_in_front_and_copied(page: TranslatorPage) -> None:
    page.page.get_by_role("combobox", name="From").select_option("German")
    page.type("Hello.")
    other = page.card().locator(".other").first
    wanted = other.inner_text()
    assert wanted != "Hello."
    other.click()
    expect(page.output()).to_have_text(wanted, use_inner_text=True)
    expect(page.card().locator(".other").first).to_have_text("Hello.")
    page.stop_the_clock()
    copy = page.card().locator(".copy")
    copy.click()
    expect(copy).to_have_text("Copied")
    assert page.page.evaluate("navigator.clipboard.readText()") == wanted
    page.page.clock.run_for(2_000)
    expect(copy).to_have_text("Copy")


def test_attention_is_a_table_too(page: TranslatorPage) -> None:
    page.type(f"{FOX}\nHello dog.")
    page.card().get_by_text("Attention, word by word").click()
    table = page.card().locator("table")
    expect(table.locator("caption")).to_have_text("Sentence 1 of 2")
    expect(table.locator("tbody tr")).to_have_count(6)
    row = table.locator("tbody tr", has_text="fox")
    assert row.locator("td").all_text_contents()[3] == "100 %"
    page.word("dog").hover()
    expect(table.locator("caption")).to_have_text("Sentence 2 of 2")
    expect(table.locator("thead th")).to_have_text(["Hello", "dog", "."])


def test_markup_that_is_typed_is_never_run(page: TranslatorPage) -> None:
    page.type(HOSTILE)
    page.card().get_by_text("Attention, word by word").click()
    page.word("window").first.hover()
    page.page.get_by_text("This request as a program").click()
    assert HOSTILE in page.page.locator("#mirror").inner_text()
    assert page.page.locator("main img, main script").count() == 0
    assert page.page.evaluate("window.hacked") is None


def test_the_request_runs_as_curl_and_as_python(page: TranslatorPage) -> None:
    text = 'It\'s "the" fox \\ 😀\nand $HOME.'
    page.type(text)
    page.page.get_by_text("This request as a program").click()
    page.stop_the_clock()  # else a button would not say "Copied" for long
    for name in ("curl", "python"):
        page.page.locator(f"#copy-{name}").click()
        expect(page.page.locator(f"#copy-{name}")).to_have_text("Copied")
        copied = page.page.evaluate("navigator.clipboard.readText()")
        program = ["bash", "-c", copied] if name == "curl" else [sys.executable, "-c", copied]
        done = subprocess.run(program, capture_output=True, timeout=60, check=True)
        said = done.stdout.decode()
        if name == "curl":
            said = json.loads(said)["translations"][0]["text"]
        assert said.strip() == text


def test_a_file_is_sent_and_comes_back(page: TranslatorPage, tmp_path: Path) -> None:
    file = tmp_path / "talk.srt"
    file.write_text(SRT, encoding="utf-8")
    with page.page.expect_file_chooser() as choosing:
        page.page.get_by_role("button", name="Translate a file").click()
    choosing.value.set_files(file)
    save = page.page.get_by_role("button", name="Save talk.en.srt")
    with page.page.expect_download() as downloading:
        save.click()
    assert downloading.value.suggested_filename == "talk.en.srt"
    assert Path(downloading.value.path()).read_text(encoding="utf-8") == SRT
    page.page.get_by_role("button", name="Take talk.srt off the list").click()
    expect(page.page.locator("#documents")).to_be_hidden()


def test_a_file_chosen_before_the_models_are_known_is_sent(
    page: TranslatorPage, tmp_path: Path
) -> None:
    held: list[Route] = []
    page.page.route("**/v1/models", lambda route: held.append(route))
    page.page.reload()
    file = tmp_path / "talk.srt"
    file.write_text(SRT, encoding="utf-8")
    page.page.locator("#file").set_input_files(file)
    while not held:
        page.page.wait_for_timeout(20)
    held[0].continue_()
    expect(page.page.get_by_role("button", name="Save talk.en.srt")).to_be_visible()
    assert len(held) == 1  # nothing was asked for twice


def test_a_file_that_cannot_be_read_is_refused_kindly(
    browser: "Browser", address: str, tmp_path: Path
) -> None:
    page = TranslatorPage(browser, address)  # browsers note a refusal in their console
    file = tmp_path / "tune.exe"
    file.write_bytes(b"MZ")
    page.page.locator("#file").set_input_files(file)
    expect(page.page.locator("#document-list .failed .state")).to_contain_text("end in .txt")
    page.context.close()


def test_errors_are_said_kindly(browser: "Browser", address: str) -> None:
    page = TranslatorPage(browser, address)  # browsers note a refusal in their console
    page.page.locator("#text").fill("The fox. " * 40)
    alert = page.card().get_by_role("alert")
    expect(alert).to_contain_text("The text cannot be translated")
    expect(alert).to_contain_text("at most 300")
    expect(page.page.locator("#count")).to_contain_class("over")
    page.type("The fox.")
    expect(alert).to_have_count(0)
    page.page.route("**/v1/translate", lambda route: route.abort())
    page.page.locator("#text").fill("The dog.")
    expect(alert).to_contain_text("The server cannot be reached")
    page.context.close()


def test_typing_on_asks_a_server_that_was_away(browser: "Browser", address: str) -> None:
    page = TranslatorPage(browser, address)
    page.page.route("**/v1/models", lambda route: route.abort(), times=1)
    page.page.reload()
    expect(page.page.locator("#notice")).to_contain_text("type on to try again")
    expect(page.page.locator("#swap")).to_be_disabled()
    page.type(FOX)
    expect(page.page.locator("#swap")).to_be_enabled()
    expect(page.page.locator("#notice")).to_be_hidden()
    page.context.close()


def test_a_key_is_asked_for_until_one_is_right(browser: "Browser", address: str) -> None:
    asked: list[str | None] = []

    def want_a_key(route: "Route") -> None:
        asked.append(route.request.headers.get("authorization"))
        if asked[-1] == "Bearer right":
            route.continue_()
        else:
            route.fulfill(status=401, json={"title": "A key is needed", "detail": "send one"})

    page = TranslatorPage(browser, address)
    page.page.route("**/v1/models", want_a_key)
    page.page.reload()
    form, notice = page.page.locator("#key-form"), page.page.locator("#notice")
    expect(notice).to_have_text("A key is needed: Send one.")
    page.page.locator("#text").fill(FOX)  # which waits for the key
    for key in ("wrong", "right"):
        page.page.wait_for_timeout(500)  # longer than a pause in typing
        form.get_by_label("This server asks for a key").fill(key)
        form.get_by_role("button").click()
    expect(page.output()).to_have_text(FOX)
    expect(form).to_be_hidden()
    assert asked == [None, "Bearer wrong", "Bearer right"]
    page.context.close()


def test_a_busy_server_is_asked_again(browser: "Browser", address: str) -> None:
    page = TranslatorPage(browser, address)
    expect(page.page.locator("#source")).to_have_value("fr")
    problem = {"title": "Too much is waiting already", "detail": "later", "request_id": "1"}
    busy = {"status": 429, "json": problem, "headers": {"Retry-After": "1"}}
    page.page.route("**/v1/translate", lambda route: route.fulfill(**busy), times=1)
    page.page.locator("#text").fill(FOX)
    expect(page.card().get_by_role("alert")).to_contain_text("Trying again in 1 s")
    expect(page.output()).to_have_text(FOX)
    page.context.close()
