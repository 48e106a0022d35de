"""Django's own checks, against a throwaway database: no missing migration, fit for deployment."""

import os
import sys

from marketing import embedded


def main() -> int:
    with embedded.Servers() as servers:
        os.environ.update(
            DJANGO_SETTINGS_MODULE="marketing.settings",
            PERENNIAL_VAR=str(servers.folder / "var"),
            DATABASE_URL=servers.database_url,
            REDIS_URL=servers.redis_url,
            PUBLIC_URL="https://marketing.example.com",
            ALLOWED_HOSTS="marketing.example.com",
        )
        # The settings read the environment when Django is imported, so not before this line.
        from django.core.management import ManagementUtility  # noqa: PLC0415

        for command in (
            ["makemigrations", "--check", "--dry-run"],
            ["migrate", "--verbosity=0"],
            ["check", "--deploy", "--fail-level", "WARNING", "--database", "default"],
        ):
            try:
                ManagementUtility(["manage.py", *command]).execute()
            except SystemExit as stop:
                if stop.code:
                    return int(stop.code)
    return 0


if __name__ == "__main__":
    sys.exit(main())
