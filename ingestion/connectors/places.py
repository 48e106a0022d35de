"""Where files lie: a folder of this machine, a bucket, an SFTP server, a page of links.

Each place is an fsspec file system that can only reach what may be reached: folders the server
allows, and addresses that the rules for outgoing calls allow, checked at the connection itself.
"""

import base64
import contextlib
import hashlib
import io
import ipaddress
import socket
from collections.abc import Iterator, Mapping
from email.utils import parsedate_to_datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urljoin, urlsplit

import fsspec
import orjson
import paramiko
from django.conf import settings
from django.utils.translation import gettext as _
from fsspec.implementations.sftp import SFTPFileSystem

from ingestion.connectors.base import wrong
from marketing.core import outbound, reach
from marketing.core.errors import Invalid, Unavailable

_CHUNK = 1 << 20
_INDEX = outbound.Limits(body=5_000_000)
_TOKENS = "https://oauth2.googleapis.com/token"
_BROKEN = (OSError, EOFError, paramiko.SSHException)
_DOWNLOAD = outbound.Limits(total=3600, read=60, body=1 << 40)


def allowed(path: str, *, field: str = "path") -> Path:
    """A path of this machine, links followed, that lies in an allowed folder. Invalid if not."""
    roots = [Path(root).resolve() for root in settings.CONNECTOR_FOLDERS]
    if "\0" in path or not path.strip():
        raise wrong(field, _("Give a path."))
    given = Path(path.strip())
    found = (given if given.is_absolute() or not roots else roots[0] / given).resolve()
    if not any(found == root or root in found.parents for root in roots):
        raise Invalid(
            _("Files can only be read in folders that the server allows."),
            code="folder_refused",
            field=field,
            remedy=_("Put them into %(folder)s, or name the folder in CONNECTOR_FOLDERS.")
            % {"folder": roots[0] if roots else "…"},
        )
    return found


class _Local:
    """A folder of this machine; a link that leads out of it is not followed."""

    def __init__(self, given: Mapping[str, Any]) -> None:
        self.root = allowed(str(given.get("path") or ""))
        if not self.root.is_dir():
            raise wrong("path", _("There is no such folder."))
        self._fs = fsspec.filesystem("file")

    def listing(self) -> Iterator[tuple[str, dict[str, Any]]]:
        for path, info in self._fs.find(str(self.root), detail=True).items():
            with contextlib.suppress(Invalid):
                allowed(path)
                yield path[len(str(self.root)) :].lstrip("/"), info

    def open(self, name: str) -> Any:
        return self._fs.open(str(allowed(str(self.root / name))), "rb")


def _guard(host: str, ports: tuple[int, ...] | None) -> Any:
    """What makes sockets for an HTTP library: each address is checked as it is connected to."""

    def make(info: tuple[Any, ...]) -> socket.socket:
        family, kind, protocol, _name, place = info
        reach.permit(
            host=host,
            address=ipaddress.ip_address(str(place[0]).split("%")[0]),
            port=int(place[1]),
            ports=ports,
        )
        return socket.socket(family, kind, protocol)

    return make


class _Bucket:
    """A bucket of S3, or of a store that speaks its protocol; or of Google Cloud Storage."""

    def __init__(self, given: Mapping[str, Any], kind: str) -> None:
        self.prefix = "/".join(
            part.strip("/")
            for part in (str(given["bucket"]), str(given.get("prefix") or ""))
            if part
        )
        self._fs = self._gcs(given) if kind == "gcs" else self._s3(given)

    def _s3(self, given: Mapping[str, Any]) -> Any:
        endpoint = str(given.get("endpoint") or "").strip()
        host = ""
        if endpoint:
            outbound.check(endpoint)
            host = reach.normal_host(outbound.parse(endpoint).host or "")
        key, secret = str(given.get("access_key") or ""), str(given.get("secret_key") or "")
        region = str(given.get("region") or "")
        return fsspec.filesystem(
            "s3",
            anon=not key,  # never the rights of the machine itself
            key=key or None,
            secret=secret or None,
            endpoint_url=endpoint or None,
            client_kwargs={"region_name": region} if region else {},
            config_kwargs={
                "connector_args": {"socket_factory": _guard(host, None)},
                "connect_timeout": 10,
                "read_timeout": 60,
                "retries": {"max_attempts": 3},
            },
            skip_instance_cache=True,
            use_listings_cache=False,
        )

    def _gcs(self, given: Mapping[str, Any]) -> Any:
        try:
            made = fsspec.get_filesystem_class("gcs")
        except ImportError as error:
            raise Invalid(
                _("The driver for Google Cloud Storage is not installed on this server."),
                code="driver_missing",
                field="variant",
                remedy=_("Install the Python package %(package)s, then try again.")
                % {"package": "gcsfs"},
            ) from error
        token = str(given.get("service_account") or "")
        return made(token=service_account(token) if token else "anon", skip_instance_cache=True)

    def listing(self) -> Iterator[tuple[str, dict[str, Any]]]:
        for path, info in self._fs.find(self.prefix, detail=True).items():
            yield path[len(self.prefix) :].lstrip("/"), info

    def open(self, name: str) -> Any:
        return self._fs.open(f"{self.prefix}/{name}", "rb", block_size=_CHUNK * 5)


