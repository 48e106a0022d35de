"""Files of a folder become imports once per version, wherever the folder is."""

import gzip
import io
import os
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import boto3
import paramiko
import pytest
from django.db import connection
from moto.server import ThreadedMotoServer

from ingestion.connectors import folder, places
from ingestion.imports import starting
from ingestion.models import Connector, ImportJob, Product, PulledFile
from marketing.core import jobs
from marketing.core.errors import Invalid, Refused, Unavailable
from tests.ingestion.connectors.conftest import NOW, fetch, long_ago, run_import

GOODS = b"sku,name,price\nA1,Mug,4.10\nA2,Lamp,19.00\n"


def put(root: Path, name: str, content: bytes = GOODS) -> Path:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    os.utime(path, (long_ago(), long_ago()))
    return path


@pytest.fixture
def inbox(settings, tmp_path: Path) -> Path:  # type: ignore[no-untyped-def]
    settings.CONNECTOR_FOLDERS = [str(tmp_path / "inbox")]
    (tmp_path / "inbox").mkdir()
    return tmp_path / "inbox"


def begin_with_products(record: ImportJob) -> ImportJob:
    starting.start(record=record, now=NOW)
    return run_import(record)


def names() -> list[str]:
    return sorted(PulledFile.objects.values_list("name", flat=True))


def test_new_and_changed_files_are_taken_and_known_ones_left(
    inbox: Path, connect: Callable[..., Connector]
) -> None:
    put(inbox, "products.csv")
    put(inbox, "deep/more.csv.gz", gzip.compress(GOODS.replace(b"A", b"B")))
    put(inbox, "picture.png", b"\x89PNG")
    connector = connect("folder", variant="local", path=".")
    first = fetch(connector)
    assert (first.rows, names()) == (2, ["deep/more.csv.gz", "products.csv"])
    for record in first.imports.all():
        assert begin_with_products(record).kind == "products"
    assert Product.objects.count() == 4
    Connector.objects.update(state="active")

    assert fetch(connector).rows == 0
    put(inbox, "products.csv", GOODS + b"A3,Vase,7.00\n")
    second = fetch(connector)
    assert second.rows == 1
    run_import(second.imports.get())  # its columns are known: it has begun by itself
    assert Product.objects.count() == 5


def test_a_file_that_is_no_table_is_named_once_and_the_rest_goes_on(
    inbox: Path, connect: Callable[..., Connector]
) -> None:
    put(inbox, "broken.csv", b"")
    put(inbox, "products.csv")
    connector = connect("folder", variant="local", path=".")
    assert fetch(connector).imports.count() == 1
    assert PulledFile.objects.get(name="broken.csv").problem != ""
    assert fetch(connector).rows == 0


def test_a_file_that_is_still_being_written_waits(
    inbox: Path, connect: Callable[..., Connector]
) -> None:
    path = put(inbox, "products.csv")
    connector = connect("folder", variant="local", path=".")
    os.utime(path, (time.time() - 2, time.time() - 2))
    assert fetch(connector).rows == 0
    os.utime(path, (time.time() - 60, time.time() - 60))
    assert fetch(connector).rows == 1


@pytest.mark.parametrize("path", ["..", "/etc", "../..", "out", "/"])
def test_no_folder_outside_the_allowed_ones_is_read(inbox: Path, path: str) -> None:
    (inbox / "out").symlink_to("/etc")
    with pytest.raises(Invalid):
        folder.Folder({"variant": "local", "path": path}, now=NOW).test()


def test_a_link_that_leads_out_of_the_folder_is_not_followed(inbox: Path, tmp_path: Path) -> None:
    put(tmp_path, "secret.csv")
    (inbox / "link.csv").symlink_to(tmp_path / "secret.csv")
    assert list(folder.Folder({"variant": "local", "path": "."}, now=NOW).files()) == []


@pytest.mark.django_db(transaction=True)
def test_a_file_is_copied_before_any_transaction_begins(
    inbox: Path, connect: Callable[..., Connector], monkeypatch: pytest.MonkeyPatch
) -> None:
    put(inbox, "products.csv")
    seen: list[bool] = []
    chunks = places.chunks

    def watched(place: Any, name: str) -> Iterator[bytes]:
        for piece in chunks(place, name):
            seen.append(connection.in_atomic_block)
            yield piece

    monkeypatch.setattr(places, "chunks", watched)
    assert fetch(connect("folder", variant="local", path=".")).rows == 1
    assert seen == [False]


