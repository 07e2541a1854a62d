"""TMX, PO and XLIFF as corpora: finished translations of the recipe's languages, streaming."""

import gzip
import tracemalloc
from pathlib import Path

import pytest

from mt.bilingual_files.languages import Languages, direction, is_language
from mt.errors import CorpusError
from training.corpora.pair import Pair
from training.corpora.readers import BilingualFile, PoFile, TmxFile, XliffFile, read_pairs

EN_DE = ("en", "de")
KINDS: dict[str, type[BilingualFile]] = {"po": PoFile, "tmx": TmxFile, "xlf": XliffFile}


def kept(folder: Path, name: str, text: str) -> BilingualFile:
    path = folder / name
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return KINDS[name.split(".")[1]](path=path)


def found(folder: Path, name: str, text: str, languages: Languages = EN_DE) -> list[Pair]:
    return list(read_pairs(kept(folder, name, text), languages))


def refused(folder: Path, name: str, text: str, languages: Languages = EN_DE) -> str:
    with pytest.raises(CorpusError) as caught:
        found(folder, name, text, languages)
    return str(caught.value).removeprefix(str(folder))


def test_languages_with_and_without_region() -> None:
    assert is_language("en-US", "en")
    assert is_language("pt_BR", "pt-br")
    assert not is_language("en", "en-US")
    assert not is_language("eng", "en")
    assert direction(("en-GB", "de"), EN_DE) == "straight"
    assert direction(("", "de"), EN_DE) == "straight"
    assert direction(("", "en"), EN_DE) == "turned"
    assert direction(("de", "en"), EN_DE) == "turned"
    assert direction(("en", "fr"), EN_DE) is None


PO = r"""# Translators: nobody
#, fuzzy
msgid ""
msgstr ""
"Content-Type: text/plain; charset=UTF-8\n"
"Language: de_AT\n"

#: a.c:3
#, c-format
msgid "%d <b>old</b> house\n"
"of\tmine"
msgstr "%d <b>altes</b> Haus\n"
"von \"mir\""

#, fuzzy, c-format
#| msgid "A cat."
msgid "A dog."
msgstr "Eine Katze."

msgid "Not yet."
msgstr ""

msgctxt "menu"
msgid "Open"
msgstr "Öffnen"

msgid "one file"
msgid_plural "many files"
msgstr[0] "eine Datei"
msgstr[1] "viele Dateien"

#, fuzzy
#~ msgid "Gone."
#~ msgstr "Fort."

msgid "Last"
msgstr "Letzte"
"""
PO_PAIRS = [
    ("%d old house of mine", '%d altes Haus von "mir"'),
    ("Open", "Öffnen"),
    ("one file", "eine Datei"),
    ("many files", "viele Dateien"),
    ("Last", "Letzte"),
]


@pytest.mark.parametrize("name", ["a.po", "a.po.gz"])
def test_finished_messages_of_a_catalogue(tmp_path: Path, name: str) -> None:
    assert found(tmp_path, name, PO) == PO_PAIRS
    assert found(tmp_path, name, PO.replace("\n", "\r\n")) == PO_PAIRS


def test_a_catalogue_may_be_turned_round(tmp_path: Path) -> None:
    turned = [(tgt, src) for src, tgt in PO_PAIRS]
    assert found(tmp_path, "a.po", PO, ("de", "en")) == turned
    told = PO.replace('"Language', '"X-Source-Language: en\\n"\n"Language')
    assert found(tmp_path, "a.po", told, ("de", "en")) == turned


def test_a_catalogue_without_a_header_is_taken_for_the_right_one(tmp_path: Path) -> None:
    assert found(tmp_path, "a.po", 'msgid "a"\nmsgstr "b"') == [("a", "b")]


