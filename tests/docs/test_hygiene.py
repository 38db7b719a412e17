"""What must never be in this repository: addresses of registries, paths of a machine, sprawl."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("auditor", "probes", "reports")
GENERATED = {"build", "dist", "htmlcov", "__pycache__"}
KEPT_HIDDEN = {".ci", ".gitignore"}
MAX_LINES = 400

# Written in parts: this file is searched too.
REGISTRY_HOSTS = tuple(
    ".".join(parts)
    for parts in (
        ("pypi", "org"),
        ("pythonhosted", "org"),
        ("pypi", "python", "org"),
        ("pypi", "io"),
        ("anaconda", "org"),
        ("npmjs", "org"),
    )
)
# Not preceded by a host name: `127.0.0.1:3141/root/…` and `{url}/root/…` are indexes of devpi.
MACHINE_PATH = re.compile(
    r"(?<![\w.\]}])/" + r"(?:work/main|work/shared|root/|opt/wheels|opt/pypi)"
)


def tracked_files() -> Iterator[Path]:
    """Walk the tree without asking git, which a bare machine does not have."""
    pending = [ROOT]
    while pending:
        for path in pending.pop().iterdir():
            if path.name in GENERATED or (
                path.name.startswith(".") and path.name not in KEPT_HIDDEN
            ):
                continue
            if path.is_dir():
                pending.append(path)
            elif path.suffix != ".pyc" and not path.name.startswith("auditor-demo"):
                yield path


def lines_with(pattern: re.Pattern[str]) -> list[str]:
    found = []
    for path in tracked_files():
        text = path.read_bytes().decode("utf-8", errors="replace")
        for number, line in enumerate(text.splitlines(), start=1):
            if pattern.search(line):
                found.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()[:100]}")
    return found


def test_the_walk_sees_the_whole_project() -> None:
    seen = {path.relative_to(ROOT).parts[0] for path in tracked_files()}

    assert {*PACKAGES, "tests", "tools", "requirements", ".ci", "README.md"} <= seen


def test_no_file_names_the_host_of_a_package_registry() -> None:
    hosts = re.compile("|".join(map(re.escape, REGISTRY_HOSTS)), re.IGNORECASE)

    assert hosts.search(f"https://{REGISTRY_HOSTS[0]}/simple/")
    assert lines_with(hosts) == []


def test_no_file_names_a_path_of_the_machine_it_was_written_on() -> None:
    checkout = re.escape(str(ROOT)) + r"(?![\w-])"

    assert MACHINE_PATH.search(f'open("/{"root"}/x")')
    assert lines_with(MACHINE_PATH) == []
    if len(ROOT.parts) > 2:
        assert lines_with(re.compile(checkout)) == []


@pytest.mark.parametrize("package", PACKAGES)
def test_no_module_has_grown_out_of_sight(package: str) -> None:
    lengths = {
        str(path.relative_to(ROOT)): len(path.read_text(encoding="utf-8").splitlines())
        for path in (ROOT / package).rglob("*.py")
    }

    assert lengths
    assert {name: length for name, length in lengths.items() if length > MAX_LINES} == {}


@pytest.mark.parametrize("lock", ["dev.txt", "runtime.txt", "build.txt", "real.txt"])
def test_a_lock_pins_and_hashes_every_line_and_names_no_address(lock: str) -> None:
    text = (ROOT / "requirements" / lock).read_text(encoding="utf-8")
    entries = [line for line in text.splitlines() if not line.startswith(" ")]

    assert entries
    assert "://" not in text
    assert [e for e in entries if not re.match(r"[a-z0-9._-]+==[^ ]+ ", e)] == []
    assert all(block.count("--hash=sha256:") >= 1 for block in re.split(r"\n(?=\S)", text.strip()))


def test_what_users_run_is_what_was_tested() -> None:
    def pins(lock: str) -> set[str]:
        text = (ROOT / "requirements" / lock).read_text(encoding="utf-8")
        return set(re.findall(r"^[a-z0-9._-]+==\S+", text, re.MULTILINE))

    assert pins("runtime.txt") | pins("build.txt") <= pins("dev.txt")


@pytest.mark.parametrize("document", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"])
def test_every_relative_link_of_a_document_leads_somewhere(document: str) -> None:
    text = (ROOT / document).read_text(encoding="utf-8")
    targets = re.findall(r"\]\((?!https?:|#)([^)#\s]+)", text)

    assert [target for target in targets if not (ROOT / target).exists()] == []
