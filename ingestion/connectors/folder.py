"""New and changed files of a folder or bucket; each becomes an import of its own."""

import fnmatch
import functools
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from ingestion.connectors import places
from ingestion.connectors.base import Field, File, Kind, Sample, number, wrong
from marketing.core import outbound

_LISTED = 10_000
_SETTLED = timedelta(seconds=10)  # a file still being written changes
_READABLE = ("csv", "tsv", "txt", "json", "jsonl", "ndjson", "xlsx", "parquet")
_PACKED = ("gz", "xz", "zip")


class Folder(Kind):
    """Files of one place."""

    key = "folder"
    gives = "files"
    goes_to = (
        "variant", "host", "port", "user", "fingerprint", "endpoint", "bucket", "url", "access_key",
    )  # fmt: skip
    variants = (
        ("local", gettext_lazy("Folder of the server")),
        ("s3", gettext_lazy("S3 bucket")),
        ("gcs", "Google Cloud Storage"),
        ("sftp", "SFTP"),
        ("web", gettext_lazy("Web address")),
    )
    fields = (
        Field("host", gettext_lazy("Server"), required=True, only=("sftp",), limit=253),
        Field(
            "port",
            gettext_lazy("Port"),
            kind="number",
            only=("sftp",),
            hint=gettext_lazy("Empty for the usual one."),
        ),
        Field("user", gettext_lazy("User name"), required=True, only=("sftp",), limit=128),
        Field("password", gettext_lazy("Password"), secret=True, only=("sftp",)),
        Field(
            "private_key",
            gettext_lazy("Private key"),
            kind="long",
            secret=True,
            only=("sftp",),
            hint=gettext_lazy("Instead of a password."),
        ),
        Field(
            "fingerprint",
            gettext_lazy("Fingerprint of the server's key"),
            required=True,
            only=("sftp",),
            placeholder="SHA256:…",
            hint=gettext_lazy(
                "So that the password goes to this server alone. ssh-keygen -lf shows it."
            ),
        ),
        Field(
            "endpoint",
            gettext_lazy("Address of the store"),
            only=("s3",),
            placeholder="https://s3.example.com",
            hint=gettext_lazy("Empty for Amazon's own."),
        ),
        Field("bucket", gettext_lazy("Bucket"), required=True, only=("s3", "gcs"), limit=200),
        Field("prefix", gettext_lazy("Folder in the bucket"), only=("s3", "gcs")),
        Field("region", gettext_lazy("Region"), only=("s3",), limit=40, placeholder="eu-west-2"),
        Field(
            "access_key",
            gettext_lazy("Access key"),
            only=("s3",),
            hint=gettext_lazy("Empty for a bucket that everybody may read."),
        ),
        Field("secret_key", gettext_lazy("Secret key"), secret=True, only=("s3",)),
        Field(
            "service_account",
            gettext_lazy("Key of the service account (JSON)"),
            kind="long",
            secret=True,
            only=("gcs",),
        ),
        Field(
            "url",
            gettext_lazy("Web address"),
            required=True,
            only=("web",),
            placeholder="https://files.example.com/exports/",
            hint=gettext_lazy("One file, or a page that links to files beside it."),
        ),
        Field("token", gettext_lazy("Bearer token"), secret=True, only=("web",)),
        Field(
            "path",
            gettext_lazy("Folder"),
            only=("local", "sftp"),
            hint=gettext_lazy("On this server: inside a folder that the server allows."),
        ),
        Field(
            "pattern",
            gettext_lazy("File names"),
            default="*",
            placeholder="orders-*.csv",
            hint=gettext_lazy("* stands for anything. Tables are taken, other files left alone."),
        ),
    )

    @classmethod
    def refuse_nonsense(cls, given: Mapping[str, Any]) -> None:
        variant = given.get("variant")
        if variant == "local":
            places.allowed(str(given.get("path") or "."), field="path")
        if variant == "sftp":
            number(given, "port", low=1, high=65_535, default=22)
            if not (given.get("password") or given.get("private_key")):
                raise wrong("password", _("Give a password or a private key."))
            if given.get("private_key"):
                places.private_key(str(given["private_key"]))
        if variant == "s3" and bool(given.get("access_key")) != bool(given.get("secret_key")):
            raise wrong("secret_key", _("Give both keys, or neither."))
        if variant == "s3" and given.get("endpoint"):
            outbound.parse(str(given["endpoint"]))
        if variant == "gcs" and given.get("service_account"):
            places.service_account(str(given["service_account"]))
        if variant == "web":
            outbound.parse(str(given.get("url") or ""))

    def _fits(self, name: str) -> bool:
        pattern = self.text("pattern") or "*"
        ending = name.lower().rsplit("/", 1)[-1].split(".")[1:]
        if ending and ending[-1] in _PACKED:
            ending = ending[:-1] or ["csv"]
        return (
            bool(ending)
            and ending[-1] in _READABLE
            and (
                fnmatch.fnmatch(name, pattern) or fnmatch.fnmatch(name.rsplit("/", 1)[-1], pattern)
            )
        )

    def _listed(self, place: Any) -> list[tuple[str, dict[str, Any]]]:
        found = []
        for name, info in place.listing():
            if self._fits(name):
                found.append((name, info))
            if len(found) > _LISTED:
                raise wrong(
                    "pattern",
                    _("More than %(n)d files fit. Narrow the names.") % {"n": _LISTED},
                )
        return sorted(found, key=lambda item: (str(_changed(item[1]) or ""), item[0]))

    def test(self) -> Sample:
        self.refuse_nonsense(self.given)
        with places.opened(self.variant, self.given) as place:
            found = self._listed(place)
        message = ngettext(
            "Connected. %(n)d file fits.", "Connected. %(n)d files fit.", len(found)
        ) % {"n": len(found)}
        rows = [
            [name, str(info.get("size") or ""), str(_changed(info) or "")[:19]]
            for name, info in found[-5:]
        ]
        return Sample(message, [_("File"), _("Bytes"), _("Changed")], rows)

    def files(self) -> Iterator[File]:
        with places.opened(self.variant, self.given) as place:
            for name, listed in self._listed(place):
                info = listed or place.info(name)
                changed = _changed(info)
                if self.variant in ("local", "sftp") and changed and changed > self.now - _SETTLED:
                    continue
                yield File(
                    name,
                    _version(info),
                    int(info.get("size") or 0),
                    functools.partial(places.chunks, place, name),
                )


def _changed(info: Mapping[str, Any]) -> datetime | None:
    """When a file was last changed, however its place calls that."""
    for name in ("mtime", "LastModified", "last_modified", "updated"):
        value = info.get(name)
        if isinstance(value, datetime):
            return value
        if isinstance(value, int | float):
            return datetime.fromtimestamp(value, datetime.now().astimezone().tzinfo)
    return None


def _version(info: Mapping[str, Any]) -> str:
    """What is another when the file is another; empty where its place does not say."""
    tag = str(info.get("ETag") or info.get("etag") or "").strip('"')
    changed = _changed(info)
    return f"{tag}|{info.get('size', '')}|{changed or ''}"[:200] if tag or changed else ""
