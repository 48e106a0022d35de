"""What keeps the platform from starting is said before anything is started, with the remedy."""

import contextlib
import json
import os
import socket
from pathlib import Path
from typing import NamedTuple

import psycopg2
import pytest
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder

from marketing import startup
from marketing.core.models import ApiKey, User


@pytest.fixture(autouse=True)
def unchanged_environment(monkeypatch):
    for name in ("DATABASE_URL", "REDIS_URL"):
        monkeypatch.setenv(name, os.environ[name])


def test_a_port_in_use_is_named_with_a_free_one_to_use():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(startup.StartError) as refusal:
            startup.require_port(port)

    assert f"Port {port} is in use" in str(refusal.value)
    assert "make run" in str(refusal.value)


def test_two_installations_that_start_at_once_never_take_the_same_mail_port():
    wanted = startup.free_port(0)
    with startup.take_port(wanted) as first, startup.take_port(wanted) as second:
        assert first.getsockname() == ("127.0.0.1", wanted)
        assert second.getsockname()[1] not in (0, wanted)
        for taken in (first, second):  # whoever connects reaches the one it asked for
            with socket.create_connection(taken.getsockname(), timeout=5) as asked:
                assert taken.accept()[1] == asked.getsockname()


def test_a_second_start_from_the_same_folder_says_where_the_first_one_runs(tmp_path: Path):
    first = startup.take_folder(tmp_path, "http://127.0.0.1:8000")
    with pytest.raises(
        startup.StartError, match=r"already runs from this folder: http://127.0.0.1"
    ):
        startup.take_folder(tmp_path, "http://127.0.0.1:8001")
    first.close()

    startup.take_folder(tmp_path, "http://127.0.0.1:8001").close()


def test_a_folder_that_cannot_be_written_is_explained(tmp_path: Path):
    (tmp_path / "file").write_text("")

    with pytest.raises(startup.StartError, match="Set PERENNIAL_VAR to another folder"):
        startup.take_folder(tmp_path / "file" / "var", "http://127.0.0.1:8000")


def test_a_full_disk_is_explained(tmp_path: Path, monkeypatch):
    class Usage(NamedTuple):
        free: int = 5_000_000

    monkeypatch.setattr(startup.shutil, "disk_usage", lambda _path: Usage())

    with pytest.raises(startup.StartError, match="has 5 MB left; at least 1000 MB are needed"):
        startup.require_space(tmp_path)


@pytest.mark.parametrize(
    ("database", "queue", "words"),
    [
        ("postgres://me:secret@127.0.0.1:1/x", None, "PostgreSQL at 127.0.0.1:1 does not answer"),
        (None, "redis://:secret@127.0.0.1:1/0", "Redis at 127.0.0.1:1 does not answer"),
    ],
)
def test_a_mute_server_is_named_without_its_password(database, queue, words):
    with pytest.raises(startup.StartError) as refusal:
        startup.use_servers(
            database or os.environ["DATABASE_URL"], queue or os.environ["REDIS_URL"]
        )

    assert words in str(refusal.value)
    assert "secret" not in str(refusal.value)


@pytest.mark.django_db
def test_an_account_that_may_not_make_tables_is_told_what_would_let_it():
    known = connection.settings_dict
    admin = psycopg2.connect(
        host=known["HOST"], port=known["PORT"], user=known["USER"], password=known["PASSWORD"],
        dbname="postgres",
    )  # fmt: skip
    admin.autocommit = True
    with contextlib.closing(admin), admin.cursor() as cursor:
        cursor.execute("CREATE ROLE poor LOGIN PASSWORD 'p'")
        cursor.execute("CREATE DATABASE poordb")
        url = f"postgres://poor:p@{known['HOST']}:{known['PORT']}/poordb"
        try:
            with pytest.raises(startup.StartError) as refused:
                startup._require_postgres(url)
        finally:
            cursor.execute("DROP DATABASE poordb WITH (FORCE)")
            cursor.execute("DROP ROLE poor")
    assert 'ALTER DATABASE "poordb" OWNER TO "poor"' in str(refused.value)


@pytest.mark.django_db
class TestDemoLogin:
    def test_it_is_generated_private_and_works(self, tmp_path: Path):
        file = tmp_path / "demo.json"
        login = startup.ensure_login(file, "http://127.0.0.1:8123")

        assert file.stat().st_mode & 0o777 == 0o600
        assert json.loads(file.read_text()) == login
        user = User.objects.get(username=login["login"])
        assert user.check_password(login["password"])
        assert user.is_superuser
        assert ApiKey.objects.get().prefix == login["api_key"].split("_")[1]

    def test_a_later_start_keeps_it_and_updates_the_address(self, tmp_path: Path):
        first = startup.ensure_login(tmp_path / "demo.json", "http://127.0.0.1:8123")
        second = startup.ensure_login(tmp_path / "demo.json", "http://127.0.0.1:9000")

        assert second["address"] == "http://127.0.0.1:9000"
        assert (second["password"], second["api_key"]) == (first["password"], first["api_key"])

    def test_a_lost_file_gets_a_new_password_and_key(self, tmp_path: Path):
        first = startup.ensure_login(tmp_path / "demo.json", "http://127.0.0.1:8123")
        (tmp_path / "demo.json").unlink()
        second = startup.ensure_login(tmp_path / "demo.json", "http://127.0.0.1:8123")

        assert second["password"] != first["password"]
        assert User.objects.get().check_password(second["password"])


OURS = {"core", "ingestion", "models_ml", "recommendations", "campaigns"}


@pytest.fixture
def before_the_first_release():
    """The history of a database that ran versions from before 0.1.0, up to their last."""
    history = MigrationRecorder.Migration.objects
    for (app, name), migration in MigrationLoader(connection).disk_migrations.items():
        if app in OURS and migration.replaces:
            history.filter(app=app, name=name).delete()
            for old_app, old_name in migration.replaces:
                history.create(app=old_app, name=old_name)
    return history


@pytest.mark.django_db
def test_a_database_from_before_the_first_release_goes_on_as_it_is(before_the_first_release):
    assert startup.migrate() == 0


@pytest.mark.django_db
def test_one_that_missed_the_last_steps_before_the_release_is_told_what_to_start_first(
    before_the_first_release,
):
    before_the_first_release.filter(app="campaigns", name="0038_pace_mark").delete()

    with pytest.raises(startup.StartError, match=r"lacks campaigns\.0038_pace_mark"):
        startup.migrate()


@pytest.mark.django_db
def test_migrating_what_is_up_to_date_applies_nothing():
    assert startup.migrate() == 0
