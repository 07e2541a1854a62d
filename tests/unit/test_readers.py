import gzip
import json
import tracemalloc
from pathlib import Path

import pytest
import zstandard

from mt.errors import CorpusError
from training.corpora.lines import MAX_LINE_BYTES, read_lines
from training.corpora.pair import Pair
from training.corpora.readers import JsonLinesFile, MosesFiles, TextFile, TsvFile, read_pairs


def write(path: Path, data: bytes) -> Path:
    """Write bytes as the suffix says they are stored."""
    if path.suffix == ".gz":
        data = gzip.compress(data)
    elif path.suffix == ".zst":
        data = zstandard.ZstdCompressor().compress(data)
    path.write_bytes(data)
    return path


def moses(folder: Path, src: bytes, tgt: bytes, suffix: str = "") -> MosesFiles:
    return MosesFiles(
        source=write(folder / f"a.en{suffix}", src), target=write(folder / f"a.de{suffix}", tgt)
    )


@pytest.mark.parametrize("suffix", ["", ".gz", ".zst"])
def test_moses_pairs_in_every_compression(tmp_path: Path, suffix: str) -> None:
    source = moses(tmp_path, b"one\ntwo\n", "eins\nzwölf\n".encode(), suffix)
    assert list(read_pairs(source)) == [Pair("one", "eins"), Pair("two", "zwölf")]


def test_plain_text_is_both_sides(tmp_path: Path) -> None:
    source = TextFile(path=write(tmp_path / "a.txt.gz", b"one\n\ntwo\n"))
    assert list(read_pairs(source)) == [Pair("one", "one"), Pair("", ""), Pair("two", "two")]


@pytest.mark.parametrize("suffix", ["", ".gz", ".zst"])
def test_tsv_columns_in_any_order(tmp_path: Path, suffix: str) -> None:
    path = write(tmp_path / f"a.tsv{suffix}", b"1\teins\tone\n2\tzwei\ttwo\n")
    source = TsvFile(path=path, source_column=3, target_column=2)
    assert list(read_pairs(source)) == [Pair("one", "eins"), Pair("two", "zwei")]


@pytest.mark.parametrize("suffix", ["", ".gz", ".zst"])
def test_json_lines_with_keys_that_lead_inside(tmp_path: Path, suffix: str) -> None:
    line = json.dumps({"id": 1, "translation": {"en": "one", "de": "eins"}})
    path = write(tmp_path / f"a.jsonl{suffix}", f"{line}\n".encode())
    source = JsonLinesFile(path=path, source_key="translation.en", target_key="translation.de")
    assert list(read_pairs(source)) == [Pair("one", "eins")]


def test_a_line_break_inside_a_json_text_becomes_a_space(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", b'{"source": "a\\nb", "target": "c\\r\\nd"}\n')
    assert list(read_pairs(JsonLinesFile(path=path))) == [Pair("a b", "c d")]


def test_only_the_line_end_is_stripped(tmp_path: Path) -> None:
    path = write(tmp_path / "a", b"  one \r\ntwo\t\n\nlast")
    assert list(read_lines(path)) == ["  one ", "two\t", "", "last"]


@pytest.mark.parametrize("separator", ["\u2028", "\x85", "\x0c", "\x0b", "\x1c", "\r"])
def test_only_a_line_feed_ends_a_line(tmp_path: Path, separator: str) -> None:
    text = f"one{separator}more"
    path = write(tmp_path / "a", f"{text}\ntwo\n".encode())
    assert list(read_lines(path)) == [text, "two"]


def test_byte_order_mark_is_dropped_at_the_start_only(tmp_path: Path) -> None:
    path = write(tmp_path / "a", "\ufeffone\n\ufefftwo\n".encode())
    assert list(read_lines(path)) == ["one", "\ufefftwo"]


def test_several_zstd_frames_are_one_file(tmp_path: Path) -> None:
    frames = [zstandard.ZstdCompressor().compress(text) for text in (b"on", b"e\ntw", b"o\n")]
    path = tmp_path / "a.zst"
    path.write_bytes(b"".join(frames))
    assert list(read_lines(path)) == ["one", "two"]


@pytest.mark.parametrize(("src", "tgt"), [(b"1\n2\n", b"1\n2\n3\n4\n"), (b"1\n2\n3\n", b"1\n2\n")])
def test_files_of_different_length_are_both_named(tmp_path: Path, src: bytes, tgt: bytes) -> None:
    with pytest.raises(CorpusError, match=r"a\.\w\w ends after line 2, but .*a\.\w\w has a line 3"):
        list(read_pairs(moses(tmp_path, src, tgt)))


@pytest.mark.parametrize("suffix", ["", ".gz", ".zst"])
def test_invalid_utf8_names_the_line(tmp_path: Path, suffix: str) -> None:
    source = moses(tmp_path, b"1\n2\n3\n", b"1\n2\nz\xfcrich\n", suffix)
    with pytest.raises(CorpusError, match=r"a\.de\S*, line 3: not valid UTF-8 \(byte 2"):
        list(read_pairs(source))


def test_missing_column_names_the_line(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tsv", b"a\tb\nc\n")
    with pytest.raises(CorpusError, match=r"a\.tsv, line 2: has 1 columns, column 2 is missing"):
        list(read_pairs(TsvFile(path=path)))


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (b"{not json", "not valid JSON"),
        (b"[" * 100_000, "not valid JSON"),
        (b"[1]", "the key source is missing"),
        (b'{"source": "a"}', "the key target is missing"),
        (b'{"source": "a", "target": 3}', "the value of target is not a text"),
        (b'{"source": "\\ud800", "target": "b"}', "half a surrogate pair"),
    ],
)
def test_bad_json_names_the_line(tmp_path: Path, line: bytes, problem: str) -> None:
    path = write(tmp_path / "a.jsonl", b'{"source": "a", "target": "b"}\n' + line + b"\n")
    with pytest.raises(CorpusError, match=rf"a\.jsonl, line 2: {problem}|line 2: .*{problem}"):
        list(read_pairs(JsonLinesFile(path=path)))


