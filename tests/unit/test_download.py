import hashlib
import socket
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from mt.errors import CorpusError
from tests.file_server import FileServer, serving
from training.corpora.download import Patience, fetch

DATA = bytes(range(256)) * 1000
SHA256 = hashlib.sha256(DATA).hexdigest()
PATIENCE = Patience(timeout_s=5, attempts=3, backoff_s=0.001)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FileServer]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with serving(FileServer({"a.gz": DATA})) as running:
        yield running


def get(server: FileServer, path: Path, patience: Patience = PATIENCE, size: int = 0) -> None:
    fetch(f"{server.address}a.gz", path, size or len(DATA), SHA256, patience)


def part_of(path: Path) -> Path:
    return path.with_name(f"{path.name}.part")


def test_a_file_arrives_in_a_new_folder_and_is_not_fetched_twice(
    server: FileServer, tmp_path: Path
) -> None:
    path = tmp_path / "new" / "folder" / "a.gz"
    get(server, path)
    get(server, path)
    assert path.read_bytes() == DATA
    assert not part_of(path).exists()
    assert server.ranges == [None]


def test_a_damaged_file_in_the_cache_is_fetched_again(server: FileServer, tmp_path: Path) -> None:
    path = tmp_path / "a.gz"
    path.write_bytes(DATA[:-1] + b"?")
    get(server, path)
    assert path.read_bytes() == DATA


def test_a_truncated_body_is_resumed_where_it_broke(server: FileServer, tmp_path: Path) -> None:
    server.cut_after = [100_000, 50_000]
    get(server, tmp_path / "a.gz")
    assert (tmp_path / "a.gz").read_bytes() == DATA
    assert server.ranges == [None, "bytes=100000-", "bytes=150000-"]


def test_progress_renews_the_patience(server: FileServer, tmp_path: Path) -> None:
    server.cut_after = [10_000] * 20
    get(server, tmp_path / "a.gz")
    assert (tmp_path / "a.gz").read_bytes() == DATA


def test_a_later_run_resumes_what_an_earlier_one_left(server: FileServer, tmp_path: Path) -> None:
    part_of(tmp_path / "a.gz").write_bytes(DATA[:1234])
    get(server, tmp_path / "a.gz")
    assert (tmp_path / "a.gz").read_bytes() == DATA
    assert server.ranges == ["bytes=1234-"]


def test_a_whole_part_needs_no_request(server: FileServer, tmp_path: Path) -> None:
    part_of(tmp_path / "a.gz").write_bytes(DATA)
    get(server, tmp_path / "a.gz")
    assert (tmp_path / "a.gz").read_bytes() == DATA
    assert server.ranges == []


def test_a_part_that_is_too_long_is_thrown_away(server: FileServer, tmp_path: Path) -> None:
    part_of(tmp_path / "a.gz").write_bytes(DATA + b"more")
    get(server, tmp_path / "a.gz")
    assert (tmp_path / "a.gz").read_bytes() == DATA


def test_a_server_without_ranges_sends_everything_again(server: FileServer, tmp_path: Path) -> None:
    server.understands_ranges = False
    server.cut_after = [200_000]
    get(server, tmp_path / "a.gz")
    assert (tmp_path / "a.gz").read_bytes() == DATA
    assert server.ranges == [None, "bytes=200000-"]


def test_a_server_that_refuses_ranges_is_asked_for_everything(
    server: FileServer, tmp_path: Path
) -> None:
    server.refuses_ranges = True
    server.cut_after = [200_000]
    get(server, tmp_path / "a.gz")
    assert (tmp_path / "a.gz").read_bytes() == DATA
    assert server.ranges == [None, "bytes=200000-", None]


def test_a_server_that_resumes_at_another_byte_spoils_nothing(
    server: FileServer, tmp_path: Path
) -> None:
    part_of(tmp_path / "a.gz").write_bytes(DATA[:1000])
    server.resumes_at = 500
    get(server, tmp_path / "a.gz")
    assert (tmp_path / "a.gz").read_bytes() == DATA
    assert server.ranges == ["bytes=1000-", None]


def test_passing_errors_of_the_server_are_borne(server: FileServer, tmp_path: Path) -> None:
    server.statuses = [503, 429]
    get(server, tmp_path / "a.gz")
    assert (tmp_path / "a.gz").read_bytes() == DATA


