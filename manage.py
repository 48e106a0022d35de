#!/usr/bin/env python
"""Run a management command of the platform, e.g. `python manage.py up`."""

import os
import sys

from django.core.management import execute_from_command_line

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "marketing.settings")
    execute_from_command_line(sys.argv)
