"""What a command says that cannot ask anybody."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from auditor.errors import ConfigError, UsageError
from auditor.vantages.broker import open_application
from auditor.vantages.worker import make_worker, outlook_of
from tests.cli.conftest import Run, run

__all__ = ["run"]  # the fixture that runs a command in this process

WORDS = ("audit", "brokenpkg", "--broken", "1.2.3", "--fixed", "1.2.4")
PLACE = ("--location", "mirror:simple=http://127.0.0.1:1/simple/")
BROKER = "redis://:hush@127.0.0.1:1/0"


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--celery", "paris"), "no broker is named; set AUDITOR_BROKER_URL"),
        (("--celery", "paris", "--vantage", "x"), "--vantage: with --celery, the workers say"),
        (("--celery", "a\nb"), "--celery"),
        (("--celery", "paris", "--celery-wait", "soon"), "--celery-wait"),
    ],
)
def test_a_mistake_is_named_with_the_next_step(
    run: Run, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...], told: str
) -> None:
    monkeypatch.delenv("AUDITOR_BROKER_URL", raising=False)
    done = run(*WORDS, *PLACE, *options)
    assert done.code == 2
    assert told in done.err


def test_without_celery_it_is_said_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "celery", None)
    with pytest.raises(UsageError, match=r"pip install 'propagation-auditor\[celery\]'"):
        open_application({"AUDITOR_BROKER_URL": BROKER})


def worker_environment(tmp_path: Path, **more: str) -> dict[str, str]:
    config = tmp_path / "audit.toml"
    url = "https://mirror.example/simple/"
    config.write_text(f'[[locations]]\nkind = "simple"\nurl = "{url}"\ntimeout_s = 50\n')
    known = {
        "AUDITOR_WORKER_CONFIG": str(config),
        "AUDITOR_WORKER_VANTAGE": "paris",
        "AUDITOR_BROKER_URL": BROKER,
    }
    return {**known, **more}


@pytest.mark.parametrize("name", ["AUDITOR_WORKER_CONFIG", "AUDITOR_WORKER_VANTAGE"])
def test_a_worker_says_what_it_was_not_told(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match=f"{name} is not set"):
        outlook_of(worker_environment(tmp_path, **{name: ""}))


def test_a_worker_with_a_wrong_configuration_does_not_start(tmp_path: Path) -> None:
    environ = worker_environment(tmp_path)
    Path(environ["AUDITOR_WORKER_CONFIG"]).write_text('[[locations]]\nkind = "smple"\n')
    with pytest.raises(ConfigError, match="did you mean"):
        make_worker(environ)


def test_a_worker_takes_json_alone_and_gives_nothing_up(tmp_path: Path) -> None:
    conf = make_worker(worker_environment(tmp_path)).conf

    assert conf.accept_content == conf.result_accept_content == ["json"]
    assert (conf.task_serializer, conf.result_serializer) == ("json", "json")
    assert (conf.task_acks_late, conf.task_reject_on_worker_lost) == (True, True)
    assert conf.worker_prefetch_multiplier == 1
    assert conf.task_default_queue == "propagation-audit.paris"
    # What is taken may take as long as its place may, and no much longer.
    assert conf.broker_transport_options["visibility_timeout"] == 60.0


def test_the_time_after_which_a_question_is_given_out_again_can_be_set(tmp_path: Path) -> None:
    environ = worker_environment(tmp_path, AUDITOR_WORKER_VISIBILITY_S="7")
    assert make_worker(environ).conf.broker_transport_options["visibility_timeout"] == 7.0
    with pytest.raises(UsageError, match="no number of seconds"):
        make_worker({**environ, "AUDITOR_WORKER_VISIBILITY_S": "soon"})
