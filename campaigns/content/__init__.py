"""What messages say: written, kept in versions and languages, looked at and tried out.

kinds, blocks and weaving make MJML of blocks, library and references keep blocks that many mails
share, saving checks and compiles, history and versions keep what was said
before, translations the other languages, seeing shows a message as somebody, testing sends one to
a colleague.
"""

from campaigns.content.saving import build, delete, keep, listed, save, starter, twin, written
from campaigns.content.seeing import (
    CLIPPED_BYTES,
    Failure,
    Preview,
    Trial,
    fault_page,
    people,
    preview,
    trial,
)

__all__ = [
    "CLIPPED_BYTES",
    "Failure",
    "Preview",
    "Trial",
    "build",
    "delete",
    "fault_page",
    "keep",
    "listed",
    "people",
    "preview",
    "save",
    "starter",
    "trial",
    "twin",
    "written",
]
