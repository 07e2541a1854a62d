"""`seq2serve top`: what is read from metrics, and what the terminal shows of it."""

from collections.abc import Iterator

import httpx
import pytest
from click.testing import CliRunner
from rich.console import Console

from mt.errors import ConfigError, UnavailableError
from serving.commands import top_cli
from serving.commands.dashboard import view
from serving.commands.snapshot import Snapshot, Window
from serving.commands.top_cli import look, top, watch
from tests.app_client import open_app

BUCKETS = """
mt_ready 1
h_bucket{le="1.0"} 4
h_bucket{le="2.0"} 8
h_bucket{le="+Inf"} 10
"""


def snapshot(text: str, at: float = 100.0) -> Snapshot:
    return Snapshot.parse(text, at)


def shown(window: Window) -> str:
    console = Console(width=200)
    with console.capture() as capture:
        console.print(view(window, "http://server"))
    return capture.get()


@pytest.mark.parametrize(
    ("q", "expected"),
    [
        (0.2, 0.5),  # the second of four between 0 and 1
        (0.4, 1.0),
        (0.6, 1.5),  # the sixth of eight: halfway between 1 and 2
        (0.99, 2.0),  # beyond the last bound nobody knows how far
    ],
)
def test_a_quantile_by_buckets(q: float, expected: float) -> None:
    assert Window(snapshot(BUCKETS)).quantile(q, "h") == pytest.approx(expected)


def test_a_quantile_of_nothing_is_none() -> None:
    assert Window(snapshot("mt_ready 1")).quantile(0.5, "h") is None
    assert Window(snapshot(BUCKETS), snapshot(BUCKETS)).quantile(0.5, "h") is None


def test_rates_between_two_looks() -> None:
    before = snapshot('mt_ready 1\na_total{x="1"} 10\na_total{x="2"} 7\n', at=100)
    now = snapshot('mt_ready 1\na_total{x="1"} 14\na_total{x="2"} 2\na_total{x="3"} 1\n', at=102)
    window = Window(now, before)
    assert window.increase("a_total", x="1") == 4
    assert window.increase("a_total", x="2") == 2  # it was begun anew
    assert window.rate("a_total") == (4 + 2 + 1) / 2


def test_the_first_look_counts_from_the_start_of_the_oldest_replica() -> None:
    text = 'mt_ready 1\na_total 30\nprocess_start_time_seconds{replica="a"} 40\n'
    window = Window(snapshot(text + 'process_start_time_seconds{replica="b"} 90\n'))
    assert window.rate("a_total") == 30 / 60


@pytest.mark.parametrize("text", ["", "<html>", "up 1\n", 'a{b="'])
def test_what_is_no_server_of_ours_is_said(text: str) -> None:
    with pytest.raises(UnavailableError, match="no seq2serve server"):
        snapshot(text)


def test_the_screen_shows_a_real_server() -> None:
    with open_app() as client:
        client.translate()
        before = snapshot(client.get("/metrics").text, at=100)
        for _ in range(3):
            client.translate()
        client.translate(text="a\0")
        now = snapshot(client.get("/metrics").text, at=102)
    screen = shown(Window(now, before))
    assert "1 of 1 replicas ready, in the last 2.0 s" in screen
    assert "2.0 requests/s" in screen  # four in two seconds; the look itself is none
    assert "200: 3 (75.0%)" in screen
    assert "422: 1 (25.0%)" in screen
    (model,) = [line.split() for line in screen.splitlines() if line.startswith("fake")]
    assert model[1] == "2.0"
    assert all(part in ("ms", "s") or part[0].isdigit() for part in model[2:])
    (replica,) = [line.split() for line in screen.splitlines() if line.startswith("this one")]
    assert replica[2:6] == ["yes", "1", "of", "1"]


def test_replicas_are_told_apart() -> None:
    screen = shown(Window(snapshot('mt_ready{replica="aa"} 1\nmt_ready{replica="bb"} 0\n')))
    assert "1 of 2 replicas ready" in screen
    lines = [line.split() for line in screen.splitlines() if line.startswith(("aa", "bb"))]
    assert [line[1] for line in lines] == ["yes", "no"]


def test_it_watches_until_it_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    looks: Iterator[Snapshot | UnavailableError] = iter(
        [snapshot(BUCKETS), UnavailableError("gone"), snapshot(BUCKETS, at=104.0)]
    )
    rests = iter([None, None, KeyboardInterrupt()])

    def answer(server: str) -> Snapshot:
        if isinstance(found := next(looks), UnavailableError):
            raise found
        return found

    def rest(seconds: float) -> None:
        assert seconds == 2
        if (stop := next(rests)) is not None:
            raise stop

    monkeypatch.setattr(top_cli, "look", answer)
    monkeypatch.setattr("time.sleep", rest)
    console = Console(width=120, force_terminal=True)
    with console.capture() as capture:
        watch(console, "http://server", 2)
    assert "http://server: gone" in capture.get()
    assert next(looks, None) is None


def test_a_name_is_not_taken_for_markup(monkeypatch: pytest.MonkeyPatch) -> None:
    text = 'mt_ready 1\nmt_engine_waiting{model="[/red]:smile:"} 0\n'
    monkeypatch.setattr(top_cli, "look", lambda server: snapshot(text))
    result = CliRunner().invoke(top, ["http://server"])
    assert result.exit_code == 0, result.exception
    assert "[/red]:smile:" in result.output


@pytest.mark.parametrize("server", ["localhost:8000", "ftp://x", "http://[", "http://127.0.0.1:9"])
def test_a_wrong_address_is_one_line(server: str) -> None:
    result = CliRunner().invoke(top, [server, "--once"])
    assert isinstance(result.exception, ConfigError | UnavailableError)
    assert "\n" not in str(result.exception)
    assert result.output == ""


def test_a_server_without_metrics_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def answer(url: str, **options: object) -> httpx.Response:
        assert url == "http://server/metrics"
        return httpx.Response(404, request=httpx.Request("GET", url))

    monkeypatch.setattr("httpx.get", answer)
    for address in ("http://server", "http://server/", "http://server/metrics"):
        with pytest.raises(UnavailableError, match="HTTP 404"):
            look(address)
