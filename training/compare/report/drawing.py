"""From Vega-Lite to files, and to the script that draws in the page.

vl-convert brings Vega with it, so one specification is both the picture one can point at and the
picture on paper, and nothing is fetched.
"""

import re
from functools import cache
from types import ModuleType

from mt.errors import ConfigError
from training.compare.report.picture import Json, Picture

_FONT = "Arial, 'Liberation Sans', Helvetica, sans-serif"  # as wide there as where it is drawn
_CLIP = re.compile(r"\bclip\d+")
_SCALE = 2.0  # PNG pixels for each of the picture's


def theme(ink: str, faint: str) -> Json:
    """How pictures look on the page's ground; ink and faint are colours of text and of rules."""
    text = {"labelColor": ink, "titleColor": ink, "labelFontSize": 12, "titleFontSize": 12}
    return {
        "background": "transparent",
        "font": _FONT,
        "view": {"stroke": None},
        "axis": {
            **text,
            "titleFontWeight": "normal",
            "gridColor": faint,
            "domainColor": faint,
            "tickColor": faint,
            "labelLimit": 220,
        },
        "legend": {**text, "labelLimit": 260},
        "rule": {"color": ink},
        "text": {"color": ink},
    }


LIGHT, DARK = theme("#1b1f24", "#d5d9de"), theme("#e8eaed", "#454b54")


def draw(picture: Picture) -> tuple[str, bytes]:
    """The picture as SVG and as PNG, on white.

    Raises:
        ConfigError: vl-convert is not installed.
    """
    convert = _convert()
    config = {**LIGHT, "background": "#ffffff"}
    svg: str = convert.vegalite_to_svg(picture.specification(), config=config, allowed_base_urls=[])
    svg = _renumbered(svg)
    png: bytes = convert.svg_to_png(svg, scale=_SCALE)
    return svg, png


def _renumbered(svg: str) -> str:
    """Clips counted from 1: Vega counts them through all pictures of a process."""
    numbers: dict[str, int] = {}
    return _CLIP.sub(lambda found: f"clip{numbers.setdefault(found[0], len(numbers) + 1)}", svg)


@cache
def script() -> str:
    """Vega, Vega-Lite and vega-embed as one script that defines `vegaEmbed`.

    Raises:
        ConfigError: vl-convert is not installed.
    """
    bundle: str = _convert().javascript_bundle("window.vegaEmbed = vegaEmbed;")
    return bundle.replace("</script", "<\\/script")


def _convert() -> ModuleType:
    try:
        import vl_convert

        return vl_convert
    except ModuleNotFoundError:
        raise ConfigError("pictures need vl-convert: pip install 'seq2serve[train]'") from None
