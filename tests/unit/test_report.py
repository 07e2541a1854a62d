"""Whole reports: every file, nothing from elsewhere, and text that stays text."""

import csv
import json
import re
import sys
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from click.testing import CliRunner

from mt.errors import ConfigError
from tests.fake_comparison import HOSTILE, Fake, fake_comparison
from tests.tiny_run import random_pairs, write_corpus
from training.compare.outcome import Comparison, DataCondition, read_comparison
from training.compare.report import drawing, write_report
from training.compare.report.cli import report


class Tags(HTMLParser):
    """Tags of a page with their attributes, and its text outside of scripts and styles."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self._raw = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        self._raw = tag in ("script", "style")

    def handle_endtag(self, tag: str) -> None:
        self._raw = False

    def handle_data(self, data: str) -> None:
        if not self._raw:
            self.texts.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.found if name == tag]


@pytest.fixture(scope="module")
def folder(hostile_comparison: Path) -> Path:
    return hostile_comparison


@pytest.fixture(scope="module")
def comparison(folder: Path) -> Comparison:
    return read_comparison(folder)


@pytest.fixture(scope="module")
def pictures(folder: Path) -> Path:
    return folder / "report" / "pictures"


@pytest.fixture(scope="module")
def summary(folder: Path) -> str:
    return (folder / "report" / "summary.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def page(folder: Path) -> str:
    return (folder / "report" / "report.html").read_text(encoding="utf-8")


def test_every_picture_lies_beside_the_page(pictures: Path, page: str) -> None:
    names = [figure["data-picture"] for figure in Tags(page).all("figure")]
    assert len(names) == len(set(names)) >= 12
    for name in names:
        assert ET.parse(pictures / f"{name}.svg").getroot().tag.endswith("svg")
        assert (pictures / f"{name}.png").read_bytes().startswith(b"\x89PNG")
        with (pictures / f"{name}.csv").open(encoding="utf-8", newline="") as file:
            assert len(list(csv.reader(file))) > 1


def test_the_page_needs_nothing_else(page: str) -> None:
    tags = Tags(page)
    links = [attributes["href"] or "" for tag, attributes in tags.found if "href" in attributes]
    assert all(link.startswith("#") for link in links)
    sources = [attributes["src"] or "" for _, attributes in tags.found if "src" in attributes]
    assert all(source.startswith("data:image/svg+xml;base64,") for source in sources)
    assert not tags.all("link")
    assert "@import" not in page
    assert len(page) < 6_000_000
    (policy,) = (one for one in tags.all("meta") if "http-equiv" in one)
    assert (policy["content"] or "").startswith("default-src 'none'")
    assert "unsafe-inline" not in (policy["content"] or "").split("style-src")[0]


def test_addresses_lead_somewhere(page: str) -> None:
    tags = Tags(page)
    ids = [attributes["id"] for _, attributes in tags.found if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert {(link["href"] or "")[1:] for link in tags.all("a")} <= set(ids)


def test_text_of_the_corpus_stays_text(page: str) -> None:
    tags = Tags(page)
    assert len(tags.all("script")) == 3  # data, Vega, and ours
    assert not [one for one in tags.all("img") if "onerror" in one]
    assert HOSTILE.src in "".join(tags.texts)
    assert "{{ 7 * 7 }}" in "".join(tags.texts)
    data = re.search(r'<script type="application/json" id="pictures">(.*?)</script>', page, re.S)
    assert data is not None
    assert set(json.loads(data[1])) == {"themes", "pictures"}


def test_it_can_be_read_without_eyes_or_a_mouse(page: str) -> None:
    tags = Tags(page)
    assert tags.all("html")[0]["lang"] == "en"
    assert all(len(image["alt"] or "") > 20 for image in tags.all("img"))
    assert len(tags.all("caption")) == len(tags.all("table"))
    assert all(heading["scope"] == "col" for heading in tags.all("th"))
    levels = [int(tag[1]) for tag, _ in tags.found if re.fullmatch(r"h\d", tag)]
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


def test_it_says_how_it_was_made(page: str, comparison: Comparison, summary: str) -> None:
    text = "".join(Tags(page).texts)
    for fact in (comparison.command, str(comparison.revision), "torch", "one of chance"):
        assert fact in text
        assert fact in summary
    assert "nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp" in text
    assert text.index("Verdict") < text.index("Equal budgets") < text.index("Long sentences")
    assert all(note in text for note in comparison.protocol.checks)


def test_the_summary_links_pictures_that_are_there(summary: str, folder: Path) -> None:
    links = re.findall(r"\]\((pictures/[^)]*)\)", summary)
    assert links
    assert all((folder / "report" / link).is_file() for link in links)
    assert "<script" not in summary
    assert summary.count("| --- |") >= 2


def test_the_least_there_can_be_is_reported_too(tmp_path: Path) -> None:
    """One view, one seed, no joined sentences, no data sizes, no curves."""
    write_corpus(tmp_path)
    fake = Fake(
        tmp_path,
        random_pairs(8, seed=3),
        {"name": "gone"},
        conditions=[DataCondition(name="all")],
        name="least",
        seeds=[1],
    )
    full = fake.write()
    least = full.model_copy(
        update={
            "views": full.views[:1],
            "test_sets": full.test_sets[:1],
            "runs": tuple(run.model_copy(update={"curve": ()}) for run in full.runs),
            "results": tuple(
                one for one in full.results if (one.view, one.test_set) == ("tokens", "test")
            ),
            "summaries": tuple(
                one for one in full.summaries if (one.view, one.test_set) == ("tokens", "test")
            ),
            "contrasts": tuple(
                one for one in full.contrasts if (one.view, one.test_set) == ("tokens", "test")
            ),
        }
    )
    page = write_report(least, tmp_path, tmp_path / "report")[-1].read_text(encoding="utf-8")
    text = "".join(Tags(page).texts)
    for absent in ("Joined sentences", "How much data", "Learning curves", "Attention of"):
        assert absent not in text
    assert "training text was not at hand" in text
    assert "Mean scores of 1 seed on test" in text
    assert "is better than" not in text


def test_the_verb_makes_equal_files_again(folder: Path, tmp_path: Path) -> None:
    found = CliRunner().invoke(report, [str(folder), "--out", str(tmp_path)])
    assert found.exit_code == 0, found.output
    first = folder / "report"
    names = {path.relative_to(first) for path in first.rglob("*") if path.is_file()}
    assert f"{len(names)} files; read {tmp_path / 'report.html'}" in found.output
    assert {path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file()} == names
    for name in names:
        assert (tmp_path / name).read_bytes() == (first / name).read_bytes(), name


def test_the_verb_takes_other_bands(tmp_path: Path) -> None:
    fake_comparison(tmp_path, sentences=8)
    command = [str(tmp_path), "--length-bands", "1-3,4+"]
    assert CliRunner().invoke(report, command).exit_code == 0
    rows = (tmp_path / "report" / "pictures" / "bleu-by-length-test.csv").read_text("utf-8")
    assert {line.split(",")[1] for line in rows.splitlines()[1:]} <= {"1-3", "4+"}


def test_bad_bands_and_no_comparison_are_refused(folder: Path, tmp_path: Path) -> None:
    bad = CliRunner().invoke(report, [str(folder), "--length-bands", "many"])
    assert isinstance(bad.exception, ConfigError)
    none = CliRunner().invoke(report, [str(tmp_path)])
    assert isinstance(none.exception, ConfigError)
    assert "cannot be read" in str(none.exception)


def test_without_vl_convert_the_way_out_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "vl_convert", None)
    drawing.script.cache_clear()
    with pytest.raises(ConfigError, match=r"pip install 'seq2serve\[train\]'"):
        drawing.script()
