"""The column contract of each kind of file, and which column of a file fills which field.

Pure: no framework. A field's `aliases` are compared after lower-casing and dropping everything but
letters and digits, so `Customer ID`, `customer_id` and `CustomerID` are one name.
"""

import re
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from ingestion.preprocess import properties

# What the columns are called in exports of other languages: German, French, Spanish.
_ABROAD: dict[str, tuple[str, ...]] = {
    "order_id": (
        "bestellnummer", "bestellnr", "auftragsnummer", "rechnungsnummer", "numerodecommande",
        "commande", "numerodepedido", "pedido", "factura", "facture",
    ),
    "placed_at": (
        "bestelldatum", "rechnungsdatum", "datum", "datedecommande", "fechadepedido", "fecha",
    ),
    "sku": ("artikelnummer", "artikelnr", "artikel", "reference", "referencia", "codigo"),
    "quantity": ("menge", "anzahl", "stuck", "stück", "quantite", "quantité", "cantidad"),
    "unit_price": (
        "einzelpreis", "stuckpreis", "stückpreis", "preis", "prix", "prixunitaire", "precio",
        "preciounitario",
    ),
    "price": ("einzelpreis", "preis", "prix", "precio"),
    "description": (
        "artikelname", "bezeichnung", "produktname", "produkt", "designation", "désignation",
        "produit", "producto", "descripcion", "descripción",
    ),
    "customer_id": (
        "kundennummer", "kundennr", "kunde", "kundenid", "numeroclient", "client", "cliente",
        "idcliente",
    ),
    "email": ("emailadresse", "courriel", "adressemail", "correo", "correoelectronico"),
    "phone": ("telefon", "telefonnummer", "handy", "mobil", "telefono", "teléfono", "portable"),
    "first_name": ("vorname", "prenom", "prénom", "nombre"),
    "last_name": ("nachname", "familienname", "nomdefamille", "apellido", "apellidos"),
    "country": ("land", "pays", "pais", "país"),
    "language": ("sprache", "langue", "idioma"),
    "currency": ("wahrung", "währung", "devise", "moneda"),
    "category": ("kategorie", "categorie", "catégorie", "categoria", "categoría"),
    "stock": ("lagerbestand", "bestand", "stocks", "existencias"),
    "at": ("zeitpunkt", "zeit", "datum", "horodatage", "fecha"),
    "type": ("ereignis", "evenement", "événement", "evento"),
}  # fmt: skip


@dataclass(frozen=True)
class Field:
    """One thing that a file may tell. `kind` decides how its text is read."""

    name: str
    kind: (
        str  # text, id, sku, integer, decimal, moment, country, currency, email, phone, flag, json
    )
    required: bool = False
    limit: int = 300
    aliases: tuple[str, ...] = ()


_PERSON = (
    Field("email", "email", limit=254, aliases=("mail", "emailaddress", "customeremail", "邮箱")),
    Field(
        "phone", "phone", limit=30, aliases=("telephone", "mobile", "phonenumber", "tel", "手机")
    ),
    Field("first_name", "text", limit=100, aliases=("firstname", "givenname", "forename")),
    Field("last_name", "text", limit=100, aliases=("lastname", "surname", "familyname")),
    Field("country", "country", limit=80, aliases=("countrycode", "shippingcountry", "国家")),
)
_CUSTOMER_ID = (
    "customer",
    "customerid",
    "customernumber",
    "customerno",
    "clientid",
    "userid",
    "用户id",
)

