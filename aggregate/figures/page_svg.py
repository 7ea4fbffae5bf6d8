"""A figure's SVG made fit to stand in a page: themed, without ids, fonts or sizes of its own."""

import re
import xml.etree.ElementTree as ET

from aggregate.figures import style

SVG = "http://www.w3.org/2000/svg"
_XLINK = "{http://www.w3.org/1999/xlink}href"


def fitted(svg: bytes, prefix: str, summary: str) -> str:
    """The element: no size, fonts or colours of its own, no id twice, and a text alternative."""
    ET.register_namespace("", SVG)
    ET.register_namespace("xlink", _XLINK[1:].partition("}")[0])
    root = ET.fromstring(svg)  # noqa: S314 # matplotlib wrote it a moment ago
    for parent in list(root.iter()):
        for child in list(parent):
            # The file's style sheet would hold for the whole page; its metadata says what the report says.
            if child.tag in (f"{{{SVG}}}metadata", f"{{{SVG}}}style"):
                parent.remove(child)
    for element in root.iter():
        element.attrib.update({key: _fitted(key, value, prefix) for key, value in element.attrib.items()})
    for size in ("width", "height", "version"):
        root.attrib.pop(size, None)
    root.attrib.update({"role": "img", "aria-label": summary})
    return ET.tostring(root, encoding="unicode")


def _fitted(key: str, value: str, prefix: str) -> str:
    if key == "id":
        return prefix + value
    if key == _XLINK and value.startswith("#"):
        return f"#{prefix}{value[1:]}"
    if key == "clip-path":
        return value.replace("url(#", f"url(#{prefix}")
    if key in {"d", "x", "y", "points"}:
        # A hundredth of a point is enough for any screen, and half of the page's bytes.
        return re.sub(r"(\.\d\d)\d+", r"\1", value).replace(" \n", " ")
    if key == "style":
        value = re.sub(r"#[0-9a-f]{6}", lambda found: themed(found[0]), value)
        # "font" sets size and family at once; the page's own family takes over.
        value = re.sub(r"font: (?:(\d+) )?([\d.]+px) [^;]+", _font, value)
        return re.sub(r"font-family: [^;]+;? ?", "", value)
    return value


def themed(colour: str) -> str:
    """The page's name for a colour of the style, with the style's own as what it falls back to."""
    role = style.ROLES.get(colour)
    return f"var({role}, {colour})" if role else colour


def _font(found: re.Match[str]) -> str:
    weight = f"font-weight: {found[1]}; " if found[1] else ""
    return f"{weight}font-size: {found[2]}"
