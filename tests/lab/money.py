"""What each call costs in the lab, and how much of it was lost: the rules of the contract, done by hand.

Prices are whole nano-units (10^-9 USD) a token or image, so that every share of the bill is exact. The bill is a fifth
below the list: a figure taken from the price book instead of the bill would show.
"""

from collections.abc import Mapping
from fractions import Fraction

from tests.lab.cells import MODELS, Cell
from tests.lab.expected import outermost
from tests.lab.played import Played
from tests.lab.shapes import tokens_an_event

Nano = Mapping[str, int]  # usage kind -> nano-units

LIST_NANO: Mapping[str, Nano] = {
    "gemini-3.5-flash": {"input": 300, "cached_input": 30, "output": 2500},
    "acme-chat-1": {"input": 150, "output": 600},
    "imagen-4.0-generate-001": {"image": 40_000_000},
}
BILLED = Fraction(4, 5)  # of the list price
PROVIDERS: Mapping[str, str] = {
    "gemini-3.5-flash": "gcp.gemini", "acme-chat-1": "openai", "imagen-4.0-generate-001": "gcp.vertex_ai",
}  # fmt: skip
FREE_WHEN_CANCELLED = frozenset({"openai"})  # the config says so, and the bill agrees


def units(played: Played) -> Nano:
    """Usage kind -> how much of it is billed; nothing where the provider lets work go that it cancelled."""
    used, model = played.usage, model_of(played.cell)
    if played.status == "cancelled" and PROVIDERS[model] in FREE_WHEN_CANCELLED:
        return {}
    kinds = {
        "input": used.input - used.cached, "cached_input": used.cached, "output": used.visible + used.thinking,
        "image": used.images,
    }  # fmt: skip
    return {kind: count for kind, count in kinds.items() if count}


def model_of(cell: Cell) -> str:
    """The model that a cell's call names."""
    return MODELS[cell.shape]


def price_nano(model: str, kind: str) -> int:
    """What the bill takes for one unit."""
    return int(LIST_NANO[model][kind] * BILLED)


def costs(played: Played) -> Nano:
    """Usage kind -> what it costs."""
    model = model_of(played.cell)
    return {kind: count * price_nano(model, kind) for kind, count in units(played).items()}


def delivered_tokens(cell: Cell) -> int:
    """What reached somebody: nothing that reached a process that was killed."""
    return 0 if cell.way == "sigkill" else cell.events_seen * tokens_an_event(cell)


def lost(played: Played) -> Nano:
    """Usage kind -> what of its cost was lost: undelivered output, and the input too if nothing was delivered."""
    if played.cell.way == "stays":
        return {}
    if outermost(played.cell) is None:  # cancelled, and nobody tells what of it was delivered
        return costs(played)
    got, whole = delivered_tokens(played.cell), played.usage.visible
    if not got:
        return costs(played)
    share = Fraction(whole - got, whole)
    return {kind: round(nano * share) for kind, nano in costs(played).items() if kind == "output"}


def avoidable_nano(played: Played, left_us: int) -> int:
    """What of the lost part was generated after its caller left: even generation from the first byte on.

    The first byte is known where the backend logs it; otherwise the receipt stands in.
    """
    begun_us = played.first_byte_us or played.received_us
    whole = played.finished_us - begun_us
    after = min(max(played.finished_us - max(left_us, begun_us), 0), whole)
    made = [nano for kind, nano in costs(played).items() if kind not in {"input", "cached_input"}]
    return min(sum(lost(played).values()), sum(round(Fraction(nano * after, whole)) for nano in made))
