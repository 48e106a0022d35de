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


def unify(sku: str) -> str:
    """One spelling of a code: trimmed, inner spaces single, upper case."""
    return " ".join(sku.split()).upper()


def is_goods(sku: str) -> bool:
    """False for postage, fees, discounts, corrections, samples and vouchers."""
    return _NOT_GOODS.fullmatch(sku) is None
