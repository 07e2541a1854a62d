"""Windows and quotas, worked by hand on a clock that stands still, over shared counters."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from limits.errors import StorageError
from limits.storage import MemoryStorage

from mt.errors import ConfigError, InputError, QuotaError, RateLimitError, UnavailableError
from serving.settings import Allowance
from serving.stores.access import COUNTERS_VARIABLE, Access
from serving.stores.counters import RETRY_S, Failover, SqliteStorage, open_counters
from serving.stores.meter import Meter, wait_s
from tests.app_client import settings_with

MINUTE = Allowance(requests_per_minute=3)
NOVEMBER = datetime(2026, 11, 30, 23, 59, 0, tzinfo=UTC).timestamp()  # a minute before December


class Clock:
    now = NOVEMBER

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def open_meter(tmp_path: Path, clock: Clock) -> Iterator[Callable[[], Meter]]:
    opened: list[Meter] = []

    def open_one() -> Meter:
        storage = SqliteStorage(tmp_path / "usage.sqlite", clock)
        opened.append(Meter(Failover(storage), clock))
        return opened[-1]

    yield open_one
    for meter in opened:
        meter.close()


@pytest.fixture
def meter(open_meter: Callable[[], Meter]) -> Meter:
    return open_meter()


def test_requests_beyond_the_limit_are_refused_until_the_window_slides(
    meter: Meter, clock: Clock
) -> None:
    for _ in range(3):
        meter.enter("a", MINUTE)
    with pytest.raises(RateLimitError, match="at most 3 requests a minute") as refused:
        meter.enter("a", MINUTE)
    # After 60 s the three count as the minute before, and as less than 3 a moment later.
    assert refused.value.retry_after_s == 60
    meter.enter("b", MINUTE)  # somebody else
    clock.now += 60
    with pytest.raises(RateLimitError):
        meter.enter("a", MINUTE)
    clock.now += 1  # 3 * 59 / 60 = 2.95, so one more fits
    meter.enter("a", MINUTE)


def test_replicas_count_together(open_meter: Callable[[], Meter]) -> None:
    first, second = open_meter(), open_meter()
    for one in (first, second, first):
        one.enter("a", MINUTE)
    for one in (first, second):
        with pytest.raises(RateLimitError):
            one.enter("a", MINUTE)


def test_no_limit_counts_no_requests(meter: Meter) -> None:
    for _ in range(10):
        meter.enter("a", Allowance())


def test_characters_of_a_minute(meter: Meter) -> None:
    allowance = Allowance(characters_per_minute=100)
    meter.charge("a", allowance, 60)
    with pytest.raises(RateLimitError, match="at most 100 characters a minute"):
        meter.charge("a", allowance, 41)
    meter.charge("a", allowance, 40)
    with pytest.raises(InputError, match="101 characters, and this key has 100 a minute"):
        meter.charge("a", allowance, 101)


def test_the_quota_is_of_a_calendar_month(meter: Meter, clock: Clock) -> None:
    allowance = Allowance(characters_per_month=100)
    meter.charge("a", allowance, 70)
    with pytest.raises(QuotaError, match="31 characters, and 30 of 100 are left") as refused:
        meter.charge("a", allowance, 31)
    assert refused.value.retry_after_s == 60
    meter.charge("a", allowance, 30)
    assert (meter.used("a", allowance).characters, meter.used("a", allowance).limit) == (100, 100)
    clock.now += 60
    assert meter.used("a", allowance).characters == 0
    meter.charge("a", allowance, 100)
    clock.now += 31 * 24 * 3600  # over the end of the year
    assert meter.used("a", allowance).characters == 0


def test_what_failed_is_given_back(meter: Meter) -> None:
    allowance = Allowance(characters_per_month=100)
    meter.charge("a", allowance, 100)
    meter.refund("a", 100)
    meter.charge("a", allowance, 100)


def test_headers_tell_what_is_left(meter: Meter, clock: Clock) -> None:
    clock.now -= 20  # 40 s into the minute
    allowance = Allowance(
        requests_per_minute=3, characters_per_minute=100, characters_per_month=1000
    )
    meter.enter("a", allowance)
    meter.charge("a", allowance, 40)
    assert meter.headers("a", allowance) == {
        "RateLimit-Policy": '"requests";q=3;w=60, "characters";q=100;w=60, "month";q=1000',
        "RateLimit": '"requests";r=2;t=20, "characters";r=60;t=20, "month";r=960;t=80',
    }
    assert meter.headers("a", Allowance()) == {}


@pytest.mark.parametrize(
    ("windows", "limit", "amount", "expected"),
    [
        # 30 in the minute before weigh 30 * s / 60 < 10 - 1 - 0 + 1 from s < 20 on
        ((30, 50.0, 0, 110.0), 10, 1, 30.0),
        # this minute is full; it ends in 20 s, and then 10 * s / 60 < 10 holds at once
        ((0, 0.0, 10, 80.0), 10, 1, 20.0),
        # all ten at once: 10 * s / 60 < 1 from s < 6, which is 54 s after its end
        ((0, 0.0, 10, 80.0), 10, 10, 74.0),
    ],
)
def test_how_long_to_wait(
    windows: tuple[int, float, int, float], limit: int, amount: int, expected: float
) -> None:
    assert wait_s(windows, limit, amount) == pytest.approx(expected)


def test_counters_forget(tmp_path: Path, clock: Clock) -> None:
    storage = SqliteStorage(tmp_path / "usage.sqlite", clock)
    assert [storage.incr("a", 10), storage.incr("a", 10, 4)] == [1, 5]
    assert storage.get_expiry("a") == clock.now + 10
    clock.now += 10
    assert storage.get("a") == 0
    assert storage.incr("a", 10) == 1
    storage.clear("a")
    assert (storage.get("a"), storage.get_expiry("a"), storage.check()) == (0, clock.now, True)
    assert storage.acquire_sliding_window_entry("b", 1, 60)
    storage.clear_sliding_window("b", 60)
    assert storage.acquire_sliding_window_entry("b", 1, 60)
    assert storage.reset() == 1
    storage.close()


class Broken(MemoryStorage):
    STORAGE_SCHEME = ["broken"]  # noqa: RUF012 - as the library wants it
    fails: Exception | None = None

    def incr(self, key: str, expiry: float, amount: int = 1) -> int:
        if self.fails:
            raise self.fails
        return super().incr(key, expiry, amount)


@pytest.mark.parametrize("error", [UnavailableError("full"), StorageError(OSError())])
def test_where_counters_cannot_be_reached_the_process_counts_for_itself(
    error: Exception, capsys: pytest.CaptureFixture[str]
) -> None:
    shared, clock = Broken(), Clock()
    meter = Meter(Failover(shared, clock), clock)
    allowance = Allowance(characters_per_month=10)
    meter.charge("a", allowance, 4)
    shared.fails = error
    meter.charge("a", allowance, 10)
    with pytest.raises(QuotaError):
        meter.charge("a", allowance, 1)
    shared.fails = None
    clock.now += RETRY_S  # it is not asked again before
    meter.charge("a", allowance, 6)
    assert meter.used("a", allowance).characters == 10
    assert capsys.readouterr().err.count("counters_unreachable") == 1


def test_counters_without_a_place_are_this_processs(tmp_path: Path) -> None:
    first, second = (open_counters(None, None) for _ in range(2))
    first.ask(lambda counters: counters.incr("a", 60))
    assert second.ask(lambda counters: counters.get("a")) == 0
    file = open_counters(tmp_path, None)
    file.ask(lambda counters: counters.incr("a", 60))
    file.close()
    assert (tmp_path / "usage.sqlite").exists()


@pytest.mark.parametrize("address", ["nonsense", "memcached://password@x", "ftp://password@x"])
def test_an_address_that_cannot_be_used_is_not_repeated(address: str) -> None:
    with pytest.raises(ConfigError, match=r"keys\.counters cannot be used") as refused:
        open_counters(None, address)
    assert "password" not in str(refused.value)


def test_the_environment_may_name_the_counters(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(COUNTERS_VARIABLE, "nonsense://:secret@host")
    with pytest.raises(ConfigError, match=r"keys\.counters cannot be used") as caught:
        Access(settings_with())
    assert "secret" not in str(caught.value)
    monkeypatch.setenv(COUNTERS_VARIABLE, "")
    access = Access(settings_with())
    assert access.is_open
    access.close()
