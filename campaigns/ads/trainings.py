"""When the models of ads are learned again: once a day while something came in, or when asked."""

from datetime import datetime, timedelta

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from campaigns.ads.choosing import CTR, CVR
from campaigns.models import AdHour
from marketing.core import jobs
from marketing.core.models import Job, User
from models_ml.models import ModelVersion
from models_ml.views import names

JOB = "ads.train"
EVERY = timedelta(days=1)
TITLES = {
    CTR: gettext_lazy("Who clicks on an ad"),
    CVR: gettext_lazy("Who converts after a click"),
}
METHOD = gettext_lazy("Logistic regression over crossed facts")
BASELINE = gettext_lazy("Plain rate of creative and placement")
MODELS = tuple(TITLES)


def name_models() -> None:
    """Let the pages of models know what these are called."""
    for key, called in TITLES.items():
        names.OTHERS[key] = names.Known(called, METHOD, BASELINE, start)


def title(name: str) -> str:
    """What a model answers, in words."""
    return str(TITLES[name])


def begin_due(*, now: datetime) -> Job | None:
    """Start a training where the last one is a day old and hits came since."""
    newest = Job.objects.filter(kind=JOB).order_by("-id").first()
    if newest is not None and (newest.is_open or newest.created_at > now - EVERY):
        return None
    since = newest.created_at if newest is not None else now - timedelta(days=60)
    if not AdHour.objects.filter(hour__gte=since - timedelta(hours=1), impressions__gt=0).exists():
        return None
    return start(user=None)


def start(*, user: User | None) -> Job:
    """Ask for both models; the open training where there is one."""
    waiting = Job.objects.filter(kind=JOB, state__in=Job.OPEN).order_by("-id").first()
    return waiting or jobs.start(kind=JOB, title=_("Learn who answers ads"), user=user, steps=2)


def newest(name: str) -> ModelVersion | None:
    """The version that speaks for a model: the live one, or the newest with its reason."""
    versions = ModelVersion.objects.filter(name=name)
    live = versions.filter(state=ModelVersion.State.LIVE).first()
    return live or versions.order_by("-version").first()
