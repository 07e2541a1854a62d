"""Readers give back what was written; cleaning keeps only what it promises and counts the rest."""

import gzip
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from xml.sax.saxutils import escape

import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from training.corpora.cleaning import CleaningConfig, CleaningReport, clean
from training.corpora.pair import Pair
from training.corpora.readers import (
    JsonLinesFile,
    MosesFiles,
    PoFile,
    TmxFile,
    TsvFile,
    XliffFile,
    read_pairs,
)

PACK: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    ".gz": gzip.compress,
    ".zst": zstandard.ZstdCompressor().compress,
}
# Anything but what ends a line or a column; \r may stand anywhere but at the end of a line.
texts = st.text(st.characters(exclude_characters="\n\t", exclude_categories=["Cs"]), max_size=30)
sides = texts.filter(lambda text: text.strip() and text[-1] != "\r" and text[0] != "\ufeff")
corpora = st.lists(st.builds(Pair, sides, sides), min_size=1, max_size=20)


@settings(max_examples=60, deadline=None)
@given(corpora, st.sampled_from(sorted(PACK)), st.sampled_from(["\n", "\r\n"]), st.booleans())
def test_moses_pairs_come_back(pairs: list[Pair], suffix: str, end: str, ended: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        files = MosesFiles(source=Path(folder, f"a{suffix}"), target=Path(folder, f"b{suffix}"))
        for side, path in enumerate((files.source, files.target)):
            text = end.join(pair[side] for pair in pairs) + (end if ended else "")
            path.write_bytes(PACK[suffix](text.encode()))
        assert list(read_pairs(files)) == pairs


@settings(max_examples=30, deadline=None)
@given(corpora, st.sampled_from(sorted(PACK)))
def test_table_rows_come_back(pairs: list[Pair], suffix: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = TsvFile(path=Path(folder, f"a{suffix}"), source_column=3, target_column=1)
        text = "".join(f"{tgt}\tother\t{src}\n" for src, tgt in pairs)
        file.path.write_bytes(PACK[suffix](text.encode()))
        assert list(read_pairs(file)) == pairs


@settings(max_examples=30, deadline=None)
@given(corpora, st.sampled_from(sorted(PACK)), st.booleans())
def test_json_lines_come_back(pairs: list[Pair], suffix: str, ascii_only: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = JsonLinesFile(path=Path(folder, f"a{suffix}"))
        rows = ({"source": src, "target": tgt} for src, tgt in pairs)
        text = "".join(json.dumps(row, ensure_ascii=ascii_only) + "\n" for row in rows)
        file.path.write_bytes(PACK[suffix](text.encode()))
        assert list(read_pairs(file)) == pairs


lines = st.text('ab ж"\\\\&;%{}\n\té😀', min_size=1, max_size=30).filter(lambda text: text.strip())


def on_one_line(texts: tuple[str, str]) -> Pair:
    return Pair(*(" ".join(text.split()) for text in texts))


def po_text(text: str) -> str:
    for letter, written in (("\\", "\\\\"), ('"', '\\"'), ("\t", "\\t"), ("\n", '\\n"\n"')):
        text = text.replace(letter, written)
    return f'"{text}"'


def po_unit(src: str, tgt: str, finished: bool) -> str:
    flag = "" if finished else "#, fuzzy\n"
    return f"{flag}msgid {po_text(src)}\nmsgstr {po_text(tgt)}\n\n"


def xliff_unit(src: str, tgt: str, finished: bool) -> str:
    state = "translated" if finished else "initial"
    return (
        f'<segment state="{state}"><source>{escape(src)}</source>'
        f'<target><pc id="1">{escape(tgt)}</pc></target></segment>'
    )


def tmx_unit(src: str, tgt: str, finished: bool) -> str:
    code = "de-AT" if finished else "fr"
    return (
        f'<tu><tuv xml:lang="en"><seg>{escape(src)}</seg></tuv>'
        f'<tuv xml:lang="{code}"><seg><ph>x</ph>{escape(tgt)}</seg></tuv></tu>'
    )


XLIFF = '<xliff version="2.0" srcLang="en" trgLang="de"><file id="f"><unit id="u">{}</unit></file>'
BILINGUAL = {
    PoFile: (po_unit, "{}"),
    XliffFile: (xliff_unit, f"{XLIFF}</xliff>"),
    TmxFile: (tmx_unit, '<tmx version="1.4"><header srclang="en"/><body>{}</body></tmx>'),
}


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.tuples(lines, lines, st.booleans()), max_size=12),
    st.sampled_from(sorted(BILINGUAL, key=str)),
    st.sampled_from(sorted(PACK)),
    st.booleans(),
)
def test_finished_translations_come_back_and_no_others(
    units: list[tuple[str, str, bool]],
    kind: type[PoFile | XliffFile | TmxFile],
    suffix: str,
    turned: bool,
) -> None:
    write, frame = BILINGUAL[kind]
    units = [("first", "erstes", True), *units]
    expected = [on_one_line((src, tgt)) for src, tgt, finished in units if finished]
    with tempfile.TemporaryDirectory() as folder:
        file = kind(path=Path(folder, f"a{suffix}"))
        text = frame.format("".join(write(*unit) for unit in units))
        file.path.write_bytes(PACK[suffix](text.encode()))
        told = kind is not PoFile  # which may say nothing of its languages
        languages = ("de", "en") if turned and told else ("en", "de")
        found = list(read_pairs(file, languages))
    assert found == ([Pair(tgt, src) for src, tgt in expected] if turned and told else expected)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.builds(Pair, st.text("ab ж", max_size=9), st.text("ab ж", max_size=9)), max_size=30
    ),
    st.builds(
        CleaningConfig,
        max_words=st.integers(1, 4),
        max_chars=st.integers(1, 9),
        max_length_ratio=st.floats(1, 5),
        drop_copies=st.booleans(),
        source_script=st.sampled_from([None, "Latin"]),
    ),
)
def test_cleaning_keeps_what_it_promises(pairs: list[Pair], config: CleaningConfig) -> None:
    report = CleaningReport()
    kept = list(clean(pairs, config, report))
    assert report.read == len(pairs)
    assert report.kept == len(kept)
    assert report.read == report.kept + sum(lost.count for lost in report.dropped.values())
    assert len(set(kept)) == len(kept)
    for src, tgt in kept:
        assert min(len(src.split()), len(tgt.split())) >= 1
        assert max(len(src.split()), len(tgt.split())) <= config.max_words
        assert max(len(src), len(tgt)) <= config.max_chars
        assert not (config.drop_copies and src == tgt)
    assert list(clean(kept, config)) == kept  # once clean, clean
