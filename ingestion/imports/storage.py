"""The folder of uploaded and fetched files: each lies there under a name of our own."""

import hashlib
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.utils.translation import gettext as _

from marketing.core.errors import TooLarge, Unavailable

FOLDER = "imports"


@dataclass(frozen=True)
class Kept:
    """A file as it lies on this machine, before anything was looked at."""

    stored: str
    digest: str
    size: int

    @property
    def path(self) -> Path:
        return Path(settings.MEDIA_ROOT) / self.stored

    def drop(self) -> None:
        """Delete it again."""
        self.path.unlink(missing_ok=True)


def keep(*, chunks: Iterable[bytes]) -> Kept:
    """Write a file to the disk. Refused, with nothing left, if it is too large."""
    folder = Path(settings.MEDIA_ROOT) / FOLDER
    stored = f"{FOLDER}/{uuid.uuid4().hex}"
    path = Path(settings.MEDIA_ROOT) / stored
    digest, size = hashlib.sha256(), 0
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with path.open("xb") as file:
            for chunk in chunks:
                size += len(chunk)
                if size > settings.UPLOAD_LIMIT_BYTES:
                    raise TooLarge(
                        _("The file is larger than %(limit)d MB. Nothing was stored.")
                        % {"limit": settings.UPLOAD_LIMIT_BYTES // 1_000_000},
                        code="file_too_large",
                        field="file",
                        remedy=_("Split it, or compress it with gzip."),
                    )
                digest.update(chunk)
                file.write(chunk)
    except OSError as error:
        path.unlink(missing_ok=True)
        raise unwritable() from error
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return Kept(stored, digest.hexdigest(), size)


def unwritable() -> Unavailable:
    """The refusal of a file that the disk does not take."""
    return Unavailable(
        _("The file could not be written on the server; nothing was stored."),
        code="disk",
        remedy=_("Free some disk space, then upload it again."),
    )
