"""Codes of rules, faults and problems → sentences that a marketer can read."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _

from ingestion.preprocess import properties
from ingestion.registry import judging

FIELDS: dict[str, Any] = {
    "order_id": gettext_lazy("Order number"),
    "placed_at": gettext_lazy("Date and time"),
    "sku": gettext_lazy("Product code"),
    "quantity": gettext_lazy("Quantity"),
    "unit_price": gettext_lazy("Price of one"),
    "description": gettext_lazy("Product name"),
    "customer_id": gettext_lazy("Customer number"),
    "email": gettext_lazy("E-mail"),
    "phone": gettext_lazy("Phone"),
    "first_name": gettext_lazy("First name"),
    "last_name": gettext_lazy("Last name"),
    "country": gettext_lazy("Country"),
    "currency": gettext_lazy("Currency"),
    "language": gettext_lazy("Language"),
    "timezone": gettext_lazy("Time zone"),
    "subscribed": gettext_lazy("Agreed to marketing"),
    "consent_proof": gettext_lazy("Where they agreed"),
    "consent_at": gettext_lazy("When they agreed"),
    "name": gettext_lazy("Name"),
    "category": gettext_lazy("Category"),
    "price": gettext_lazy("Price"),
    "url": gettext_lazy("Page address"),
    "image_url": gettext_lazy("Picture address"),
    "stock": gettext_lazy("In stock"),
    "active": gettext_lazy("On sale"),
    "type": gettext_lazy("What happened"),
    "at": gettext_lazy("When"),
    "message_id": gettext_lazy("Message number"),
    "anonymous_id": gettext_lazy("Visitor number"),
    "properties": gettext_lazy("Details"),
    # words that reports use beside the fields
    "kind": gettext_lazy("Kept as"),
    "customer": gettext_lazy("Customer"),
    "cancels": gettext_lazy("Takes back order"),
    "outlier": gettext_lazy("Flagged"),
    "price_text": gettext_lazy("Price"),
    "plan": gettext_lazy("The plan"),
}

# rule → (title, what was done)
RULES: dict[str, tuple[Any, Any]] = {
    "cancellations": (
        gettext_lazy("Cancelled lines"),
        gettext_lazy("Kept as returns on their credit note."),
    ),
    "returns_matched": (
        gettext_lazy("Returns matched to their order"),
        gettext_lazy(
            "Each points at the line it takes back, and that order is marked as returned."
        ),
    ),
    "returns_open": (
        gettext_lazy("Returns without an order"),
        gettext_lazy("No earlier sale to this person was found in the data. Kept as returns."),
    ),
    "missing_customer": (
        gettext_lazy("No customer number"),
        gettext_lazy("Kept as guest orders: they count as revenue but belong to nobody."),
    ),
    "exact_duplicates": (
        gettext_lazy("Exact duplicates"),
        gettext_lazy("Counted and left out: the same line of the same order was there already."),
    ),
    "zero_price": (
        gettext_lazy("Price of zero"),
        gettext_lazy("Kept as adjustments: not a sale, so no model learns from them."),
    ),
    "negative_price": (
        gettext_lazy("Negative price"),
        gettext_lazy("Quarantined: a correction of the books, not an order."),
    ),
    "not_goods": (
        gettext_lazy("Postage, fees and vouchers"),
        gettext_lazy("Kept as fees: in the order's total, but never recommended."),
    ),
    "stock_corrections": (
        gettext_lazy("Stock corrections"),
        gettext_lazy(
            "Negative quantities at no price outside of a cancellation. Kept as adjustments."
        ),
    ),
    "outlier_quantity": (
        gettext_lazy("Unusual quantities"),
        gettext_lazy("Kept and flagged: far above everything else this shop sells at once."),
    ),
    "outlier_price": (
        gettext_lazy("Unusual prices"),
        gettext_lazy("Kept and flagged: far above every other price of this shop."),
    ),
    "code_case": (
        gettext_lazy("Product codes spelled alike"),
        gettext_lazy("Capitals unified, so that one product is one product."),
    ),
    "description_tidied": (
        gettext_lazy("Names tidied"),
        gettext_lazy("Spaces and invisible characters cleaned up."),
    ),
    "description_missing": (
        gettext_lazy("No product name"),
        gettext_lazy("Kept: the code says which product it is."),
    ),
    "country_normalised": (
        gettext_lazy("Countries as codes"),
        gettext_lazy("Names and spellings turned into the two-letter codes of ISO 3166."),
    ),
    "country_unknown": (
        gettext_lazy("Country not known"),
        gettext_lazy("Left empty rather than guessed."),
    ),
    "time_zone": (
        gettext_lazy("Local times"),
        gettext_lazy("Read in the shop's time zone and stored as UTC."),
    ),
    "bad_contact": (
        gettext_lazy("Addresses that cannot be right"),
        gettext_lazy("Left empty; the rest of the row was kept."),
    ),
    "property_unread": (
        gettext_lazy("Properties that are not of their kind"),
        gettext_lazy("Left empty; the rest of the row was kept. As text they would all go in."),
    ),
    "numbered": (
        gettext_lazy("Numbered by their line"),
        gettext_lazy("Nothing in the file says who they are, so each line is a person of its own."),
    ),
    "consent_granted": (
        gettext_lazy("Agreed to marketing"),
        gettext_lazy("Recorded with its proof."),
    ),
    "consent_refused": (
        gettext_lazy("Said no to marketing"),
        gettext_lazy("Recorded: nobody of them gets marketing mail."),
    ),
    "consent_without_proof": (
        gettext_lazy("Agreed, but without proof"),
        gettext_lazy(
            "Not recorded as consent. Map the columns that say when or where they agreed."
        ),
    ),
    "plan_warned": (
        gettext_lazy("Events unlike the tracking plan"),
        gettext_lazy("Stored, as the plan only warns of them."),
    ),
    "plan_stopped": (
        gettext_lazy("Events kept out by the tracking plan"),
        gettext_lazy("Quarantined: change the plan or the lines, then import them again."),
    ),
    "message_conflict": (
        gettext_lazy("Message number used twice"),
        gettext_lazy("Quarantined: the same number came with another content before."),
    ),
}


def field(name: str) -> str:
    """A field's name for people; a property's is its own."""
    return str(FIELDS.get(name, properties.name_of(name) or name))


def fault(code: str, name: str, facts: Mapping[str, Any]) -> tuple[str, str]:
    """(what is wrong, what to do) for one quarantined line."""
    if code.startswith("plan_"):
        return _plan_fault(code, name, facts)
    values = {"field": field(name), "value": "", **facts}
    message, remedy = _faults(get_language() or "").get(code, (_("This line cannot be read."), ""))
    return (message % values)[:300], (remedy % values)[:300]


def _plan_fault(code: str, name: str, facts: Mapping[str, Any]) -> tuple[str, str]:
    """The plan's own words, or what they come to where only code and property are known."""
    if "message" in facts:
        return facts["message"], facts["remedy"]
    return judging.wording(code, "…", name, "…\0…")