def test_languages_with_one_plural_form(tmp_path: Path) -> None:
    text = 'msgid "one"\nmsgid_plural "many"\nmsgstr[0] "beides"\n'
    assert found(tmp_path, "a.po", text) == [("many", "beides")]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("msgid a\n", "/a.po, line 1 is none of a PO file"),
        ('msgid "a"\nmsgstr "b\n', "/a.po, line 2: quotes of a PO file must be closed"),
        ('msgid "a"\nmsgstr ""\n"b\n', "/a.po, line 3: quotes of a PO file must be closed"),
        ('msgid "a"\n\nmsgid "c"\n', "/a.po, line 3: a second msgid in one message"),
        ('msgstr "a"\n', "/a.po, line 1: msgstr without a msgid before it"),
        ('msgid "a"\nmsgstr "b"\n\nmsgid "c"\n', "/a.po, the last message has no msgstr"),
        ('msgid ""\nmsgstr "Language: fr"\n', "/a.po, its header says that it is in fr; expected"),
        ('msgid "a"\nmsgstr ""\n' + '"x"\n' * 20_000, "/a.po, line 10002: a message of more than"),
        ('msgid "a"\nmsgstr ""\n', "/a.po: no finished translation of the pair en-de"),
        ("", "/a.po: no finished translation of the pair en-de"),
    ],
)
def test_what_is_no_catalogue_is_refused_by_line(tmp_path: Path, text: str, problem: str) -> None:
    assert refused(tmp_path, "a.po", text).startswith(problem)


XLIFF_1 = """<?xml version="1.0"?>
<xliff version="1.2" xmlns="urn:oasis:names:tc:xliff:document:1.2">
<file original="a" source-language="en-US" target-language="de" datatype="plaintext"><body>
 <trans-unit id="1"><source>The <g id="1">old</g><x id="2" ctype="lb"/>house<ph id="3">%s</ph>.
  </source><seg-source>no</seg-source>
  <target>Das <g id="1">alte</g><x id="2" ctype="lb"/>Haus &amp; Hof.</target>
  <alt-trans><source>x</source><target>y</target></alt-trans></trans-unit>
 <trans-unit id="2"><source>Needs work</source>
  <target state="needs-translation">so</target></trans-unit>
 <trans-unit id="3"><source>Reviewed</source><target state="signed-off">fertig</target></trans-unit>
 <trans-unit id="4"><source>Not yet</source><target/></trans-unit>
 <trans-unit id="5" approved="no"><source>Draft</source><target>Entwurf</target></trans-unit>
 <trans-unit id="6"><source>By a machine</source>
  <target state="translated" state-qualifier="mt-suggestion">so</target></trans-unit>
 <group translate="no"><trans-unit id="7"><source>Name</source><target>Name</target></trans-unit>
  <trans-unit id="8" translate="yes"><source>Word</source><target>Wort</target></trans-unit></group>
 <trans-unit id="9"><source>No target</source></trans-unit>
</body></file>
<file original="b" source-language="en" target-language="fr" datatype="plaintext"><body>
 <trans-unit id="1"><source>French</source><target>français</target></trans-unit>
</body></file>
</xliff>
"""
XLIFF_2 = """<xliff xmlns="urn:oasis:names:tc:xliff:document:2.0" version="2.0"
 srcLang="en" trgLang="de" xmlns:mtc="urn:oasis:names:tc:xliff:matches:2.0">
<file id="f"><unit id="1">
 <mtc:matches><mtc:match ref="#m"><source>x</source><target>y</target></mtc:match></mtc:matches>
 <segment state="final"><source>An <pc id="1">old</pc> house<ph id="2"/>.</source>
  <target>Ein <pc id="1">altes</pc> Haus<ph id="2"/>.</target></segment>
 <ignorable><source>between</source><target>dazwischen</target></ignorable>
 <segment state="initial"><source>No</source><target>Nein</target></segment>
 <segment><source>Two</source><target>Zwei</target></segment></unit>
 <unit id="2" translate="no"><segment><source>Name</source><target>Name</target></segment></unit>
</file></xliff>
"""


def test_finished_units_of_xliff_1(tmp_path: Path) -> None:
    pairs = [
        ("The old house.", "Das alte Haus & Hof."),
        ("Reviewed", "fertig"),
        ("Word", "Wort"),
    ]
    assert found(tmp_path, "a.xlf", XLIFF_1) == pairs
    assert found(tmp_path, "a.xlf.gz", XLIFF_1, ("de", "en")) == [(b, a) for a, b in pairs]
    assert found(tmp_path, "a.xlf", XLIFF_1, ("en", "fr")) == [("French", "français")]


def test_finished_segments_of_xliff_2(tmp_path: Path) -> None:
    pairs = [("An old house.", "Ein altes Haus."), ("Two", "Zwei")]
    assert found(tmp_path, "a.xlf", XLIFF_2) == pairs


