"""The embedded servers alone: what a backup is brought back into while nothing else runs."""

import subprocess
import sys
from contextlib import closing

import psycopg2

from marketing import embedded
from marketing.embedded import postgres
from tests.platform.conftest import ROOT


def test_a_backup_is_brought_back_while_only_the_servers_run(platform, wait_for):
    def run(program: str, *arguments: str) -> None:
        subprocess.run([str(postgres.programs() / program), *arguments], check=True)

    with platform.log.open("wb") as output:
        platform.process = subprocess.Popen(
            [sys.executable, "manage.py", "servers"],
            cwd=ROOT, env=platform.environment, stdout=output, stderr=subprocess.STDOUT,
        )  # fmt: skip
    wait_for(lambda: platform.said("Nothing else runs."), seconds=60)
    url, dump = (platform.var / "postgres.url").read_text(), str(platform.var / "perennial.dump")
    with closing(psycopg2.connect(url)) as line, line, line.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")
        assert cursor.fetchone() == (0,)
        cursor.execute("CREATE TABLE kept AS SELECT 7 AS n")
    run("pg_dump", "--format=custom", f"--file={dump}", url)
    with closing(psycopg2.connect(url)) as line, line, line.cursor() as cursor:
        cursor.execute("DROP TABLE kept")
    run("pg_restore", "--no-owner", "--exit-on-error", f"--dbname={url}", dump)
    with closing(psycopg2.connect(url)) as line, line.cursor() as cursor:
        cursor.execute("SELECT n FROM kept")
        assert cursor.fetchone() == (7,)

    second = platform.try_to_start()
    assert "already runs from this folder: only its servers" in second.stderr
    platform.stop()
    assert platform.process.returncode == 0
    assert embedded.stop(platform.var / "postgres") is False
