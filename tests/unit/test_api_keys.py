"""API keys: what is kept, what is accepted, and for how long."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from mt.errors import ConfigError, KeyRefusedError
from serving.settings import Allowance
from serving.stores.api_keys import DEFAULT_SCOPES, ApiKeys


class Clock:
    now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def keys(tmp_path: Path, clock: Clock) -> Iterator[ApiKeys]:
    opened = ApiKeys(tmp_path, clock)
    yield opened
    opened.close()


def test_a_new_key_is_accepted_as_what_it_was_made(keys: ApiKeys, clock: Clock) -> None:
    allowance = Allowance(requests_per_minute=5, characters_per_month=100)
    found = keys.authenticate(keys.create("Mastodon", ["translate"], allowance))
    assert (found.name, set(found.scopes)) == ("Mastodon", {"translate"})
    assert found.allowance == allowance
    assert (found.created, found.state(clock.now)) == (clock.now, "active")


def test_scopes_open_what_they_name_and_admin_opens_everything(keys: ApiKeys) -> None:
    plain = keys.authenticate(keys.create("plain", ["translate"]))
    assert plain.may("translate")
    assert not plain.may("documents")
    assert keys.authenticate(keys.create("admin", ["admin"])).may("documents")
    assert keys.authenticate(keys.create("default")).scopes == set(DEFAULT_SCOPES)


def test_the_secret_is_nowhere_in_the_file(keys: ApiKeys, tmp_path: Path) -> None:
    secret = keys.create("Mastodon").split("_", 2)[2].encode()
    kept = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"Mastodon" in kept
    assert secret not in kept


def test_two_keys_share_nothing(keys: ApiKeys) -> None:
    first, second = keys.create("first"), keys.create("second")
    assert first != second
    mixed = "_".join(["s2s", first.split("_")[1], second.split("_", 2)[2]])
    with pytest.raises(KeyRefusedError):
        keys.authenticate(mixed)


@pytest.mark.parametrize(
    "key", ["", "any key", "s2s_0123456789ab_" + "a" * 43, "s2s__", "s2s_é", "x" * 10_000, "\ud800"]
)
def test_what_is_no_key_of_ours_is_refused_without_repeating_it(keys: ApiKeys, key: str) -> None:
    keys.create("Mastodon")
    with pytest.raises(KeyRefusedError, match=r"^the key is unknown, revoked or expired$"):
        keys.authenticate(key)


def test_a_revoked_key_is_refused_in_every_process_at_once(keys: ApiKeys, tmp_path: Path) -> None:
    key = keys.create("Mastodon")
    other = ApiKeys(tmp_path)
    other.authenticate(key)
    assert keys.revoke("Mastodon").revoked == Clock.now
    with pytest.raises(KeyRefusedError):
        other.authenticate(key)
    other.close()


def test_a_key_expires(keys: ApiKeys, clock: Clock) -> None:
    key = keys.create("short", expires=clock.now + 10)
    keys.authenticate(key)
    clock.now += 10
    with pytest.raises(KeyRefusedError):
        keys.authenticate(key)
    assert keys.find("short").state(clock.now) == "expired"


def test_after_a_rotation_both_secrets_hold_for_a_while(keys: ApiKeys, clock: Clock) -> None:
    old = keys.create("Mastodon")
    new = keys.rotate("Mastodon", grace_s=60)
    assert keys.authenticate(old) == keys.authenticate(new)
    clock.now += 60
    assert keys.authenticate(new).name == "Mastodon"
    with pytest.raises(KeyRefusedError):
        keys.authenticate(old)


def test_a_rotation_without_grace_ends_the_old_secret_at_once(keys: ApiKeys) -> None:
    old = keys.create("Mastodon")
    keys.rotate("Mastodon", grace_s=0)
    with pytest.raises(KeyRefusedError):
        keys.authenticate(old)


def test_keys_are_found_by_name_and_by_id(keys: ApiKeys) -> None:
    keys.create("first")
    keys.create("second")
    assert {one.name for one in keys.all()} == {"first", "second"}
    second = keys.find("second")
    assert keys.find(second.key_id) == second


def test_nobody_has_a_key_until_one_is_made(keys: ApiKeys) -> None:
    assert not keys.exist()
    keys.create("first")
    keys.revoke("first")
    assert keys.exist()


def test_a_name_is_taken_for_ever(keys: ApiKeys) -> None:
    keys.create("Mastodon")
    keys.revoke("Mastodon")
    with pytest.raises(ConfigError, match="there is a key named Mastodon; choose another name"):
        keys.create("Mastodon")


def test_an_unknown_name_is_an_error(keys: ApiKeys) -> None:
    for change in (keys.find, keys.revoke, lambda name: keys.rotate(name, 0)):
        with pytest.raises(ConfigError, match="no key is named nobody; see"):
            change("nobody")


def test_a_revoked_key_is_not_rotated(keys: ApiKeys) -> None:
    keys.create("Mastodon")
    keys.revoke("Mastodon")
    with pytest.raises(ConfigError, match="Mastodon is revoked; create a new one"):
        keys.rotate("Mastodon", 0)