def service_account(text: str) -> dict[str, Any]:
    """A service account's key file. Invalid when it is none."""
    try:
        found = orjson.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict) or found.get("type") != "service_account":
        raise wrong("service_account", _("This is not the JSON key of a service account."))
    return {**found, "token_uri": _TOKENS}  # a key file may not say who is called with it


class _HostKey(paramiko.MissingHostKeyPolicy):
    """Accepts the one server key whose fingerprint was entered."""

    def __init__(self, fingerprint: str) -> None:
        self._wanted = fingerprint.removeprefix("SHA256:").rstrip("=")

    def missing_host_key(self, client: Any, hostname: str, key: paramiko.PKey) -> None:
        found = base64.b64encode(hashlib.sha256(key.asbytes()).digest()).decode().rstrip("=")
        if found != self._wanted:
            raise Unavailable(
                _("The server's key is another than the one entered; nothing was sent."),
                code="host_key",
                remedy=_("Its fingerprint is SHA256:%(found)s. Enter it if the server is yours.")
                % {"found": found},
            )


class _Sftp:
    """A folder of an SFTP server."""

    def __init__(self, given: Mapping[str, Any]) -> None:
        host, port = str(given["host"]), int(given.get("port") or 22)
        self.root = "/" + str(given.get("path") or "").strip("/")
        self._connection = reach.connect(host=host, port=port, timeout=10, ports=(22,))
        self._connection.settimeout(60)
        try:
            self._fs = SFTPFileSystem(
                host,
                port=port,
                username=str(given["user"]),
                password=str(given.get("password") or "") or None,
                pkey=private_key(str(given.get("private_key") or "")),
                sock=self._connection,
                look_for_keys=False,
                allow_agent=False,
                timeout=15,
                banner_timeout=15,
                auth_timeout=15,
                host_key_policy=_HostKey(str(given.get("fingerprint") or "")),
                skip_instance_cache=True,
            )
        except (paramiko.SSHException, OSError) as error:
            self._connection.close()
            if isinstance(error, paramiko.AuthenticationException):
                raise Unavailable(
                    _("The server refused the user name, password or key."), code="sign_in"
                ) from None
            raise Unavailable(
                _("The SFTP server could not be reached, or broke off."), code="unreachable"
            ) from None

    def listing(self) -> Iterator[tuple[str, dict[str, Any]]]:
        for path, info in self._fs.find(self.root, detail=True).items():
            yield path[len(self.root) :].lstrip("/"), info

    def open(self, name: str) -> Any:
        return self._fs.open(f"{self.root.rstrip('/')}/{name}", "rb")

    def close(self) -> None:
        self._fs.client.close()
        self._connection.close()


def private_key(text: str) -> paramiko.PKey | None:
    if not text.strip():
        return None
    for kind in (paramiko.Ed25519Key, paramiko.ECDSAKey, paramiko.RSAKey):
        try:
            return kind.from_private_key(io.StringIO(text.strip() + "\n"))
        except (paramiko.SSHException, ValueError):
            continue
    raise wrong("private_key", _("This is not a private key without a passphrase."))


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "a" and (target := dict(attrs).get("href")):
            self.found.append(target)


