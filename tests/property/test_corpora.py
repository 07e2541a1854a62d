"""Readers give back what was written; cleaning keeps only what it promises and counts the rest."""

import gzip
import json
import tempfile
from collections.abc import Callable
from pathlib import Path

import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from training.corpora.cleaning import CleaningConfig, CleaningReport, clean
from training.corpora.pair import Pair
from training.corpora.readers import JsonLinesFile, MosesFiles, TsvFile, read_pairs

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
