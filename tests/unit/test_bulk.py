"""Bulk translation: shards that cover a file, never done twice, and each text exactly once."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mt.errors import BundleError, ConfigError, InputError
from mt.search_options import SearchOptions
from serving.bulk import bulk, shards, tables
from serving.bulk.bulk import Done, Workers, attempt, here
from serving.bulk.shards import Order, Pairs, Shard
from serving.bulk.tables import Span
from serving.commands import file_jobs
from serving.settings import OFFLINE, EngineSettings
from serving.translator import Translator
from tests.echo_bundle import write_echo_bundle

LINES = ["Il dort.", "", "Elle ne mange pas.", "Jane visite l'Afrique en septembre."] * 5


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bundle") / "echo"
    write_echo_bundle(folder)
    return folder


@pytest.fixture(autouse=True)
def _small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shards, "SHARD_BYTES", 50)
    monkeypatch.setattr(shards, "SHARD_ROWS", 3)


def order_by(bundle: Path, **changes: Any) -> Order:
    return Order(bundle, EngineSettings(), SearchOptions(beam_size=1), **changes)


def write_lines(path: Path, lines: Sequence[str] = LINES) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def hidden(out: Path) -> list[str]:
    return [one.name for one in out.rglob("*") if one.name.startswith(".")]


@settings(deadline=None, max_examples=60)
@given(st.lists(st.text("aü \r", max_size=8), max_size=12), st.integers(1, 20), st.booleans())
def test_shards_of_lines_have_every_line_once(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str], size: int, ended: bool
) -> None:
    path = tmp_path_factory.mktemp("cut") / "a.txt"
    path.write_bytes("\n".join(lines).encode() + (b"\n" if ended and lines else b""))
    expected = path.read_bytes().decode().split("\n")
    expected = expected[:-1] if expected[-1] == "" else expected
    found = [tables.read(path, span, "text").texts for span in tables.cut(path, size, 1)]
    assert [line for some in found for line in some] == [one.removesuffix("\r") for one in expected]


def test_files_of_lines_come_out_line_by_line(tmp_path: Path, bundle: Path) -> None:
    first = write_lines(tmp_path / "in" / "a.txt")
    write_lines(tmp_path / "in" / "deep" / "b.txt", ["Il dort."])
    (tmp_path / "in" / "empty.txt").touch()
    jobs = file_jobs.plan([str(tmp_path / "in")], tmp_path / "out", tables.ENDINGS)
    bulk.run(jobs, order_by(bundle))
    assert (tmp_path / "out" / "a.txt").read_text() == first.read_text()
    assert (tmp_path / "out" / "deep" / "b.txt").read_text() == "Il dort.\n"
    assert (tmp_path / "out" / "empty.txt").read_text() == ""
    assert hidden(tmp_path / "out") == []


def test_json_lines_keep_their_fields_and_gain_the_translation(
    tmp_path: Path, bundle: Path
) -> None:
    rows = [{"id": number, "fr": line} for number, line in enumerate(LINES)]
    write_lines(tmp_path / "a.jsonl", [json.dumps(row) for row in rows])
    jobs = file_jobs.plan([str(tmp_path / "a.jsonl")], tmp_path / "b.jsonl")
    bulk.run(jobs, order_by(bundle, field="fr"))
    found = [json.loads(line) for line in (tmp_path / "b.jsonl").read_text().splitlines()]
    assert found == [row | {"translation": row["fr"]} for row in rows]


def test_parquet_keeps_its_columns_and_gains_the_translation(tmp_path: Path, bundle: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    table = pyarrow.table({"id": list(range(20)), "text": LINES})
    parquet.write_table(table, tmp_path / "a.parquet", row_group_size=7)
    jobs = file_jobs.plan([str(tmp_path / "a.parquet")], tmp_path / "b.parquet")
    bulk.run(jobs, order_by(bundle))
    found = parquet.read_table(tmp_path / "b.parquet").to_pydict()
    assert found == {"id": list(range(20)), "text": LINES, "translation": LINES}
    with pytest.raises(InputError, match="no column is named fr"):
        tables.read(tmp_path / "a.parquet", Span(0, 3, 1), "fr")


def killed_after(count: int) -> Workers:
    """Workers whose machine goes out after some shards."""

    def work(order: Order, wanted: Sequence[Shard]) -> Iterator[Done]:
        yield from here(order, wanted[:count])
        raise KeyboardInterrupt

    return work


def test_finished_shards_are_not_done_again(tmp_path: Path, bundle: Path) -> None:
    source = write_lines(tmp_path / "a.txt")
    jobs = file_jobs.plan([str(source)], tmp_path / "out.txt")
    order, counts = order_by(bundle), list[int]()
    with pytest.raises(KeyboardInterrupt):
        bulk.run(jobs, order, killed_after(4))
    assert not jobs[0].target.exists()

    def counted(order: Order, wanted: Sequence[Shard]) -> Iterator[Done]:
        counts.append(len(wanted))
        yield from here(order, reversed(wanted))  # type: ignore[arg-type]

    total = len(tables.cut(source, 50, 3))
    bulk.run(jobs, order, counted)
    assert counts == [total - 4]
    assert jobs[0].target.read_text() == source.read_text()
    bulk.run(jobs, order, counted)
    assert counts == [total - 4]


def test_a_shard_done_twice_is_written_once(tmp_path: Path, bundle: Path) -> None:
    source = write_lines(tmp_path / "a.txt")
    jobs = file_jobs.plan([str(source)], tmp_path / "out.txt")

    def twice(order: Order, wanted: Sequence[Shard]) -> Iterator[Done]:
        with Translator.open(order.bundle, order.engine, OFFLINE) as translator:
            attempt(translator, order, wanted[0])  # by a worker that died before it could tell
        yield from here(order, wanted)

    bulk.run(jobs, order_by(bundle), twice)
    assert jobs[0].target.read_text() == source.read_text()


def test_another_order_does_not_continue_a_job(tmp_path: Path, bundle: Path) -> None:
    jobs = file_jobs.plan([str(write_lines(tmp_path / "a.txt"))], tmp_path / "out.txt")
    with pytest.raises(KeyboardInterrupt):
        bulk.run(jobs, order_by(bundle), killed_after(1))
    with pytest.raises(ConfigError, match=r"\.out\.txt\.shards was begun with another file"):
        bulk.run(jobs, order_by(bundle, field="fr"))


def test_one_bad_file_stops_no_other(
    tmp_path: Path, bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_lines(tmp_path / "in" / "good.txt")
    (tmp_path / "in" / "bad.txt").write_bytes(b"Il dort.\n\xff\n")
    (tmp_path / "in" / "bad.jsonl").write_text("{}\n")
    jobs = file_jobs.plan([str(tmp_path / "in")], tmp_path / "out", tables.ENDINGS)
    with pytest.raises(ConfigError, match="2 of 3 files failed"):
        bulk.run(jobs, order_by(bundle))
    said = capsys.readouterr().err
    assert "bad.txt: byte 10 is not UTF-8" in said
    assert "bad.jsonl: a line has no text named text; choose another by --field" in said
    assert (tmp_path / "out" / "good.txt").is_file()
    assert not (tmp_path / "out" / "bad.txt").exists()


def test_pairs_to_train_on(tmp_path: Path, bundle: Path) -> None:
    jobs = file_jobs.plan([str(write_lines(tmp_path / "a.txt"))], tmp_path / "out.jsonl")
    bulk.run(jobs, order_by(bundle, pairs=Pairs("target", "<BT>")))
    found = [json.loads(line) for line in jobs[0].target.read_text().splitlines()]
    assert found == [{"source": f"<BT> {line}", "target": line} for line in LINES if line]


def test_a_bundle_that_cannot_be_used_is_named_before_the_work(
    tmp_path: Path, bundle: Path
) -> None:
    jobs = file_jobs.plan([str(write_lines(tmp_path / "a.txt"))], tmp_path / "out.txt")
    order = Order(bundle, EngineSettings(precision="int8"), SearchOptions())
    with pytest.raises(BundleError, match="has no int8 graphs, only fp32"):
        bulk.run(jobs, order)
    assert hidden(tmp_path) == []


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="no such bundle folder"):
        order_by(tmp_path / "nothing").facts()
    (tmp_path / "a.parquet").write_text("no table")
    with pytest.raises(ConfigError, match=r"cannot read .*a\.parquet as Parquet"):
        tables.cut(tmp_path / "a.parquet", 1, 1)
