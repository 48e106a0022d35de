"""Keys, scopes and roles decide who may do what."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import AnonymousUser, Group
from django.core.cache import cache
from django.test import Client
from django.utils import timezone
from rest_framework.test import APIClient

from marketing.core import auth
from marketing.core.errors import Invalid
from marketing.core.models import ApiKey, User

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def empty_cache() -> None:
    cache.clear()


def caller(secret: str) -> APIClient:
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
    return client


def person(role: str) -> User:
    auth.create_roles()
    user = User.objects.create_user(role, password="correct horse battery")
    user.groups.add(Group.objects.get(name=role))
    return user


def test_a_key_is_kept_as_a_digest_only() -> None:
    key, secret = auth.create_key(name="shop", scopes=["jobs:read"], user=None)
    stored = ApiKey.objects.get()
    assert secret.startswith(f"pk_{key.prefix}_")
    assert secret not in str(stored.__dict__)
    assert len(stored.digest) == 64


def test_a_key_opens_what_its_scope_names_and_nothing_else() -> None:
    _key, secret = auth.create_key(name="shop", scopes=["jobs:read"], user=None)
    client = caller(secret)
    assert client.get("/api/v1/jobs/").status_code == 200
    answer = client.post("/api/v1/jobs/0b51b7a5-2b3f-4ad0-9f12-0f5e43e5a001/cancel/")
    assert answer.status_code == 403
    assert answer.json()["error"]["code"] == "permission_denied"


def test_no_key_is_answered_with_401_and_the_one_error_shape() -> None:
    answer = APIClient().get("/api/v1/jobs/")
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="api"'
    assert set(answer.json()["error"]) == {"code", "message", "field", "remedy", "items"}


@pytest.mark.parametrize(
    "secret", ["pk_", "nonsense", "pk_00000000_wrong", "pk_a_b_c", "pk_\xe9_\xe9"]
)
def test_a_wrong_key_is_refused(secret: str) -> None:
    assert caller(secret).get("/api/v1/jobs/").status_code == 401


def test_a_revoked_or_expired_key_is_refused() -> None:
    now = timezone.now()
    key, secret = auth.create_key(name="shop", scopes=["jobs:read"], user=None)
    ApiKey.objects.filter(pk=key.pk).update(revoked_at=now)
    assert caller(secret).get("/api/v1/jobs/").status_code == 401
    _old, expired = auth.create_key(
        name="old", scopes=["jobs:read"], user=None, expires_at=now - timedelta(seconds=1)
    )
    assert caller(expired).get("/api/v1/jobs/").status_code == 401


def test_a_key_ends_with_its_makers_account() -> None:
    maker = person(auth.INTEGRATOR)
    _key, secret = auth.create_key(name="shop", scopes=["jobs:read"], user=maker)
    assert caller(secret).get("/api/v1/jobs/").status_code == 200
    User.objects.filter(pk=maker.pk).update(is_active=False)
    assert caller(secret).get("/api/v1/jobs/").status_code == 401
    maker.delete()
    assert caller(secret).get("/api/v1/jobs/").status_code == 401
    assert not ApiKey.objects.exists()


def test_a_key_with_an_unknown_scope_is_not_made() -> None:
    with pytest.raises(Invalid) as refusal:
        auth.create_key(name="shop", scopes=["jobs:read", "moon:walk"], user=None)
    assert refusal.value.field == "scopes"
    assert not ApiKey.objects.exists()


def test_nobody_gives_a_key_what_is_for_admins_alone() -> None:
    integrator, admin = person(auth.INTEGRATOR), person(auth.ADMIN)
    client = Client()
    client.force_login(integrator)
    page = client.get("/settings/keys/").content.decode()
    assert 'value="privacy:write"' not in page
    assert 'value="brand:read"' in page
    form = {"name": "x", "days": 90, "scopes": ["jobs:read", "privacy:write"]}
    assert client.post("/settings/keys/", form).status_code == 422
    with pytest.raises(Invalid) as refused:
        auth.create_key(name="x", scopes=["brand:write", "jobs:read"], user=integrator)
    assert (refused.value.code, refused.value.remedy) == ("scope_beyond_role", "brand:write")
    assert not ApiKey.objects.exists()
    _key, secret = auth.create_key(name="x", scopes=list(auth.SCOPES), user=admin)
    assert caller(secret).get("/api/v1/privacy/requests/").status_code == 200
    admin.groups.set([Group.objects.get(name=auth.INTEGRATOR)])
    assert caller(secret).get("/api/v1/privacy/requests/").status_code == 403
    assert caller(secret).get("/api/v1/jobs/").status_code == 200


def test_too_many_requests_are_told_when_to_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auth.KeyThrottle, "THROTTLE_RATES", {"key": "2/min"})
    _key, secret = auth.create_key(name="shop", scopes=["jobs:read"], user=None)
    client = caller(secret)
    assert [client.get("/api/v1/jobs/").status_code for _ in range(3)] == [200, 200, 429]
    answer = client.get("/api/v1/jobs/")
    assert 1 <= int(answer.headers["Retry-After"]) <= 60
    assert answer.json()["error"]["code"] == "too_many_requests"


@pytest.mark.parametrize(
    ("role", "rights"),
    [
        (auth.ADMIN, set(auth.RIGHTS)),
        (auth.MARKETER, {"view", "edit", "data"}),
        (auth.ANALYST, {"view"}),
        (auth.INTEGRATOR, {"view", "data", "keys"}),
    ],
)
def test_each_role_has_exactly_its_rights(role: str, rights: set[str]) -> None:
    user = person(role)
    assert {right for right in auth.RIGHTS if auth.may(user, right)} == rights


def test_nobody_has_no_rights() -> None:
    assert not any(auth.may(AnonymousUser(), right) for right in auth.RIGHTS)
