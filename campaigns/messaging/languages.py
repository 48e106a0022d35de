"""Which of a message's languages a person gets: theirs, a near one, or the one it began in."""

from collections.abc import Iterable


def chosen(written: Iterable[str], wanted: str) -> str:
    """The language among `written` for somebody who reads `wanted`; '' for the first one.

    de-AT is served by de, and zh by zh-hans, when nothing nearer was written.
    """
    if not wanted:
        return ""
    wanted = wanted.lower().replace("_", "-")
    root = wanted.partition("-")[0]
    near = ""
    for language in written:
        if language == wanted:
            return language
        if language == root or (not near and language.partition("-")[0] == root):
            near = language
    return near
