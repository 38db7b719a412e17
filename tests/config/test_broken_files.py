"""`broken_files`: what is known of the broken artifacts where the source no longer says it."""

from __future__ import annotations

from auditor.config.show import show
from auditor.model import Fingerprint
from tests.config.conftest import GOOD, Resolve

WHEEL = "brokenpkg-1.2.3-py3-none-any.whl"
URL = f"https://files.example/packages/{WHEEL}"
ENTRY = (
    f'{{filename = "{WHEEL}", sha256 = "sha256:{"A" * 64}", md5 = "{"b" * 32}", '
    f'crc32 = "{"C" * 8}", size = 1067, url = "{URL}"}}'
)
KNOWN = Fingerprint(
    filename=WHEEL,
    version="1.2.3",
    size=1067,
    sha256="a" * 64,
    md5="b" * 32,
    crc32="c" * 8,
    url=URL,
)


def with_files(*entries: str) -> str:
    return GOOD.replace("fixed =", f"broken_files = [{', '.join(entries)}]\nfixed =")


def test_all_that_is_known_of_a_file_becomes_its_fingerprint(resolve_text: Resolve) -> None:
    (incident,) = resolve_text(with_files(ENTRY)).plan.incidents
    assert incident.fingerprints == (KNOWN,)


def test_a_name_alone_is_enough(resolve_text: Resolve) -> None:
    text = with_files('{filename = "brokenpkg-1.2.3.tar.gz"}')
    (incident,) = resolve_text(text).plan.incidents
    assert incident.fingerprints == (
        Fingerprint(filename="brokenpkg-1.2.3.tar.gz", version="1.2.3"),
    )


def test_bare_digests_stay_beside_named_files(resolve_text: Resolve) -> None:
    text = with_files(ENTRY).replace("fixed =", f'broken_hashes = ["sha256:{"d" * 64}"]\nfixed =')
    (incident,) = resolve_text(text).plan.incidents
    assert incident.fingerprints == (KNOWN, Fingerprint(sha256="d" * 64))


def test_the_shown_configuration_means_the_same(resolve_text: Resolve) -> None:
    text = with_files(ENTRY).replace("fixed =", f'broken_hashes = ["sha256:{"d" * 64}"]\nfixed =')
    shown = show(resolve_text(text))
    assert "broken_files = [{filename = " in shown
    again, once = resolve_text(shown).plan, resolve_text(text).plan
    assert again.incidents == once.incidents


def test_tables_of_their_own_are_read_as_well(resolve_text: Resolve) -> None:
    head, _, tail = GOOD.partition("[[locations]]")
    text = f'{head}[[incidents.broken_files]]\nfilename = "{WHEEL}"\n\n[[locations]]{tail}'
    (incident,) = resolve_text(text).plan.incidents
    assert [f.filename for f in incident.fingerprints] == [WHEEL]