class _Web:
    """A web page that links to files beside or below it, or the address of one file."""

    def __init__(self, given: Mapping[str, Any]) -> None:
        self.url = str(given["url"])
        self._headers = {}
        if secret := str(given.get("token") or ""):
            self._headers["Authorization"] = f"Bearer {secret}"
        self._addresses: dict[str, str] = {}

    def _ask(self, url: str, method: str, limits: outbound.Limits) -> outbound.Answer:
        answer = outbound.fetch(url=url, method=method, headers=self._headers, limits=limits)
        if not answer.ok:
            raise Unavailable(
                _("%(url)s answered with status %(status)d.")
                % {"url": outbound.shown(url), "status": answer.status},
                code="bad_status",
            )
        return answer

    def listing(self) -> Iterator[tuple[str, dict[str, Any]]]:
        head = self._ask(self.url, "HEAD", _INDEX)
        if "html" not in head.headers.get("content-type", ""):
            name = unquote(urlsplit(head.url).path.rsplit("/", 1)[-1]) or "file"
            self._addresses[name] = head.url
            yield name, _web_info(head)
            return
        page = self._ask(self.url, "GET", _INDEX)
        links = _Links()
        links.feed(page.body.decode("utf-8", "replace"))
        base = page.url.rsplit("/", 1)[0] + "/"
        for target in dict.fromkeys(links.found):
            address = urljoin(page.url, target).split("#")[0]
            name = unquote(urlsplit(address[len(base) :]).path)
            if not address.startswith(base) or not name or name.endswith("/") or ".." in name:
                continue
            self._addresses[name] = address
            yield name, {}

    def info(self, name: str) -> dict[str, Any]:
        return _web_info(self._ask(self._addresses[name], "HEAD", _INDEX))

    def chunks(self, name: str) -> Iterator[bytes]:
        with outbound.stream(
            url=self._addresses[name], headers=self._headers, limits=_DOWNLOAD
        ) as answer:
            if answer.status != 200:
                raise Unavailable(
                    _("%(url)s answered with status %(status)d.")
                    % {"url": outbound.shown(answer.url), "status": answer.status},
                    code="bad_status",
                )
            yield from answer.pieces


def _web_info(answer: outbound.Answer) -> dict[str, Any]:
    length = answer.headers.get("content-length", "")
    info: dict[str, Any] = {"size": int(length) if length.isascii() and length.isdigit() else 0}
    if etag := answer.headers.get("etag"):
        info["ETag"] = etag
    if moment := answer.headers.get("last-modified"):
        with contextlib.suppress(ValueError, TypeError):
            info["mtime"] = parsedate_to_datetime(moment)
    return info


PLACES: dict[str, Any] = {
    "local": _Local,
    "s3": lambda given: _Bucket(given, "s3"),
    "gcs": lambda given: _Bucket(given, "gcs"),
    "sftp": _Sftp,
    "web": _Web,
}


@contextlib.contextmanager
def opened(variant: str, given: Mapping[str, Any]) -> Iterator[Any]:
    """A place to list and read. Its errors come out in words."""
    place: Any = None
    try:
        place = PLACES[variant](given)
        yield place
    except _BROKEN as error:
        raise _unreadable(error) from None
    except Exception as error:
        if type(error).__module__.split(".")[0] in ("botocore", "aiohttp", "gcsfs", "google"):
            raise _unreadable(error) from None
        raise
    finally:
        if place is not None and hasattr(place, "close"):
            with contextlib.suppress(Exception):
                place.close()


def _unreadable(error: Exception) -> Unavailable:
    return Unavailable(
        _("The files could not be listed or read (%(why)s).") % {"why": _why(error)},
        code="unreadable",
    )


def _why(error: Exception) -> str:
    """The kind of a fault; its text might quote what was sent."""
    words: dict[type[Exception], str] = {
        FileNotFoundError: _("not found"),
        PermissionError: _("not permitted"),
        TimeoutError: _("no answer in time"),
    }
    return str(words.get(type(error), type(error).__name__))


def chunks(place: Any, name: str) -> Iterator[bytes]:
    """A file of a place, piece by piece. Its faults must not pass for those of our disk."""
    if hasattr(place, "chunks"):
        yield from place.chunks(name)
        return
    try:
        with place.open(name) as file:
            while piece := file.read(_CHUNK):
                yield piece
    except _BROKEN as error:
        raise _unreadable(error) from None
