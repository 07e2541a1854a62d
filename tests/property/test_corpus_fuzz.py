"""Any bytes given as a corpus are pairs, or an error of ours in one line."""

import gzip
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mt.errors import CorpusError
from training.corpora.readers import (
    AnySource,
    JsonLinesFile,
    MosesFiles,
    PoFile,
    TextFile,
    TmxFile,
    TsvFile,
    XliffFile,
    read_pairs,
)

FORMATS: dict[str, Callable[[Path], AnySource]] = {
    "moses": lambda path: MosesFiles(source=path, target=path),
    "tsv": lambda path: TsvFile(path=path),
    "jsonl": lambda path: JsonLinesFile(path=path, source_key="a.b", target_key="c"),
    "text": lambda path: TextFile(path=path),
    "tmx": lambda path: TmxFile(path=path),
    "po": lambda path: PoFile(path=path),
    "xliff": lambda path: XliffFile(path=path),
}
PACK: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    ".gz": gzip.compress,
    ".zst": zstandard.ZstdCompressor().compress,
}
SEEDS = (
    b'msgid "one"\nmsgstr "eins"\nmsgctxt "x"\nmsgid_plural "two"\nmsgstr[0] "\\x"\n#, fuzzy\n',
    b'{"a": {"b": "one"}, "c": "eins"}\n',
    b"one\teins\ntwo\tzwei\n",
    b'<tmx version="1.4"><header srclang="en"/><body><tu><tuv xml:lang="en"><seg>one</seg></tuv>'
    b'<tuv xml:lang="de"><seg>ei<bpt i="1">&lt;b></bpt>ns</seg></tuv></tu></body></tmx>',
    b'<xliff version="1.2"><file source-language="en" target-language="de"><body><trans-unit>'
    b'<source>one</source><target state="final">eins</target></trans-unit></body></file></xliff>',
    b'<!DOCTYPE a [<!ENTITY b "cccccccc"><!ENTITY d "&b;&b;&b;">]><tmx>&d;</tmx>',
    b'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><xliff>&b;</xliff>',
)
pieces = st.sampled_from([seed[at : at + 9] for seed in SEEDS for at in range(0, len(seed), 9)])
contents = st.binary(max_size=80) | st.sampled_from(SEEDS) | st.lists(pieces).map(b"".join)


@pytest.mark.parametrize("name", FORMATS)
@settings(max_examples=60, deadline=None)
@given(contents, st.sampled_from(sorted(PACK)), st.integers(0, 60))
@example(b"[" * 200_000, "", 0)
@example(b'{"a":' * 100_000, "", 0)
@example(b"<a>" * 100_000, "", 0)
@example(b'{"a": {"b": ' + b"9" * 10_000 + b'}, "c": "x"}', "", 0)
def test_any_bytes_are_pairs_or_an_error(name: str, content: bytes, suffix: str, cut: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"corpus{suffix}")
        packed = PACK[suffix](content)
        path.write_bytes(packed[: len(packed) - cut] if suffix else packed)
        said, pairs = "", []
        try:
            pairs = list(read_pairs(FORMATS[name](path), ("en", "de")))
        except CorpusError as error:
            said = str(error)
    assert "\n" not in said
    assert len(said) < 1000
    assert all(isinstance(side, str) for pair in pairs for side in pair)
    assert "root:" not in "".join(side for pair in pairs for side in pair)
