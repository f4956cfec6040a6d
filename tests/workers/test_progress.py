"""What is said while runs train: a bar in a terminal, plain lines in a log."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest

from lstmstudy.workers import progress
from lstmstudy.workers.progress import minutes, progress_bar


@pytest.fixture(autouse=True)
def _no_kernel(monkeypatch):
    """Make sure that no other test's import looks like a notebook."""
    monkeypatch.delitem(sys.modules, "ipykernel", raising=False)


@pytest.fixture
def clock(monkeypatch):
    """Return a clock, in seconds, that only the test moves."""
    made = SimpleNamespace(now=0.0)
    monkeypatch.setattr(progress, "time", SimpleNamespace(monotonic=lambda: made.now))
    return made


def test_a_log_gets_plain_lines_of_which_the_last_says_all_done(capsys):
    """Without a terminal no character moves the cursor, and the last line counts every run."""
    with progress_bar(3) as bar:
        for _ in range(3):
            bar.update()
    said, complaint = capsys.readouterr()
    assert said.splitlines()[-1] == "training: 3 of 3 runs, 0 s left"
    assert not {"\r", "\x1b", "\b"} & set(said)
    assert complaint == ""


def test_a_log_gets_a_line_now_and_then_with_the_time_that_is_left(capsys, clock):
    """Runs that take 10 s each are told of every second time, and the rest is judged by those that are done."""
    with progress_bar(4, "retraining") as bar:
        for _ in range(4):
            clock.now += 10
            bar.update()
    assert capsys.readouterr().out.splitlines() == [
        "retraining: 2 of 4 runs, 20 s left",
        "retraining: 4 of 4 runs, 0 s left",
    ]


def test_the_first_runs_do_not_foretell_when_all_are_done(capsys, clock):
    """Nothing is said of the time left before 20 runs are there, and the minute until the first does not count."""
    with progress_bar(100) as bar:
        clock.now += 60
        for _ in range(30):
            bar.update()
            clock.now += 2
    assert capsys.readouterr().out.splitlines() == [
        "training: 1 of 100 runs",
        "training: 9 of 100 runs",
        "training: 17 of 100 runs",
        "training: 25 of 100 runs, 2 min left",
    ]


def test_a_single_run_ends_without_a_word_on_time(capsys):
    """There is nothing to judge the time by, and none is left."""
    with progress_bar(1) as bar:
        bar.update()
    assert capsys.readouterr().out == "training: 1 of 1 runs\n"


@pytest.mark.usefixtures("clock")
def test_work_that_stops_early_does_not_say_that_all_is_done(capsys):
    """A bar that is left by an error, or before its last run, has no last line."""

    def break_off():
        with progress_bar(3) as bar:
            bar.update()
            raise RuntimeError

    with pytest.raises(RuntimeError):
        break_off()
    assert capsys.readouterr().out == ""


def test_a_terminal_gets_a_bar_that_stays_on_its_line(monkeypatch, capsys):
    """With a terminal on stderr the bar is drawn there, over itself, up to the last run."""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with progress_bar(2) as bar:
        bar.update()
        bar.update()
    said, drawn = capsys.readouterr()
    assert said == ""
    assert drawn.count("\r") >= 2
    assert "2/2" in drawn.rpartition("\r")[2]


def test_a_terminals_bar_foretells_no_sooner(monkeypatch, capsys, clock):
    """There is a question mark until a quarter is done, then the time by the pace since the first."""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with progress_bar(40) as bar:
        drawn = []
        for _ in range(20):
            clock.now += 60 if not drawn else 2
            bar.update()
            drawn.append(str(bar))
    assert all("<?, ?run/s" in each for each in drawn[:9])
    assert all("?" not in each for each in drawn[9:])
    assert "<01:00," in drawn[9]  # 30 runs of 2 s
    capsys.readouterr()


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.2, "0 s"), (89.4, "89 s"), (90, "2 min"), (600, "10 min"), (7230, "120 min")]
)
def test_durations_are_told_in_seconds_or_minutes(seconds, words):
    """Below a minute and a half it is seconds, then minutes."""
    assert minutes(seconds) == words
