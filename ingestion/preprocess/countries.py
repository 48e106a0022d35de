"""Country names as shops write them → ISO 3166 two-letter codes."""

from functools import lru_cache

import pycountry

# What the standard does not know, or knows under another name. None: named, but no country.
_ALSO: dict[str, str | None] = {
    "eire": "IE",
    "rsa": "ZA",
    "uk": "GB",
    "england": "GB",
    "scotland": "GB",
    "wales": "GB",
    "great britain": "GB",
    "northern ireland": "GB",
    "usa": "US",
    "u.s.a.": "US",
    "u.s.": "US",
    "america": "US",
    "uae": "AE",
    "holland": "NL",
    "the netherlands": "NL",
    "czech republic": "CZ",
    "south korea": "KR",
    "north korea": "KP",
    "russia": "RU",
    "taiwan": "TW",
    "vietnam": "VN",
    "hong kong sar": "HK",
    "macau": "MO",
    "turkey": "TR",
    "ivory coast": "CI",
    "brasil": "BR",
    "deutschland": "DE",
    "españa": "ES",
    "italia": "IT",
    "schweiz": "CH",
    "österreich": "AT",
    "中国": "CN",
    "英国": "GB",
    "美国": "US",
    "日本": "JP",
    "德国": "DE",
    "法国": "FR",
    # The islands have two codes (GG and JE); shops in Britain mostly mean Jersey, the larger one.
    "channel islands": "JE",
    "unspecified": None,
    "unknown": None,
    "n/a": None,
    "na": None,
    "none": None,
    "other": None,
    "european community": None,
    "european union": None,
    "eu": None,
    "-": None,
}


@lru_cache(maxsize=4096)
def code(name: str) -> str | None:
    """The two-letter code; empty text for a name that stands for no country; None if not known."""
    text = " ".join(name.split())
    if not text:
        return ""
    if text.casefold() in _ALSO:
        return _ALSO[text.casefold()] or ""
    if len(text) in (2, 3):
        upper = text.upper()
        found = (
            pycountry.countries.get(alpha_2=upper)
            if len(text) == 2
            else pycountry.countries.get(alpha_3=upper)
        )
        return found.alpha_2 if found else None
    try:
        return str(pycountry.countries.lookup(text).alpha_2)
    except LookupError:
        return None


@lru_cache(maxsize=512)
def name(alpha_2: str) -> str:
    """The English name of a code; the code itself when it is not known."""
    found = pycountry.countries.get(alpha_2=alpha_2)
    if found is None:
        return alpha_2
    return str(getattr(found, "common_name", found.name))