def test_lasting_errors_of_the_server_end_it(server: FileServer, tmp_path: Path) -> None:
    server.statuses = [503] * 10
    with pytest.raises(
        CorpusError, match="the server answers 503 Service Unavailable; 0 of 256000"
    ):
        get(server, tmp_path / "a.gz")
    assert len(server.ranges) == PATIENCE.attempts


def test_not_found_is_not_tried_again(server: FileServer, tmp_path: Path) -> None:
    server.files.clear()
    with pytest.raises(CorpusError, match=r"a\.gz: the server answers 404 Not Found"):
        get(server, tmp_path / "a.gz")
    assert len(server.ranges) == 1


def test_wrong_checksum_leaves_nothing_behind(server: FileServer, tmp_path: Path) -> None:
    server.files["a.gz"] = bytes(len(DATA))
    with pytest.raises(CorpusError, match=r"a\.gz: wrong checksum"):
        get(server, tmp_path / "a.gz")
    assert not (tmp_path / "a.gz").exists()
    assert not part_of(tmp_path / "a.gz").exists()


def test_a_file_of_another_size_was_replaced(server: FileServer, tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"has 256000 bytes now, not the pinned 999; it was repl"):
        get(server, tmp_path / "a.gz", size=999)


def test_a_resumed_file_that_grew_is_refused(server: FileServer, tmp_path: Path) -> None:
    part_of(tmp_path / "a.gz").write_bytes(DATA[:500])
    with pytest.raises(CorpusError, match="longer than the pinned 999 bytes"):
        get(server, tmp_path / "a.gz", size=999)
    assert not part_of(tmp_path / "a.gz").exists()


def test_a_server_that_always_breaks_off_keeps_what_came(
    server: FileServer, tmp_path: Path
) -> None:
    server.understands_ranges = False
    server.cut_after = [70_000] * 10
    with pytest.raises(CorpusError, match="closed the connection too early; 70000 of 256000 bytes"):
        get(server, tmp_path / "a.gz")
    assert part_of(tmp_path / "a.gz").stat().st_size == 70_000


def test_a_silent_server_times_out_and_the_next_attempt_resumes(
    server: FileServer, tmp_path: Path
) -> None:
    server.stall_after = [1000]
    get(server, tmp_path / "a.gz", Patience(timeout_s=0.5, attempts=3, backoff_s=0.001))
    assert (tmp_path / "a.gz").read_bytes() == DATA
    assert server.ranges == [None, "bytes=1000-"]


def test_a_server_that_stays_silent_is_given_up(server: FileServer, tmp_path: Path) -> None:
    server.stall_after = [0] * 10
    with pytest.raises(CorpusError, match="the server fell silent; 0 of 256000 bytes"):
        get(server, tmp_path / "a.gz", Patience(timeout_s=0.1, attempts=2, backoff_s=0.001))


def test_a_server_that_never_answers_is_given_up(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:  # accepts, and says nothing
        address = f"http://127.0.0.1:{mute.getsockname()[1]}/a.gz"
        with pytest.raises(CorpusError, match=r"no answer within 0\.1 s"):
            fetch(address, tmp_path / "a.gz", 9, SHA256, Patience(0.1, 2, 0.001))


def test_no_server_at_all(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with pytest.raises(CorpusError, match=r"not reached .*SEQ2SERVE_DATA"):
        fetch(f"http://127.0.0.1:{port}/a.gz", tmp_path / "a.gz", 9, SHA256, PATIENCE)


def test_only_web_addresses_are_fetched(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="only http and https"):
        fetch(tmp_path.as_uri(), tmp_path / "a.gz", 9, SHA256, PATIENCE)


def test_a_cache_that_cannot_be_written(server: FileServer, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(CorpusError, match=r"cannot be written .*SEQ2SERVE_CACHE"):
        get(server, tmp_path / "file" / "a.gz")


def test_runs_that_want_the_same_file_fetch_it_once(server: FileServer, tmp_path: Path) -> None:
    threads = [threading.Thread(target=get, args=(server, tmp_path / "a.gz")) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (tmp_path / "a.gz").read_bytes() == DATA
    assert server.ranges == [None]


def test_progress_is_shown_to_people_only(
    server: FileServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    get(server, tmp_path / "a.gz")
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    get(server, tmp_path / "b.gz")
    shown = capsys.readouterr().err
    assert "b.gz" in shown
    assert "256k" in shown
