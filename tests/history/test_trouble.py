"""Killed, out of space, read-only, damaged, two at once: nothing lost, and said why."""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from auditor.errors import HistoryError
from auditor.history import History
from auditor.history.database import explained, open_readable
from auditor.history.lock import only_run
from auditor.history.reading import incidents_of, series_of
from tests.history.made import at, made

Writer = Callable[..., "subprocess.Popen[str]"]


def record(file: Path, number: int, *, busy_timeout_s: float = 30.0) -> None:
    run, plan, observations = made(number)
    with History(file, busy_timeout_s=busy_timeout_s) as history:
        history.record(run, observations, plan, now=at(number))


def recorded(file: Path) -> int:
    """How many runs are there, after a look at everything that must fit together."""
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        (runs,) = connection.execute("SELECT count(*) FROM runs").fetchone()
        (newest,) = connection.execute("SELECT max(finished_at) FROM runs").fetchone()
        seen = connection.execute("SELECT DISTINCT last_seen FROM series").fetchall()
    # Every row of the newest run was written, and none of another.
    assert seen == [(newest,)]
    with closing(open_readable(file)) as readable:
        (entry,) = incidents_of(readable)
        changes = [len(row.spans) for row in series_of(readable, entry.number)]
    assert sorted(changes) == [1, 1, 1, runs]
    return int(runs)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_killed_at_any_moment_nothing_is_lost_or_half_written(
    file: Path, writer: Writer, seed: int
) -> None:
    chance = random.Random(seed)
    process = writer(file, 0, 10_000)
    with process:
        assert process.stdout is not None
        said = [process.stdout.readline() for _ in range(chance.randrange(1, 12))]
        # Somewhere within the next runs, wherever the machine happens to be.
        killer = threading.Timer(chance.random() * 0.05, process.kill)
        killer.start()
        said += list(process.stdout)
        killer.join()
    done = [int(line) for line in said if line.endswith("\n")]

    assert process.returncode == -9
    assert len(done) <= recorded(file) <= len(done) + 1
    record(file, recorded(file))
    assert len(done) + 1 <= recorded(file)


@pytest.mark.slow
def test_on_a_full_disk_the_last_run_is_not_there_at_all_and_the_others_are(
    file: Path, writer: Writer
) -> None:
    for number in range(3):
        record(file, number)
    with writer(file, 3, 10_000, file.stat().st_size) as process:
        out, err = process.communicate(timeout=120)
    done = 3 + len(out.split())

    assert process.returncode == 2
    assert f"history {file}: " in err
    assert "full" in err
    assert "; " in err
    assert 3 < done == recorded(file)
    record(file, done)  # there is space again
    assert done + 1 == recorded(file)


@pytest.mark.slow
def test_two_runs_at_once_are_both_recorded(file: Path, writer: Writer) -> None:
    # The same minutes, seen by two machines; what one writes late is old news, and no failure.
    with writer(file, 0, 15) as first, writer(file, 15, 15) as second:
        for process in (first, second):
            _, err = process.communicate(timeout=120)
            assert (process.returncode, err) == (0, "")

    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("SELECT count(*) FROM runs").fetchone() == (30,)
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


@contextmanager
def held(file: Path) -> Iterator[None]:
    """Somebody else writes, and does not end."""
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


def test_a_run_that_waits_too_long_leaves_with_the_cause_and_the_next_step(file: Path) -> None:
    record(file, 0)
    with (
        held(file),
        pytest.raises(HistoryError, match=r"another run has been writing .*; let that one end"),
    ):
        record(file, 1, busy_timeout_s=0.05)

    assert recorded(file) == 1
    record(file, 1)
    assert recorded(file) == 2


def test_a_run_waits_for_another_one_to_end(file: Path) -> None:
    record(file, 0)
    begun, done = threading.Event(), threading.Event()

    def second() -> None:
        begun.set()
        record(file, 1)
        done.set()

    thread = threading.Thread(target=second)
    with held(file):
        thread.start()
        assert begun.wait(10)
        assert not done.wait(0.05)
    thread.join(30)

    assert done.is_set()
    assert recorded(file) == 2


def test_readers_do_not_wait_for_a_writer(file: Path) -> None:
    record(file, 0)
    with held(file), closing(open_readable(file)) as connection:
        assert len(incidents_of(connection)) == 1


