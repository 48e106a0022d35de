"""Ready journeys with defaults that a shop can stand by. Each is a draft: none goes live alone."""

from campaigns.journeys import recipes
from campaigns.journeys.recipes import Starter
from campaigns.models import Segment
from ingestion.models import EventType

_VIEWS = ("view", "product_view", "Product Viewed", "page_view")
_CARTS = ("cart", "checkout", "cart_view", "Product Added")
_ORDERS = ("order", "purchase", "Order Completed", "order_completed")
_SIGN_UPS = ("sign_up", "signup", "Signed Up", "registered", "identify")


def all() -> list[Starter]:
    """Every ready journey, in the words of the events that this shop sends."""
    known = set(EventType.objects.values_list("name", flat=True))
    view, cart, order, sign_up = (
        _first(names, known) for names in (_VIEWS, _CARTS, _ORDERS, _SIGN_UPS)
    )
    return [
        recipes.welcome(sign_up, order),
        recipes.basket(cart, order),
        recipes.browse(view, cart, order),
        recipes.after_purchase(order),
        recipes.win_back(order),
        recipes.replenishment(order),
        recipes.birthday(order),
        recipes.vip(),
        recipes.churn(order),
    ]


def _first(names: tuple[str, ...], known: set[str]) -> str:
    return next((name for name in names if name in known), names[0])


def wanted_segment(starter: Starter) -> Segment | None:
    """A live segment with exactly the rule that a starter wants, if there is one."""
    if starter.segment is None:
        return None
    return Segment.objects.filter(rule=starter.segment, state=Segment.State.LIVE).first()
