"""Every text of the page can be read in both colour schemes (WCAG 2.2, 1.4.3: at least 4.5)."""

from __future__ import annotations

import re
from importlib import resources

import pytest

STYLE = (resources.files("reports") / "static" / "report.css").read_text("utf-8")
LIGHT, DARK = re.findall(r":root \{(.*?)\}", STYLE, re.DOTALL)[:2]
TONES = ("bad", "warn", "unknown", "good", "plain")
INKS = ("ink", "muted", "accent", *TONES)
PAIRS = [(ink, ground) for ink in INKS for ground in ("page", "surface", "sunken")] + [
    (tone, f"{tone}-soft") for tone in TONES
]


def palette(rules: str) -> dict[str, str]:
    return dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", rules))


def luminance(colour: str) -> float:
    """Relative luminance as WCAG 2.2 defines it."""
    channels = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    red, green, blue = (
        c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("scheme", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize(("ink", "ground"), PAIRS)
def test_text_stands_out_from_its_ground(scheme: str, ink: str, ground: str) -> None:
    colours = palette(scheme)

    assert contrast(colours[ink], colours[ground]) >= 4.5


def test_both_schemes_define_the_same_colours() -> None:
    assert palette(LIGHT).keys() == palette(DARK).keys()


def test_black_on_white_has_the_greatest_contrast() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
