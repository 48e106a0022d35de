"""What every page's frame shows."""

from typing import Any

from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from marketing.core import auth, brand, progress


def shell(request: HttpRequest) -> dict[str, Any]:
    """Business name, rights of the person, and the running jobs (asked only when shown)."""
    user = getattr(request, "user", None)

    def rights() -> dict[str, bool]:
        return {right: auth.may(user, right) for right in auth.RIGHTS}

    return {
        "business_name": SimpleLazyObject(lambda: brand.now().name),
        "house": SimpleLazyObject(brand.now),
        "rights": SimpleLazyObject(rights),
        "ring": SimpleLazyObject(progress.ring),
    }