def test_a_file_that_goes_while_it_is_read_is_no_fault_of_our_disk(
    inbox: Path, connect: Callable[..., Connector], monkeypatch: pytest.MonkeyPatch
) -> None:
    put(inbox, "products.csv")
    listing = places._Local.listing

    def gone(place: Any) -> Iterator[tuple[str, dict[str, Any]]]:
        yield from list(listing(place))
        (inbox / "products.csv").unlink()

    monkeypatch.setattr(places._Local, "listing", gone)
    pull = fetch(connect("folder", variant="local", path="."))
    assert (pull.state, pull.rows) == ("failed", 0)
    assert "could not be listed or read (not found)" in pull.error


def test_stopping_is_heard_while_a_file_is_copied_and_leaves_none_behind(
    inbox: Path,
    connect: Callable[..., Connector],
    monkeypatch: pytest.MonkeyPatch,
    settings: Any,
) -> None:
    put(inbox, "products.csv")
    chunks = places.chunks
    monkeypatch.setattr(jobs.Running, "check", check := Stopping())

    def stopped(place: Any, name: str) -> Iterator[bytes]:
        check.now = True
        yield from chunks(place, name)

    monkeypatch.setattr(places, "chunks", stopped)
    pull = fetch(connect("folder", variant="local", path="."))
    assert (pull.state, pull.rows, names()) == ("stopped", 0, [])
    assert list((settings.MEDIA_ROOT / "imports").iterdir()) == []


class Stopping:
    """Stands where a job is asked whether to stop."""

    now = False

    def __call__(self) -> None:
        if self.now:
            raise jobs.Cancelled


def test_a_pattern_narrows_the_names(inbox: Path) -> None:
    for name in ("orders-1.csv", "orders-2.csv", "people.csv"):
        put(inbox, name)
    given = {"variant": "local", "path": ".", "pattern": "orders-*"}
    found = [f.name for f in folder.Folder(given, now=NOW).files()]
    assert sorted(found) == ["orders-1.csv", "orders-2.csv"]


# --- the web -----------------------------------------------------------------------------------


def test_files_that_a_page_links_to_are_taken_and_nothing_beside_them(
    site: Any, connect: Callable[..., Connector]
) -> None:
    page = (
        b'<a href="a.csv">a</a> <a href="/other/b.csv">b</a> <a href="../c.csv">c</a>'
        b'<a href="https://example.com/d.csv">d</a> <a href="e.pdf">e</a> <a href="sub/">s</a>'
    )
    site.pages["/files/"] = lambda _q, _h: (200, {"Content-Type": "text/html"}, page)
    tag = ['"v1"']
    site.pages["/files/a.csv"] = lambda _q, _h: (200, {"ETag": tag[0]}, GOODS)
    connector = connect("folder", variant="web", url=f"{site.url}/files/", token="canary-77-token")
    assert (fetch(connector).rows, names()) == (1, ["a.csv"])
    assert fetch(connector).rows == 0
    tag[0] = '"v2"'
    assert fetch(connector).rows == 1
    assert {path for _m, path, _h in site.asked} == {"/files/", "/files/a.csv"}
    assert all(h["authorization"] == "Bearer canary-77-token" for _m, _p, h in site.asked)


def test_a_file_of_which_nobody_says_when_it_changed_is_known_by_its_content(
    site: Any, connect: Callable[..., Connector], settings: Any
) -> None:
    content = [GOODS]
    site.pages["/export.csv"] = lambda _q, _h: (200, {"Content-Type": "text/csv"}, content[0])
    connector = connect("folder", variant="web", url=f"{site.url}/export.csv")
    assert (fetch(connector).rows, fetch(connector).rows) == (1, 0)
    content[0] = GOODS.replace(b"19.00", b"21.00")
    assert fetch(connector, now=NOW + timedelta(days=1)).rows == 1
    content[0] = GOODS
    assert fetch(connector, now=NOW + timedelta(days=2)).rows == 1
    assert fetch(connector, now=NOW + timedelta(days=3)).rows == 0
    assert len(list((settings.MEDIA_ROOT / "imports").iterdir())) == 3


