"""Stock codes: one spelling each, and which of them are no goods at all."""

import re

# Codes that shops use on order lines for money rather than goods. Compared in upper case.
_NOT_GOODS = re.compile(
    r"""
    (POST|POSTAGE|DOT|C2|CARRIAGE|SHIPPING|FREIGHT|DELIVERY)     # getting it there
    | (M|MANUAL|D|DISCOUNT|S|SAMPLES?|B|ADJUST2?|TEST\d*)         # corrections by hand
    | (BANK[ _-]?CHARGES|AMAZON[ _-]?FEE|FEE|CRUK|TAX|VAT|TIP)    # fees and commissions
    | (GIFT[ _-]?\w+|VOUCHER\w*|GIFTCARD\w*|DOTCOMGIFTSHOP\w*)    # vouchers are money, not goods
    """,
    re.VERBOSE,
)


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# What shops call such lines where the code is one like any other.
_BRINGING = _words("carriage courier deliveries delivery freight postage shipping")
_CHARGES = _words("charge charges commission commissions fee fees surcharge surcharges")
# Nothing is sold whose name ends in one of these, whoever brings it.
_SURE = _words("freight postage shipping")
_SURE_WORDS = 4
# Words beside these that say how, when and where. Any other word makes it a thing: a carriage
# clock, a doll's carriage, a delivery van.
_BESIDE = _words(
    """
    a additional admin administration after air am amazon and area bank before booking bulky
    business by cancellation card class conversion cost costs credit currency customs day days
    debit domestic duty ebay economy environmental eu europe european evening express extra
    first flat for free fuel handling heavy highlands holiday home hour hours import in
    insurance insured international island islands klarna large late local mail mainland
    minimum morning next noon of on or order orders over overseas oversize oversized packaging
    packet packing pallet parcel payment paypal pm post premium priority processing rail rate
    recorded recycling registered remote restocking return returns road same saturday sea
    second service services signed small special standard store sunday super surface tax the
    to tracked transaction uk under us usa week weekend with working worldwide zone
    """
)
_WORD = re.compile(r"[^\W\d_]+(?![^\W_])")
_WHOLE = re.compile(
    r"""
    (p\ ?(&|and|\+)\ ?p|post(age)?\ ?(&|and|\+)\ ?packing)
    | samples? | discounts? | (manual\ )?(adjustments?|corrections?)
    | (.*\ )?(e-?)?gift\ (vouchers?|certificates?)(\ ?[£$€¥]?\ ?[\d.,]+(\ ?[a-z]{3})?)?
    | (.*\ )?(e-?)?gift\ cards?\ ?[£$€¥]\ ?[\d.,]+
    | (porto|versand|verpackungs|bearbeitungs)kosten | versand
    | (frais\ (de\ (port|livraison|dossier)|d['’]exp[ée]dition)) | livraison
    | (spese\ di\ spedizione) | (gastos\ de\ env[ií]o) | verzendkosten
    | (补|次日|加急)?(运|邮|快递|配送|送货|手续|包装|服务|安装|税)费(补差|差价)?
    | 补((运费|邮费)?差价)
    """,
    re.VERBOSE,
)


def unify(sku: str) -> str:
    """One spelling of a code: trimmed, inner spaces single, upper case."""
    return " ".join(sku.split()).upper()


def is_goods(sku: str, name: str = "") -> bool:
    """False for postage, fees, discounts, corrections, samples and vouchers, by their code or by
    what the line calls them."""
    return _NOT_GOODS.fullmatch(sku) is None and not is_service(name)


def is_service(name: str) -> bool:
    """Whether a name is that of what an order costs beside its goods, and of nothing else."""
    said = name.casefold().strip(" .:*-–()")
    if not said:
        return False
    if _WHOLE.fullmatch(said):
        return True
    words = _WORD.findall(said)
    if not words:
        return False
    if words[-1] in _SURE and len(words) <= _SURE_WORDS:
        return True
    rest = [word for word in words if word not in _BRINGING and word not in _BESIDE]
    if any(word in _BRINGING for word in words):
        return all(word in _CHARGES for word in rest)
    # One that is alone may be the name of a thing.
    return words[-1] in _CHARGES and rest == words[-1:] and words != ["charge"]
