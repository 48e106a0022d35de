"""The home page while the demo shop is loaded, on the narrowest phone."""

import pytest

from marketing import demo
from marketing.core.models import Job
from tests import factories
from tests.browser.conftest import Visit

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.mark.parametrize("state", ["stopped", "failed"])
def test_a_step_of_the_demo_fits_the_narrowest_phone(
    visit: Visit, transactional_db: None, state: str
) -> None:
    factories.cast()
    step = demo.STEPS[1]
    error = "The database did not answer. Nothing was changed."
    job = factories.job(str(step.title), kind=step.kind, state=state, error=error)
    Job.objects.filter(pk=job.pk).update(params={"demo": True}, result_url="/")
    visitor = visit(factories.user("admin"), width="phone")
    visitor.page.set_viewport_size({"width": 320, "height": 700})
    page = visitor.go("/")
    assert page.locator("#home-demo .job").count() == 1
    assert visitor.overflow() == 0
