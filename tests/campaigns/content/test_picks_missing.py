"""Whoever adds products to a mail is told when nobody would see any, and where to mend it."""

import pytest
from django.test import Client
from django.urls import reverse

from models_ml import catalog
from models_ml.models import ModelVersion
from recommendations.models import Placement, RecommendationSet
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("how", ["", "?as=mjml"])
def test_products_ask_for_engines_then_for_picks_and_then_for_nothing(how: str) -> None:
    marketer: Client = factories.signed_in("marketer")

    def shown() -> str:
        return marketer.get(reverse("campaigns:template-new") + how).content.decode()

    page = shown()
    assert "No engine has learned yet what people buy" in page
    assert f'href="{reverse("recommendations:home")}">Train the engines first</a>' in page

    ModelVersion.objects.create(
        name=catalog.BASELINE, version=1, state="live", trained_at=factories.NOW
    )
    assert "Choose products first</a>" in shown()

    place = Placement.objects.create(slug="email", name="Mails")
    RecommendationSet.objects.create(
        placement=place, engine="popular", state="complete", serving=True
    )
    assert 'id="e-need"' not in shown()
