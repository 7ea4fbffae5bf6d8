"""Paths and URLs in a site's staging area.

Reference: CHTC, "Staging directory transition",
https://chtc.cs.wisc.edu/uw-research-computing/staging-transition.
"""

import re

from submit.sites.profile import Staging

GROUPS = "groups"
"""Folder of groups, directly below the root. It has no folders by first letter and no osdf:/// URL."""
VARIABLE = "$ENV(STAGING)"
"""How CHTC's pages write the user's staging folder, such as /staging/b/bucky."""


def staging_remedy(place: str, staging: Staging) -> str:
    """Return what is wrong with a path or URL in a staging area and its valid form, or an empty string.

    Args:
        place: A path or URL; one outside the staging area is valid.
        staging: The site's staging area.
    """
    if not staging.by_letter:
        return ""
    found = re.fullmatch(rf"({re.escape(staging.url)}|file://)?{re.escape(staging.root)}(/.*)?", place)
    if not found:
        return ""
    prefix, rest = found[1] or "", (found[2] or "").strip("/")
    parts = rest.split("/")
    if parts[0] == GROUPS:
        if prefix == staging.url:
            return f"is a group's folder, which has no {staging.url} URL; write file://{staging.root}/{rest}"
        return ""
    if len(parts[0]) == 1 and len(parts) > 1 and parts[1][:1].lower() == parts[0]:
        return ""
    user = parts[1:] if len(parts[0]) == 1 and len(parts) > 1 else parts
    new = "/".join([user[0][:1].lower(), *user]) if user[0] else "b/bucky"
    return (
        f"is not a staging folder: since 2026-08-01 a user's folder is below the first letter of the name; "
        f"write {prefix}{staging.root}/{new}"
    )
