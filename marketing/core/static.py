"""Static files with their version in the address, straight from the source tree."""

import hashlib
from functools import cache
from pathlib import Path

from django.contrib.staticfiles import finders
from django.contrib.staticfiles.storage import StaticFilesStorage


@cache
def _version(name: str, modified: float) -> str:
    path = finders.find(name)
    return hashlib.sha256(Path(str(path)).read_bytes()).hexdigest()[:10]


class VersionedStatic(StaticFilesStorage):
    """Adds `?v=<hash>`, so a browser may keep a file for ever and still see the next release.

    No collect step: the platform starts as fast from a clone as from an image.
    """

    def url(self, name: str | None) -> str:
        plain = super().url(name)
        found = finders.find(name) if name else None
        if not found:
            return plain
        return f"{plain}?v={_version(str(name), Path(str(found)).stat().st_mtime)}"
