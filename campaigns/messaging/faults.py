"""Why content cannot be used or written, in words that whoever shows them translates.

The text of a fault is English with placeholders; `wording.said` gives it in the reader's language.
"""

from typing import Any


def gettext_noop(message: str) -> str:
    """Mark a message for translation; whoever shows it translates it."""
    return message


class Word(str):
    """A parameter that is a word of ours, to be translated like the text around it."""

    __slots__ = ()


class Fault(ValueError):
    """`template` and `params` are the text to translate; `str()` gives it in English."""

    def __init__(self, template: str, **params: Any) -> None:
        super().__init__(template % params if params else template)
        self.template = template
        self.params = params
