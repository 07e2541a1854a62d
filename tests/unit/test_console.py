"""What a person sees of a long step."""

import pytest

from training.console import Progress, clock, say


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0:00"), (59.6, "1:00"), (754, "12:34"), (3725, "1:02:05")]
)
def test_clock(seconds: float, text: str) -> None:
    assert clock(seconds) == text


def test_say_writes_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    say("hello")
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "hello\n")


def test_a_log_file_gets_a_line_every_thirty_seconds_with_the_time_left(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr("training.console.time.monotonic", lambda: now)
    with Progress("tiny", share=0.5) as bar:
        for share in (0.51, 0.55, 0.6, 0.61):
            now += 20.0
            bar.update(share, "loss 2.50")
    # 40 seconds for a tenth: nine more of them; the line before came after 40 seconds, at 0.55
    assert capsys.readouterr().err.splitlines() == [
        "tiny  55%, loss 2.50, 6:00 left",
        "tiny  61%, loss 2.50, 4:44 left",
    ]


def test_a_counter_adds_up_what_it_is_told(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0
    monkeypatch.setattr("training.console.time.monotonic", lambda: now)
    with Progress("tiny", share=0.5) as bar:
        count = bar.counter(total=2000, done=1000)
        for _ in range(2):
            now += 20.0
            count(250)
    # half was done before; a quarter took 40 seconds, and so will the last one
    assert capsys.readouterr().err.splitlines() == [
        "tiny  75%, 1,500 of 2,000 sentences, 0:40 left"
    ]
