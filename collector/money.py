"""Money as whole nano-units (10^-9) of a currency: text comes in, integers walk about, decimal text goes out.

This module refuses to hold a float, and it converts nothing between currencies.
"""

from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation

NANO_PER_UNIT = 1_000_000_000
_WIDE = 60  # digits: more than any amount of money, so that parsing never rounds twice


def nano_from_text(text: str) -> int:
    """The amount in `text` (a plain decimal number of units) as nano-units, rounded half to even.

    Raises ValueError for anything that is no finite decimal number.
    """
    try:
        amount = Decimal(text)
    except InvalidOperation:
        raise ValueError(f"not a decimal amount: {text!r}") from None
    if not amount.is_finite() or amount.adjusted() > _WIDE - 20:
        raise ValueError(f"not a finite amount of money: {text!r}")
    return int(amount.scaleb(9).to_integral_value(rounding=ROUND_HALF_EVEN))


def text_from_nano(nano: int) -> str:
    """`nano` nano-units as the shortest decimal text of whole units: 1500000000 is "1.5"."""
    sign = "-" if nano < 0 else ""
    whole, rest = divmod(abs(nano), NANO_PER_UNIT)
    fraction = f"{rest:09d}".rstrip("0")
    return f"{sign}{whole}.{fraction}" if fraction else f"{sign}{whole}"


def rounded_text(nano: int, places: int = 2) -> str:
    """`nano` as text with `places` decimals, half to even, for people: 1234567890123 is "1,234.57"."""
    amount = Decimal(nano).scaleb(-9)
    return f"{amount.quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_EVEN):,f}"
