"""SVG of a figure, adapted to an HTML page: colours of the page's theme, unique ids, fonts of the page."""

import base64
import io
import re
import xml.etree.ElementTree as ET

from PIL import Image

from aggregate.figures import style

SVG = "http://www.w3.org/2000/svg"
_XLINK = "{http://www.w3.org/1999/xlink}href"
_PNG = "data:image/png;base64,"
_LARGE_URL = 40_000
"""Characters above which an embedded picture is made smaller. Pictures in charts have less."""
_PICTURE_SIDE, _PICTURE_QUALITY = 160, 70


def adapt_svg(svg: bytes, prefix: str, summary: str) -> str:
    """Adapt an SVG file of matplotlib to an HTML page.

    Args:
        svg: The file.
        prefix: Text put before every id, so that ids are unique in the page.
        summary: Text alternative.

    Returns:
        The element as text, without size, style sheet, metadata and fonts. Its colours are CSS variables.
    """
    ET.register_namespace("", SVG)
    ET.register_namespace("xlink", _XLINK[1:].partition("}")[0])
    root = ET.fromstring(svg)  # noqa: S314 # matplotlib wrote it
    for parent in list(root.iter()):
        for child in list(parent):
            # A style sheet would apply to the whole page; the metadata repeat what the report says.
            if child.tag in (f"{{{SVG}}}metadata", f"{{{SVG}}}style"):
                parent.remove(child)
    for element in root.iter():
        element.attrib.update({key: _adapt_attribute(key, value, prefix) for key, value in element.attrib.items()})
    for size in ("width", "height", "version"):
        root.attrib.pop(size, None)
    root.attrib.update({"role": "img", "aria-label": summary})
    return ET.tostring(root, encoding="unicode")


def _adapt_attribute(key: str, value: str, prefix: str) -> str:
    if key == "id":
        return prefix + value
    if key == _XLINK:
        return f"#{prefix}{value[1:]}" if value.startswith("#") else _shrink_picture(value)
    if key == "clip-path":
        return value.replace("url(#", f"url(#{prefix}")
    if key in {"d", "x", "y", "points"}:
        # Hundredths of a point are precise enough for any screen and halve the size of the page.
        return re.sub(r"(\.\d\d)\d+", r"\1", value).replace(" \n", " ")
    if key == "style":
        value = re.sub(r"#[0-9a-f]{6}", lambda match: make_variable(match[0]), value)
        # "font" sets size and family; only the size is kept, and the family is that of the page.
        value = re.sub(r"font: (?:(\d+) )?([\d.]+px) [^;]+", _keep_size, value)
        return re.sub(r"font-family: [^;]+;? ?", "", value)
    return value


def _shrink_picture(url: str) -> str:
    """Return the data URL of a photograph as a smaller WebP image. The files of the figure have all its pixels."""
    if len(url) < _LARGE_URL or not url.startswith(_PNG):
        return url
    png, data = base64.b64decode(url.removeprefix(_PNG)), io.BytesIO()
    picture = Image.open(io.BytesIO(png), formats=("PNG",))
    picture.thumbnail((_PICTURE_SIDE, _PICTURE_SIDE), Image.Resampling.BOX)
    picture.save(data, "WEBP", quality=_PICTURE_QUALITY)
    return "data:image/webp;base64," + base64.b64encode(data.getvalue()).decode()


def make_variable(colour: str) -> str:
    """Return the CSS variable of a colour of the style with the colour as fallback, or the colour itself."""
    variable = style.ROLES.get(colour)
    return f"var({variable}, {colour})" if variable else colour


def _keep_size(match: re.Match[str]) -> str:
    weight = f"font-weight: {match[1]}; " if match[1] else ""
    return f"{weight}font-size: {match[2]}"