KINDS: dict[str, tuple[Field, ...]] = {
    "orders": (
        Field(
            "order_id",
            "id",
            True,
            100,
            (
                "order",
                "orderid",
                "ordernumber",
                "orderno",
                "invoice",
                "invoiceno",
                "invoiceid",
                "invoicenumber",
                "name",
                "订单号",
            ),
        ),
        Field(
            "placed_at",
            "moment",
            True,
            60,
            (
                "date",
                "orderdate",
                "invoicedate",
                "createdat",
                "placedat",
                "orderedat",
                "datetime",
                "下单时间",
            ),
        ),
        Field(
            "sku",
            "sku",
            True,
            60,
            (
                "sku",
                "stockcode",
                "productid",
                "productcode",
                "itemid",
                "lineitemsku",
                "variantsku",
                "商品编号",
            ),
        ),
        Field(
            "quantity", "integer", True, 30, ("qty", "units", "lineitemquantity", "count", "数量")
        ),
        Field(
            "unit_price",
            "decimal",
            True,
            40,
            ("price", "unitprice", "lineitemprice", "itemprice", "单价"),
        ),
        Field(
            "description",
            "text",
            False,
            300,
            ("product", "productname", "itemname", "lineitemname", "title", "商品名称"),
        ),
        Field("customer_id", "id", False, 100, _CUSTOMER_ID),
        *_PERSON,
        Field("currency", "currency", False, 20, ("currencycode", "货币")),
    ),
    "customers": (
        Field("customer_id", "id", False, 100, (*_CUSTOMER_ID, "id", "externalid")),
        *_PERSON,
        Field("language", "text", limit=10, aliases=("lang", "locale", "语言")),
        Field("timezone", "text", limit=64, aliases=("tz", "时区")),
        Field(
            "subscribed",
            "flag",
            limit=20,
            aliases=(
                "consent",
                "optin",
                "optedin",
                "acceptsmarketing",
                "emailconsent",
                "marketing",
                "newsletter",
                "newsletters",
                "订阅",
            ),
        ),
        Field(
            "consent_proof", "text", limit=300, aliases=("consentsource", "optinsource", "proof")
        ),
        Field(
            "consent_at",
            "moment",
            limit=60,
            aliases=("consentdate", "optindate", "subscribedat", "signedupon"),
        ),
    ),
    "products": (
        Field(
            "sku",
            "sku",
            True,
            60,
            ("stockcode", "productid", "productcode", "itemid", "id", "variantsku"),
        ),
        Field("name", "text", True, 300, ("title", "product", "productname", "description")),
        Field("category", "text", limit=100, aliases=("type", "producttype", "department", "分类")),
        Field("price", "decimal", limit=40, aliases=("unitprice", "variantprice", "单价")),
        Field("currency", "currency", limit=20, aliases=("currencycode",)),
        Field("url", "text", limit=500, aliases=("link", "producturl")),
        Field("image_url", "text", limit=500, aliases=("image", "imagelink", "imagesrc")),
        Field("stock", "integer", limit=30, aliases=("inventory", "qty", "quantity", "库存")),
        Field("active", "flag", limit=20, aliases=("published", "status", "available")),
    ),
    "events": (
        Field("type", "text", True, 100, ("event", "eventname", "eventtype", "name", "action")),
        Field(
            "at",
            "moment",
            True,
            60,
            ("timestamp", "time", "date", "datetime", "occurredat", "createdat"),
        ),
        Field("message_id", "id", False, 100, ("id", "eventid", "uuid", "messageid")),
        Field("customer_id", "id", False, 100, _CUSTOMER_ID),
        Field("email", "email", limit=254, aliases=("mail", "emailaddress")),
        Field(
            "anonymous_id",
            "id",
            limit=100,
            aliases=("anonymousid", "visitorid", "sessionid", "cookie"),
        ),
        Field(
            "properties", "json", limit=100_000, aliases=("props", "payload", "data", "attributes")
        ),
    ),
}

# The share of its needed fields that a file must seem to have before it is taken for that kind.
_ENOUGH = 0.55
# Of these at least one must be mapped, beyond the required fields.
ONE_OF: dict[str, tuple[str, ...]] = {"customers": ("customer_id", "email", "phone")}


def fold(name: str) -> str:
    """A header reduced to its letters and digits: `Customer ID` and `customer_id` are one name."""
    return re.sub(r"[^\w]|_", "", unicodedata.normalize("NFKC", name).casefold())


def suggest(kind: str, header: Sequence[str]) -> dict[str, int]:
    """Field → column index, for the columns whose names are known. Each column is used once."""
    folded = [fold(name) for name in header]
    found: dict[str, int] = {}
    for by_alias in (False, True):
        for field in KINDS[kind]:
            if field.name in found:
                continue
            names = _aliases(field) if by_alias else [fold(field.name)]
            for name in names:
                if name in folded and folded.index(name) not in found.values():
                    found[field.name] = folded.index(name)
                    break
    return {field.name: found[field.name] for field in KINDS[kind] if field.name in found}


def _aliases(field: Field) -> list[str]:
    return [fold(name) for name in (*field.aliases, *_ABROAD.get(field.name, ()))]


def guess_kind(header: Sequence[str]) -> str:
    """The kind whose required fields are best met by these column names.

    Columns that look like nothing we know are most likely about people: what else a file says of
    them can be kept, while orders, products and events need columns of their own.
    """

    def met(kind: str) -> tuple[float, int]:
        found = suggest(kind, header)
        needed = [f.name for f in KINDS[kind] if f.required]
        if not needed:
            known = any(name in found for name in ONE_OF[kind])
            return (_ENOUGH if known or len(header) > 1 else 0.0, len(found))
        return (sum(name in found for name in needed) / len(needed), len(found))

    kinds = list(KINDS)
    return max(kinds, key=lambda kind: (met(kind), -kinds.index(kind)))


def check(
    kind: str, mapping: Mapping[str, int], columns: int, filled: Collection[str] = ()
) -> list[tuple[str, str]]:
    """What is wrong with a mapping, as (code, field name); empty when it can be used.

    `filled`: fields that need no column, as something else fills them.
    """
    known = {field.name: field for field in KINDS[kind]}
    faults = [
        ("unknown_field", name)
        for name in mapping
        if name not in known and not properties.may_be(kind, name)
    ]
    faults += [
        ("no_such_column", name)
        for name, index in mapping.items()
        if not isinstance(index, int) or not 0 <= index < columns
    ]
    there = {*mapping, *filled}
    faults += [
        ("field_required", f.name) for f in KINDS[kind] if f.required and f.name not in there
    ]
    used: dict[int, str] = {}
    for name, index in mapping.items():
        if index in used:
            faults.append(("column_used_twice", name))
        used[index] = name
    needed = ONE_OF.get(kind, ())
    if needed and there.isdisjoint(needed):
        faults.append(("field_required", needed[0]))
    return faults
