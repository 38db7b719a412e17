from __future__ import annotations

import re
from pathlib import Path

import pytest

from auditor.cli.main import main
from tests.conftest import Golden

HERE = Path(__file__).parent
FILES = sorted(HERE.glob("*.toml"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_each_mistake_gets_its_exact_message(
    file: Path,
    golden: Golden,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(HERE)
    monkeypatch.delenv("AUDITOR_TEST_UNSET", raising=False)
    assert main(["config", "check", file.name]) == 2
    streams = capsys.readouterr()
    assert streams.out == ""
    expected = file.with_suffix(".txt")
    if golden.update:
        expected.write_text(streams.err)
    assert streams.err == expected.read_text()


@pytest.mark.parametrize("file", sorted(HERE.glob("*.txt")), ids=lambda file: file.stem)
def test_each_message_names_file_cause_and_next_step(file: Path) -> None:
    assert file.with_suffix(".toml").exists()
    for line in file.read_text().splitlines():
        assert re.fullmatch(rf"auditor: error: {file.stem}\.toml:(\d+: )?.+; .+", line), line
    assert "hush" not in file.read_text()