@pytest.mark.parametrize(
    "content", [b"no database at all, but long enough to be looked at" * 50, b"SQLite format 3\0"]
)
def test_a_file_that_is_no_history_is_left_alone(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    with pytest.raises(HistoryError, match=r"; move it away, and the next run begins a new one"):
        record(file, 0)
    with pytest.raises(HistoryError, match=r"move it away"):
        open_readable(file)

    assert content == file.read_bytes()


def test_a_damaged_history_is_said_to_be_damaged(file: Path) -> None:
    for number in range(3):
        record(file, number)
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    content = bytearray(file.read_bytes())
    content[4096:] = b"\xa5" * (len(content) - 4096)
    file.write_bytes(content)

    with pytest.raises(HistoryError, match=r"damaged; move it away.*begins a new one"):
        record(file, 3)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        ("UPDATE states SET document = '{' WHERE id = 1", "a state in it is damaged"),
        ("UPDATE states SET document = x'ff' WHERE id = 1", "a state in it is damaged"),
        ("UPDATE series SET last_seen = 9223372036854775807", "a time in it is damaged"),
        ("UPDATE series SET last_seen = 'soon'", "a time in it is damaged"),
        ("DROP TABLE series", "it cannot be used .*no such table"),
    ],
)
def test_rows_that_somebody_altered_are_said_to_be_damaged(
    file: Path, damage: str, said: str
) -> None:
    record(file, 0)
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute(damage)

    with pytest.raises(HistoryError, match=f"history {file}: {said}.*move it away"):
        _read(file)


def _read(file: Path) -> None:
    with closing(open_readable(file)) as readable, explained(file):
        (entry,) = incidents_of(readable)
        series_of(readable, entry.number)


def test_another_program_s_database_is_not_touched(file: Path) -> None:
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("CREATE TABLE accounts (id INTEGER)")
    before = file.read_bytes()

    with pytest.raises(HistoryError, match=r"another program's database; name a file of its own"):
        record(file, 0)
    assert before == file.read_bytes()


def test_a_history_from_a_newer_auditor_is_not_touched(file: Path) -> None:
    record(file, 0)
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA user_version = 99")

    with pytest.raises(HistoryError, match=r"written by a newer auditor \(revision 99"):
        record(file, 1)


def test_a_directory_that_is_not_there_is_named_with_the_next_step(tmp_path: Path) -> None:
    with pytest.raises(HistoryError, match=r"cannot be opened; create its directory"):
        record(tmp_path / "nowhere" / "h.sqlite3", 0)


def test_a_history_that_nobody_has_begun_is_no_error_to_create_but_to_read(file: Path) -> None:
    with pytest.raises(HistoryError, match=r"no such file; `auditor audit --history"):
        open_readable(file)


def test_a_read_only_history_can_be_read_and_says_that_it_cannot_be_written(file: Path) -> None:
    record(file, 0)
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
    content = bytearray(file.read_bytes())
    # What a file says that is made for reading only, root or not: a write version above 2.
    # https://www.sqlite.org/fileformat2.html#file_format_version_numbers
    content[18] = 3
    file.write_bytes(content)

    with pytest.raises(HistoryError, match=r"read-only; give this user the right to write"):
        record(file, 1)
    with closing(open_readable(file)) as readable:
        assert len(incidents_of(readable)) == 1


def test_where_nothing_can_be_written_the_history_is_read_and_the_next_step_is_said() -> None:
    # Below the tests' own directory, which is root's alone where root runs them.
    directory = Path(tempfile.mkdtemp())
    file = directory / "h.sqlite3"
    try:
        record(file, 0)
        assert not file.with_name("h.sqlite3-wal").exists()
        file.chmod(0o444)
        directory.chmod(0o555)
        assert as_nobody(lambda: _incidents(file)) == "1"
        told = as_nobody(lambda: record(file, 1))
    finally:
        directory.chmod(0o755)
        shutil.rmtree(directory)

    assert "read-only; give this user the right to write the file and its directory" in told


def _incidents(file: Path) -> int:
    with closing(open_readable(file)) as connection:
        return len(incidents_of(connection))


def as_nobody(work: Callable[[], object]) -> str:
    """Do something without root's rights, and return what came of it."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            if os.getuid() == 0:
                os.setuid(65534)
            text = str(work())
        except HistoryError as error:
            text = str(error)
        os.write(writing, text.encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as answer:
        text = answer.read()
    os.waitpid(child, 0)
    return text


def test_one_run_at_a_time_holds_the_lock(file: Path) -> None:
    with only_run(file) as first:
        with only_run(file) as second:
            assert (first, second) == (True, False)
        with only_run(file.with_name("other.sqlite3")) as other:
            assert other
    with only_run(file) as again:
        assert again


def test_the_lock_dies_with_its_process(file: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path\n"
        "from auditor.history.lock import only_run\n"
        "with only_run(Path(sys.argv[1])) as ours:\n"
        "    print(ours, flush=True)\n"
        "    sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(file)], stdin=-1, stdout=-1, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "True\n"
        with only_run(file) as ours:
            assert not ours
        process.kill()
    with only_run(file) as ours:
        assert ours