@lru_cache(maxsize=8)
def _faults(language: str) -> dict[str, tuple[str, str]]:
    """The table of faults, made once per language."""
    return {
        "missing": (_("%(field)s is empty."), _("Fill it in and import the line again.")),
        "text_too_long": (_("%(field)s is too long: “%(value)s…”."), _("Shorten it.")),
        "not_a_date": (
            _("%(field)s: “%(value)s” is no date of the chosen form."),
            _("Correct the date, or choose another date form for the whole file."),
        ),
        "date_too_old": (_("%(field)s: “%(value)s” lies before 1970."), _("Correct the date.")),
        "date_in_future": (_("%(field)s: “%(value)s” lies in the future."), _("Correct the date.")),
        "not_a_number": (
            _("%(field)s: “%(value)s” is not a number."),
            _("Correct the number, or choose the other decimal mark for the whole file."),
        ),
        "not_whole": (_("%(field)s: “%(value)s” is not a whole number."), _("Use whole units.")),
        "number_too_large": (_("%(field)s: “%(value)s” is too large."), _("Correct the number.")),
        "zero_quantity": (
            _("The quantity is zero: nothing was sold."),
            _("Remove the line or correct it."),
        ),
        "negative_price": (
            _("The price %(value)s is negative."),
            _("Write money given back as a negative quantity."),
        ),
        "no_rate": (
            _("There is no rate for “%(value)s” on that day."),
            _("Add the rate to the recipe, then run the file again."),
        ),
        "unknown_unit": (
            _("%(field)s: “%(value)s” has no unit that can be converted."),
            _("Write a number and a unit such as 500 g."),
        ),
        "unknown_country": (
            _("%(field)s: “%(value)s” is no country."),
            _("Use a two-letter code such as GB."),
        ),
        "not_in_table": (
            _("%(field)s: “%(value)s” is not in the table of this rule."),
            _("Add it to the recipe, then run the file again."),
        ),
        "outlier": (
            _("%(field)s: “%(value)s” is far outside of everything else."),
            _("Check the number; if it is right, let the recipe flag it instead."),
        ),
        "bad_currency": (
            _("“%(value)s” is no currency."),
            _("Use a three-letter code such as GBP."),
        ),
        "bad_email": (_("“%(value)s” is not an e-mail address."), _("Correct the address.")),
        "bad_phone": (_("“%(value)s” is not a phone number."), _("Write it as + and digits.")),
        "not_yes_or_no": (_("%(field)s: “%(value)s” is neither yes nor no."), _("Use yes or no.")),
        "not_json": (
            _("The details are not a JSON object."),
            _("Correct the JSON; NaN is not allowed."),
        ),
        "no_person": (
            _("Nothing says whose row this is."),
            _("Give a customer number, an e-mail address or a phone number."),
        ),
        "conflict": (
            _("Message number “%(value)s” was used before for something else."),
            _("Give every event a number of its own."),
        ),
        "open_quote": (
            _("A quotation mark is opened and never closed on this line."),
            _("Close it, or write a quotation mark inside a field twice. Later lines were read."),
        ),
        "stray_quote": (
            _("A quotation mark stands where none may be."),
            _("Put the whole field in quotation marks and write those inside it twice."),
        ),
        "field_count": (
            _("%(found)s fields where the header has %(expected)s."),
            _("Add or remove fields so that every line has as many as the header."),
        ),
        "nul_byte": (_("The line holds a zero byte."), _("Save the file again as plain text.")),
        "line_too_long": (
            _("The line is over 1 MB long (%(megabytes)s MB)."),
            _("Shorten the field, or check for a missing line break."),
        ),
        "not_json_line": (
            _("The line is no JSON object."),
            _("Write one object a line, in curly brackets; NaN is not allowed."),
        ),
        "twice_in_object": (
            _("A name stands twice in one object of the line."),
            _("Keep one of the two, so that it is clear which is meant."),
        ),
        "undecodable": (
            _("Byte %(byte)s of the line (%(value)s) is not valid %(encoding)s."),
            _("Save the file as UTF-8, or choose the right encoding."),
        ),
    }