TMX = """<?xml version="1.0"?>
<!DOCTYPE tmx SYSTEM "tmx14.dtd">
<tmx version="1.4"><header srclang="en"/><body>
<tu><tuv xml:lang="en-US"><seg>An <hi>old</hi> <bpt i="1">&lt;b&gt;</bpt>house<ept i="1"/>.</seg>
 </tuv><tuv xml:lang="de"><seg>Ein altes
 Haus.</seg></tuv><tuv xml:lang="fr"><seg>Une maison.</seg></tuv></tu>
<tu><tuv xml:lang="en"><seg>only</seg></tuv></tu>
</body></tmx>
"""


def test_units_of_a_memory_in_both_languages(tmp_path: Path) -> None:
    assert found(tmp_path, "a.tmx", TMX) == [("An old house.", "Ein altes Haus.")]
    assert found(tmp_path, "a.tmx.gz", TMX, ("fr", "de")) == [("Une maison.", "Ein altes Haus.")]
    assert refused(tmp_path, "a.tmx", TMX, ("en", "it")) == (
        "/a.tmx: no finished translation of the pair en-it"
    )


BOMB = '<!DOCTYPE x [<!ENTITY a "aaaaaaaa"><!ENTITY b "&a;&a;">]>\n'


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("a.tmx", "<tmx>\n<body></tmx>", "/a.tmx, line 2: not XML (mismatched tag)"),
        ("a.xlf", "<xliff>\n<file>", "/a.xlf, line 2: not XML (no element found)"),
        ("a.xlf", "<html/>", "/a.xlf, line 1: no XLIFF, since it begins with another element"),
        ("a.tmx", BOMB + "<tmx/>", "/a.tmx, line 1: declares entities, which are not taken"),
        ("a.xlf", BOMB + "<xliff/>", "/a.xlf, line 1: declares entities, which are not taken"),
        ("a.xlf", "<xliff/>", "/a.xlf: no finished translation of the pair en-de"),
    ],
)
def test_what_is_no_such_xml_is_refused_by_line(
    tmp_path: Path, name: str, text: str, problem: str
) -> None:
    assert refused(tmp_path, name, text) == problem


def test_a_damaged_archive_and_a_missing_file(tmp_path: Path) -> None:
    path = tmp_path / "a.tmx.gz"
    path.write_bytes(gzip.compress(TMX.encode())[:-20])
    with pytest.raises(CorpusError, match=r"a\.tmx\.gz, line \d+: the compressed file ends too"):
        list(read_pairs(TmxFile(path=path), EN_DE))
    with pytest.raises(CorpusError, match=r"b\.po: no such file"):
        list(read_pairs(PoFile(path=tmp_path / "b.po"), EN_DE))


@pytest.mark.parametrize(
    ("name", "head", "unit", "tail"),
    [
        ("a.po.gz", "", 'msgid "a house {}"\nmsgstr "ein Haus"\n\n', ""),
        (
            "a.tmx.gz",
            '<tmx version="1.4"><header srclang="en"/><body>\n',
            '<tu><tuv xml:lang="en"><seg>a house {}</seg></tuv>'
            '<tuv xml:lang="de"><seg>ein Haus</seg></tuv></tu>\n',
            "</body></tmx>",
        ),
        (
            "a.xlf.gz",
            '<xliff version="2.0" srcLang="en" trgLang="de"><file id="f"><unit id="u">\n',
            "<segment><source>a house {}</source><target>ein Haus</target></segment>\n",
            "</unit></file></xliff>",
        ),
    ],
)
def test_a_file_is_never_in_memory_as_a_whole(
    tmp_path: Path, name: str, head: str, unit: str, tail: str
) -> None:
    text = head + "".join(unit.format(f"{n} {'old ' * 60}") for n in range(10_000)) + tail  # 3 MB
    source = kept(tmp_path, name, text)
    del text
    tracemalloc.start()
    count = sum(1 for _ in read_pairs(source, EN_DE))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 10_000
    assert peak < 1_000_000


def test_pairs_are_one_line_each(tmp_path: Path) -> None:
    text = 'msgid "a\\n\\n b"\nmsgstr "c\\r\\nd"'
    assert found(tmp_path, "a.po", text) == [("a b", "c d")]
