"""What the platform as a whole keeps of people outside every app: the logs of its processes."""

import os
from pathlib import Path

from django.conf import settings
from django.utils.translation import gettext_lazy as _

from marketing.core.personal import Place, Subject


def _logs(subject: Subject) -> int:
    """Black the person's names out of every log, in place: processes go on writing to them."""
    if subject.pattern is None:
        return 0
    changed = 0
    for folder, _folders, names in os.walk(settings.VAR_DIR):
        for name in names:
            if name.endswith((".log", ".log.1")):
                changed += _black_out(Path(folder) / name, subject)
    return changed


def _black_out(path: Path, subject: Subject) -> int:
    try:
        content = path.read_bytes()
    except OSError:
        return 0
    # One byte a character, so that places in the text are places in the file.
    text = content.decode("latin-1")
    pattern = subject.pattern_of_bytes
    found = [match.span() for match in pattern.finditer(text)] if pattern else []
    if found:
        with path.open("r+b") as file:
            for start, end in found:
                file.seek(start)
                file.write(b"x" * (end - start))
    return len(found)


PLACES = [Place("logs", _("Lines of logs"), erase=_logs)]
