"""Cells of files that people open in a spreadsheet, which takes some texts for formulas."""

_RISKY = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def safe_cell(text: str) -> str:
    """A cell that no spreadsheet takes for a formula. Plain numbers stay numbers."""
    if text.startswith("'") or (text.lstrip(" ").startswith(_RISKY) and not _is_number(text)):
        return "'" + text
    return text


def plain_cell(text: str) -> str:
    """What safe_cell was given."""
    bare = text[1:]
    return bare if text.startswith("'") and safe_cell(bare) == text else text


def _is_number(text: str) -> bool:
    body = text.removeprefix("-").removeprefix("+")
    return body.isascii() and body.replace(".", "", 1).isdigit()
