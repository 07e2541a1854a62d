"""`seq2serve keys`, as somebody types it."""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from mt.errors import ConfigError, KeyRefusedError
from serving.commands.key_cli import keys
from serving.settings import Allowance
from serving.stores.api_keys import DEFAULT_SCOPES, ApiKeys


def run(folder: Path, *arguments: str) -> Result:
    result = CliRunner().invoke(keys, ["--data-dir", str(folder), *arguments])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def accepted(folder: Path, key: str) -> bool:
    opened = ApiKeys(folder)
    try:
        opened.authenticate(key)
    except KeyRefusedError:
        return False
    else:
        return True
    finally:
        opened.close()


def test_a_key_is_written_alone_so_that_a_script_can_take_it(tmp_path: Path) -> None:
    made = run(tmp_path, "create", "Mastodon")
    key = made.stdout.removesuffix("\n")
    assert accepted(tmp_path, key)
    assert made.stderr == "Keep it now: it cannot be shown again.\n"


def test_scopes_limits_and_days_are_kept(tmp_path: Path) -> None:
    limits = ("--requests-per-minute", "5", "--characters-per-month", "1000")
    run(tmp_path, "create", "Mastodon", "--scope", "translate", *limits, "--days", "1.5")
    opened = ApiKeys(tmp_path)
    found = opened.find("Mastodon")
    opened.close()
    assert found.scopes == frozenset(["translate"])
    assert found.allowance == Allowance(requests_per_minute=5, characters_per_month=1000)
    assert found.expires
    assert found.expires - found.created == pytest.approx(1.5 * 24 * 3600, abs=5)


def test_the_list_shows_no_key(tmp_path: Path) -> None:
    key = run(tmp_path, "create", "Mastodon").stdout.strip()
    run(tmp_path, "create", "gone")
    assert run(tmp_path, "revoke", "gone").stdout == "gone is revoked\n"
    listed = [line.split("\t") for line in run(tmp_path, "list").stdout.splitlines()]
    states = {name: (state, scopes) for name, _, state, scopes, _ in listed}
    everything = ",".join(DEFAULT_SCOPES)
    assert states == {"Mastodon": ("active", everything), "gone": ("revoked", everything)}
    assert key.split("_", 2)[2] not in str(listed)


def test_show_tells_rights_and_usage(tmp_path: Path) -> None:
    run(tmp_path, "create", "Mastodon", "--characters-per-month", "1000")
    shown = run(tmp_path, "show", "Mastodon").stdout.splitlines()
    for line in (
        "name: Mastodon",
        "state: active",
        "expires: -",
        "requests per minute: -",
        "characters per month: 1000",
        "characters this month: 0",
    ):
        assert line in shown


def test_rotation_and_revocation(tmp_path: Path) -> None:
    first = run(tmp_path, "create", "Mastodon").stdout.strip()
    second = run(tmp_path, "rotate", "Mastodon").stdout.strip()
    assert accepted(tmp_path, first)
    third = run(tmp_path, "rotate", "Mastodon", "--grace-hours", "0").stdout.strip()
    assert [accepted(tmp_path, one) for one in (first, second, third)] == [False, False, True]
    run(tmp_path, "revoke", "Mastodon")
    assert not accepted(tmp_path, third)


def test_the_folder_may_come_from_the_servers_settings(tmp_path: Path) -> None:
    file = tmp_path / "serve.yaml"
    file.write_text(f"bundles: [{{path: x}}]\ndata_dir: {tmp_path}\n")
    made = CliRunner().invoke(keys, ["--settings", str(file), "create", "one"])
    assert accepted(tmp_path, made.stdout.strip())


def test_without_a_folder_nothing_is_guessed(tmp_path: Path) -> None:
    made = CliRunner().invoke(keys, ["create", "one"])
    assert isinstance(made.exception, ConfigError)
    assert "--data-dir" in str(made.exception)


@pytest.mark.parametrize("name", ["", " ", "two\nlines", "tab\there"])
def test_names_fit_on_a_line(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match="a name has letters"):
        run(tmp_path, "create", name)


def test_an_empty_list_says_what_to_type(tmp_path: Path) -> None:
    listed = run(tmp_path, "list")
    assert listed.stdout == ""
    assert "seq2serve keys create NAME" in listed.stderr
