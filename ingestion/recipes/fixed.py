"""The cleaning that is always done after a recipe: the fixed part of what a person sees."""

from typing import Any

from django.utils.translation import gettext_lazy as _

# kind → (the codes by which imports report it, what it does)
RULES: dict[str, tuple[tuple[tuple[str, ...], Any, Any], ...]] = {
    "orders": (
        (("code_case",), _("Product codes in capitals"), _("So that one product is one product.")),
        (
            ("description_tidied", "description_missing"),
            _("Names tidied"),
            _("Spaces and invisible characters go."),
        ),
        (
            ("country_normalised", "country_unknown"),
            _("Countries as codes"),
            _("What is no country is left empty rather than guessed."),
        ),
        (("time_zone",), _("Times as UTC"), _("Read in the time zone of the file.")),
        (("exact_duplicates",), _("Same line twice"), _("Counted and left out.")),
        (
            ("negative_price",),
            _("Rows that cannot be sales"),
            _("A quantity of zero, a price below zero, what is no date or number: set aside."),
        ),
        (
            ("cancellations", "zero_price", "not_goods", "stock_corrections"),
            _("What a line is"),
            _("Sale, return, fee or adjustment, by its code, price and sign."),
        ),
        (
            ("returns_matched", "returns_open"),
            _("Returns find their order"),
            _("Each takes back the latest earlier sale of the same thing to the same person."),
        ),
        (
            ("outlier_quantity", "outlier_price"),
            _("Unusual numbers flagged"),
            _("Kept, and left out of what models learn from."),
        ),
    ),
    "customers": (
        (
            ("bad_contact",),
            _("E-mail and phone in one form"),
            _("What cannot be right is left empty, if another name of the person is left."),
        ),
        (("exact_duplicates",), _("Same row twice"), _("Counted and left out.")),
        ((), _("Countries, time zones and names"), _("Codes where there is one; spaces go.")),
        (
            ("consent_granted", "consent_refused", "consent_without_proof"),
            _("Answers about marketing"),
            _("A yes counts with proof only, and never against a later no."),
        ),
    ),
    "products": (
        ((), _("Product codes in capitals"), _("So that one product is one product.")),
        ((), _("Prices and stock"), _("What is no number, and prices below zero: set aside.")),
        (("exact_duplicates",), _("Same code twice"), _("The last row of a file counts.")),
    ),
    "events": (
        ((), _("Times as UTC"), _("Times in the future are set aside or set back to now.")),
        ((), _("Somebody it is about"), _("Rows without any name of a person are set aside.")),
        (
            ("message_conflict",),
            _("Each event once"),
            _("The same number with the same content is a duplicate, with another a conflict."),
        ),
    ),
}
