"""Who is at the other end of a page."""

from django.http import HttpRequest

from marketing.core.models import User


def signed_in(request: HttpRequest) -> User:
    """The person of a page that needs signing in."""
    assert isinstance(request.user, User)
    return request.user