def problem(code: str, facts: Mapping[str, Any]) -> tuple[str, str]:
    """(what is wrong, what to do) for a whole file or its header."""
    table = {
        "empty_file": (_("The file is empty."), _("Choose a file with a header line and rows.")),
        "not_a_table": (
            _("The content is %(what)s, not a table in text form."),
            _("Save it as CSV (UTF-8) and upload that."),
        ),
        "json_array": (
            _("The file is one JSON list."),
            _("Save it as JSON Lines: one object a line, without the brackets around them."),
        ),
        "nested_archive": (
            _("There is another archive inside of the archive."),
            _("Unpack it and upload the table itself."),
        ),
        "empty_archive": (_("The archive holds no file."), _("Put the table into it.")),
        "no_such_member": (
            _("The archive holds no file named “%(member)s”."),
            _("Choose one of its files."),
        ),
        "unsafe_archive": (
            _("The archive holds links or names that lead out of it, or parts that overlap."),
            _("Pack the table alone, or upload it as it is."),
        ),
        "encrypted_archive": (
            _("The archive is locked with a password."),
            _("Pack it again without one."),
        ),
        "too_many_members": (
            _("The archive holds more than %(limit)s files."),
            _("Pack only the table."),
        ),
        "damaged_parquet": (
            _("The Parquet file is damaged or of a form that cannot be read."),
            _("Write it again, or save it as CSV."),
        ),
        "damaged_spreadsheet": (
            _("The spreadsheet is damaged or not of the form .xlsx."),
            _("Save it again as .xlsx or CSV."),
        ),
        "unsafe_spreadsheet": (
            _("The spreadsheet defines entities of its own, which no spreadsheet needs."),
            _("Save it again with a spreadsheet program, or as CSV."),
        ),
        "spreadsheet_too_large": (
            _("The spreadsheet holds more text than can be read at once."),
            _("Save it as CSV and upload that."),
        ),
        "too_many_rows": (
            _("The sheet has more than %(limit)s rows."),
            _("Save it as CSV and upload that."),
        ),
        "no_such_sheet": (
            _("There is no sheet named “%(sheet)s” with rows."),
            _("Choose one of its sheets."),
        ),
        "raw_pruned": (
            _("The file was deleted: files are kept for a while only."),
            _("Upload it again."),
        ),
        "utf32": (_("The file is in UTF-32."), _("Save it as UTF-8.")),
        "unknown_encoding": (
            _("There is no encoding named %(encoding)s."),
            _("Choose one from the list."),
        ),
        "too_many_columns": (
            _("The file has %(columns)s columns; at most %(limit)s can be read."),
            _("Remove columns that are not needed."),
        ),
        "damaged_archive": (
            _("The compressed file is damaged or cut off."),
            _("Compress it again."),
        ),
        "too_much_unpacked": (
            _("The compressed file unpacks to far more than a table would."),
            _("Upload the CSV itself, up to %(gigabytes)s GB."),
        ),
        "duplicate_header": (
            _("Several columns are named %(detail)s."),
            _("Give every column a name of its own, so that none is mixed up with another."),
        ),
        "empty_header": (
            _("Column %(detail)s has no name."),
            _("Name every column in the first line."),
        ),
        "header_only": (
            _("The file has a header line but no rows."),
            _("Export it again with its rows."),
        ),
        "one_column": (
            _("Only one column was found, “%(detail)s”."),
            _("Choose the delimiter that separates the columns."),
        ),
        "missing_file": (
            _("The uploaded file is not in the folder of the worker that was to read it."),
            _("Upload it again. Workers on several machines must share that folder."),
        ),
        "field_required": (
            _("Choose a column for %(field)s."),
            _("If the file has none, a rule of the source's recipe can fill it."),
        ),
        "nobody_named": (
            _("No column says who a row is about."),
            _("Choose one for customer number, e-mail or phone, or take each line for a person."),
        ),
        "no_such_column": (_("The column chosen for %(field)s does not exist."), ""),
        "column_used_twice": (_("The column for %(field)s is already used for another field."), ""),
        "unknown_field": (_("There is no field named %(detail)s."), ""),
    }
    message, remedy = table.get(code, (_("The file cannot be read."), ""))
    values = {"detail": "", "field": "", **facts}
    return message % values, remedy % values
