"""CHTC's rules for inputs: below 1 GB as a plain path, 1 to 30 GB by osdf:///, 30 to 100 GB by file:///staging."""

from typing import Literal

GB = 1_000_000_000
Way = Literal["", "osdf", "file"]
"""How an input reaches a job; empty: HTCondor copies it from the access point."""
_MOST_BYTES: dict[Way, int] = {"": 1 * GB, "osdf": 30 * GB, "file": 100 * GB}


def transfer_method(url: str) -> Way:
    """Whose rules an input falls under that a site staged at an address; empty where it staged none.

    Addresses that CHTC's pages do not speak of, such as https, are held to the rules for osdf.
    """
    match url.partition(":")[0]:
        case "" | "file" as known:
            return known
        case _:
            return "osdf"


def refusal(size: int, url: str) -> str:
    """Why an input of so many bytes is not taken that way, after its size; empty where it is taken."""
    most = _MOST_BYTES[transfer_method(url)]
    if size < most:
        return ""
    how = f"by {url.partition(':')[0]}://" if url else "as a plain input"
    return f"more than the {most // GB} GB that CHTC takes {how}"
