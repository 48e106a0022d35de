"""Whether this process sees the folder that the installation writes to.

On a second host the database and the queue are reached over the network, and files (uploads,
models) through a folder that both mount. A worker without it would fail job by job, each with a
file that is not there; so it says at its start what is wrong.
"""

import logging
from pathlib import Path

from django.conf import settings

logger = logging.getLogger(__name__)


def _files() -> tuple[Path, ...]:
    return tuple(Path(place) / ".shared" for place in (settings.MEDIA_ROOT, settings.MODEL_DIR))


def note() -> None:
    """Mark the folders as the installation's: whoever brings the database up to date does."""
    for file in _files():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()


def missing() -> list[str]:
    """Folders of this process that are not those of the installation."""
    return [str(file.parent) for file in _files() if not file.exists()]


def tell(**_: object) -> None:
    """Say at a worker's start that its folders are its own."""
    for place in missing():
        logger.error(
            "%s is not the folder that this installation writes to: imports and models made on "
            "another host will not be found here. Mount the shared folder there (PERENNIAL_VAR, "
            "MODEL_DIR) and start this worker again.",
            place,
        )
