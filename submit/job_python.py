"""Check of the Python that runs the jobs: an access point's has no torch."""

from importlib.util import find_spec

from alignsec.errors import ConfigError, ConfigErrors
from submit.site import Site

REMEDY = (
    "is empty, so jobs use this Python, which has no torch; set CONTAINER_IMAGE to the image of make containers, "
    "or PYTHON to a Python with requirements/image.txt"
)


def check_job_python(site: Site, *, dry: bool) -> None:
    """Raise ConfigErrors if jobs would use the Python of this command and it cannot run them.

    Args:
        site: The site's settings.
        dry: True if no job is submitted or run.
    """
    if not (dry or site.container_image or site.python) and find_spec("torch") is None:
        raise ConfigErrors([ConfigError(path=".env", field="CONTAINER_IMAGE", remedy=REMEDY)])