def test_one_file_of_the_web_is_enough(site: Any) -> None:
    site.pages["/export.csv"] = lambda _q, _h: (200, {"Content-Type": "text/csv"}, GOODS)
    given = {"variant": "web", "url": f"{site.url}/export.csv"}
    found = list(folder.Folder(given, now=NOW).files())
    assert [(f.name, b"".join(f.chunks())) for f in found] == [("export.csv", GOODS)]


# --- S3, by a server that speaks its protocol --------------------------------------------------


@pytest.fixture(scope="module")
def store() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def bucket(store: str) -> Iterator[Any]:
    client = boto3.client(
        "s3", endpoint_url=store, aws_access_key_id="key", aws_secret_access_key="canary-88-secret",
        region_name="us-east-1",
    )  # fmt: skip
    client.create_bucket(Bucket="exports")
    yield client
    for entry in client.list_objects_v2(Bucket="exports").get("Contents", []):
        client.delete_object(Bucket="exports", Key=entry["Key"])
    client.delete_bucket(Bucket="exports")


def s3(store: str, **changes: str) -> dict[str, str]:
    return {
        "variant": "s3", "endpoint": store, "bucket": "exports", "prefix": "daily",
        "access_key": "key", "secret_key": "canary-88-secret", "region": "us-east-1", **changes,
    }  # fmt: skip


def test_files_of_a_bucket_are_taken_by_their_etag(
    store: str,
    bucket: Any,
    settings,  # type: ignore[no-untyped-def]
    connect: Callable[..., Connector],
) -> None:
    settings.OUTBOUND_ALLOW = ["127.0.0.1"]
    bucket.put_object(Bucket="exports", Key="daily/a.csv", Body=GOODS)
    bucket.put_object(Bucket="exports", Key="elsewhere/b.csv", Body=GOODS)
    connector = connect("folder", **s3(store))
    assert (fetch(connector).rows, names()) == (1, ["a.csv"])
    assert fetch(connector).rows == 0
    bucket.put_object(Bucket="exports", Key="daily/a.csv", Body=GOODS + b"A9,New,1.00\n")
    assert fetch(connector).rows == 1
    assert "canary-88" not in str(Connector.objects.values())


def test_a_bucket_inside_the_network_is_not_called_unless_the_server_allows_it(
    store: str, bucket: Any
) -> None:
    with pytest.raises(Refused, match="OUTBOUND_ALLOW"):
        folder.Folder(s3(store), now=NOW).test()


def test_a_bucket_that_is_not_there_is_said_in_words(
    store: str,
    bucket: Any,
    settings,  # type: ignore[no-untyped-def]
) -> None:
    settings.OUTBOUND_ALLOW = ["127.0.0.1"]
    sample = folder.Folder(s3(store, prefix="nothing-here"), now=NOW).test()
    assert sample.rows == []


def test_google_storage_names_the_package_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gcsfs", None)  # as on a server without it
    with pytest.raises(Invalid, match="gcsfs"):
        folder.Folder({"variant": "gcs", "bucket": "b"}, now=NOW).test()


# --- SFTP, by a server of our own --------------------------------------------------------------


class Doorman(paramiko.ServerInterface):
    def check_auth_password(self, username: str, password: str) -> int:
        good = (username, password) == ("shop", "canary-99-password")
        return paramiko.AUTH_SUCCESSFUL if good else paramiko.AUTH_FAILED

    def get_allowed_auths(self, username: str) -> str:
        return "password"

    def check_channel_request(self, kind: str, chanid: int) -> int:
        return paramiko.OPEN_SUCCEEDED


class Files(paramiko.SFTPServerInterface):
    root: Path

    def _at(self, path: str) -> str:
        return str(self.root) + os.path.normpath("/" + path)

    def list_folder(self, path: str) -> Any:
        found = []
        for name in os.listdir(self._at(path)):
            entry = paramiko.SFTPAttributes.from_stat(os.stat(f"{self._at(path)}/{name}"))
            entry.filename = name
            found.append(entry)
        return found

    def stat(self, path: str) -> Any:
        try:
            return paramiko.SFTPAttributes.from_stat(os.stat(self._at(path)))
        except OSError as error:
            return paramiko.SFTPServer.convert_errno(error.errno or 0)

    lstat = stat

    def open(self, path: str, flags: int, attr: Any) -> Any:
        handle = paramiko.SFTPHandle(flags)
        handle.readfile = open(self._at(path), "rb")  # type: ignore[attr-defined] # noqa: SIM115
        return handle