def test_missing_file_and_folder(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"nothing: no such file"):
        list(read_lines(tmp_path / "nothing"))
    with pytest.raises(CorpusError, match=r"cannot be read \(Is a directory\)"):
        list(read_lines(tmp_path))


@pytest.mark.parametrize("suffix", [".gz", ".zst"])
def test_truncated_compressed_file(tmp_path: Path, suffix: str) -> None:
    text = "".join(f"line {number * number}\n" for number in range(50_000))
    whole = write(tmp_path / f"a{suffix}", text.encode()).read_bytes()
    path = tmp_path / f"cut{suffix}"
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(CorpusError, match=r"line \d+: the compressed file ends too early"):
        list(read_lines(path))


@pytest.mark.parametrize("suffix", [".gz", ".zst"])
def test_file_that_is_not_what_its_suffix_says(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    path.write_bytes(b"plain text\n" * 10)
    with pytest.raises(CorpusError, match=rf"line 1: not valid {suffix[1:]} data"):
        list(read_lines(path))


def test_damaged_gzip(tmp_path: Path) -> None:
    data = bytearray(gzip.compress(bytes(range(256)) * 100))
    data[20:30] = b"\xff" * 10
    path = tmp_path / "a.gz"
    path.write_bytes(data)
    with pytest.raises(CorpusError, match="not valid gz data"):
        list(read_lines(path))


@pytest.mark.parametrize(("src", "tgt"), [(b"", b""), (b"a\nb\n", b"\n \n"), (b"\n", b"a\n")])
def test_corpus_without_a_pair(tmp_path: Path, src: bytes, tgt: bytes) -> None:
    with pytest.raises(CorpusError, match=r"a\.en and .*a\.de: no pair with text on both sides"):
        list(read_pairs(moses(tmp_path, src, tgt)))


def test_one_file_without_a_line(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"a\.de ends after line 0"):
        list(read_pairs(moses(tmp_path, b"a\n", b"")))


def test_a_line_without_end_is_refused_early(tmp_path: Path) -> None:
    path = write(tmp_path / "a", b"one\n" + b"x" * (3 * MAX_LINE_BYTES))
    with pytest.raises(CorpusError, match=r"a, line 2: longer than \d+ bytes"):
        list(read_lines(path))


def test_a_corpus_is_never_in_memory_as_a_whole(tmp_path: Path) -> None:
    text = b"a sentence of some length, again and again\n" * 50_000  # 2.2 MB a side
    source = moses(tmp_path, text, text, ".gz")
    del text
    tracemalloc.start()
    count = sum(1 for _ in read_pairs(source))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 50_000
    assert peak < 1_000_000
