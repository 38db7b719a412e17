"""Ports for programs are such as nobody is handed by the system."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from auditor.lab.drive import ports

NEAR, FAR = "127.0.0.1", "127.0.0.2"


def listening(address: str, port: int) -> socket.socket:
    made = socket.socket()
    made.bind((address, port))
    made.listen()
    return made


@pytest.mark.skipif(not Path(ports._HANDED_OUT).exists(), reason="only Linux says its range")
def test_no_connection_is_given_such_a_port() -> None:
    low, high = map(int, Path(ports._HANDED_OUT).read_text().split())
    if low < 11_000:
        pytest.skip("this system hands out nearly all ports")
    assert all(not low <= port <= high for port in ports.free_ports(20))


def test_several_are_different_and_free_at_every_address() -> None:
    found = ports.free_ports(20, NEAR, FAR)
    assert len(set(found)) == 20
    for port in found:
        listening(NEAR, port).close()
        listening(FAR, port).close()


@pytest.mark.parametrize("address", [NEAR, FAR])
def test_one_that_is_taken_at_one_of_the_addresses_is_not_free(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken, free = ports.free_ports(2, NEAR, FAR)
    proposals = iter([taken, taken, free])
    monkeypatch.setattr(ports, "_propose", lambda: next(proposals))
    with listening(address, taken):
        assert ports.free_port(NEAR, FAR) == free


def test_where_none_is_free_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind((NEAR, 0))
        taken.listen()
        monkeypatch.setattr(ports, "_propose", lambda: taken.getsockname()[1])
        with pytest.raises(OSError, match="in use"):
            ports.free_port()


@pytest.mark.parametrize("text", ["1024 65535", "", "words"])
def test_a_system_that_hands_out_all_of_them_is_asked_for_one(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "range").write_text(text)
    monkeypatch.setattr(ports, "_HANDED_OUT", tmp_path / "range")
    listening(NEAR, ports.free_port()).close()


def test_a_system_without_that_range_is_asked_for_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ports, "_HANDED_OUT", tmp_path / "none")
    listening(NEAR, ports.free_port()).close()