@pytest.fixture
def sftp(settings, tmp_path: Path) -> Iterator[dict[str, str]]:  # type: ignore[no-untyped-def]
    settings.OUTBOUND_ALLOW = ["127.0.0.1"]
    (tmp_path / "remote").mkdir()
    files = type("Own", (Files,), {"root": tmp_path / "remote"})
    key = paramiko.RSAKey.generate(2048)
    listener = socket.create_server(("127.0.0.1", 0))
    stopped = threading.Event()

    def serve() -> None:
        while not stopped.is_set():
            try:
                connection, _peer = listener.accept()
            except OSError:
                return
            transport = paramiko.Transport(connection)
            transport.add_server_key(key)
            transport.set_subsystem_handler("sftp", paramiko.SFTPServer, files)
            try:
                transport.start_server(server=Doorman())
            except (paramiko.SSHException, EOFError):
                transport.close()

    threading.Thread(target=serve, daemon=True).start()
    yield {
        "variant": "sftp",
        "host": "127.0.0.1",
        "port": str(listener.getsockname()[1]),
        "user": "shop",
        "password": "canary-99-password",
        "fingerprint": key.fingerprint,
        "path": "/out",
        "root": str(tmp_path / "remote"),
    }
    stopped.set()
    listener.close()


def test_files_of_an_sftp_server_are_taken(
    sftp: dict[str, str], connect: Callable[..., Connector]
) -> None:
    put(Path(sftp["root"]), "out/a.csv")
    put(Path(sftp["root"]), "private/b.csv")
    given = {name: value for name, value in sftp.items() if name != "root"}
    connector = connect("folder", **given)
    pull = fetch(connector)
    assert (pull.error, pull.rows, names()) == ("", 1, ["a.csv"])
    assert pull.imports.get().bytes == len(GOODS)
    assert fetch(connector).rows == 0


def test_a_server_with_another_key_gets_no_password(sftp: dict[str, str]) -> None:
    put(Path(sftp["root"]), "out/a.csv")
    given = {**sftp, "fingerprint": "SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}
    with pytest.raises(Unavailable, match="nothing was sent") as refused:
        folder.Folder(given, now=NOW).test()
    assert sftp["fingerprint"].removeprefix("SHA256:").rstrip("=") in str(refused.value)


def test_a_wrong_password_is_said_without_it(sftp: dict[str, str]) -> None:
    with pytest.raises(Unavailable, match="refused the user name") as refused:
        folder.Folder({**sftp, "password": "canary-98-wrong"}, now=NOW).test()
    assert "canary" not in str(refused.value)


def test_an_sftp_server_inside_the_network_is_not_called_unless_allowed(
    sftp: dict[str, str],
    settings,  # type: ignore[no-untyped-def]
) -> None:
    settings.OUTBOUND_ALLOW = []
    with pytest.raises(Refused, match="OUTBOUND_ALLOW"):
        folder.Folder(sftp, now=NOW).test()


@pytest.mark.parametrize(
    "given",
    [
        {"variant": "sftp", "host": "h", "user": "u"},
        {"variant": "sftp", "host": "h", "user": "u", "private_key": "nonsense"},
        {"variant": "s3", "bucket": "b", "access_key": "only"},
        {"variant": "s3", "bucket": "b", "endpoint": "file:///etc"},
        {"variant": "gcs", "bucket": "b", "service_account": "{}"},
        {"variant": "web", "url": "gopher://x"},
    ],
)
def test_settings_that_cannot_be_right_are_refused(given: dict[str, str]) -> None:
    with pytest.raises(Refused):
        folder.Folder.refuse_nonsense(given)


def test_a_key_file_does_not_say_who_is_called_with_it() -> None:
    text = '{"type": "service_account", "token_uri": "http://169.254.169.254/token"}'
    assert places.service_account(text)["token_uri"] == "https://oauth2.googleapis.com/token"


def test_a_private_key_of_each_kind_is_read() -> None:
    made = paramiko.RSAKey.generate(1024)
    text = io.StringIO()
    made.write_private_key(text)
    found = places.private_key(text.getvalue())
    assert found is not None
    assert found.get_base64() == made.get_base64()
