"""What somebody wants to know of each person: made, changed, archived, and read from JSON."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.text import slugify
from django.utils.translation import gettext as _

from ingestion.models import EventType
from marketing.core import audit
from marketing.core.errors import Conflict, Invalid, NotFound
from marketing.core.models import ApiKey, Job, User
from models_ml import catalog
from models_ml.features import targets
from models_ml.features.compiler import Population
from models_ml.features.registry import CATEGORY, NUMBER
from models_ml.features.targets import Target
from models_ml.models import ModelVersion, Prediction
from models_ml.predictions import engines, shapes

State = Prediction.State
TRAIN = "prediction.train"
RESERVED = {"repeat_90d", *catalog.BY_NAME}
WHO = ("buyers", "everyone")
LONGEST_DAYS = 730
MOST_ATTRIBUTES = 40
SEED = 20111209
# Names of `algorithms.tabular.families`, which only workers import.
CANDIDATES = ("linear", "tree", "forest", "boosting", "blend", "network", "sequence")


@dataclass(frozen=True, slots=True)
class Attribute:
    """A property of people to learn from. `steady`: somebody says that it never changes."""

    name: str
    kind: str = CATEGORY
    steady: bool = False


@dataclass(frozen=True, slots=True)
class Wishes:
    """How to learn: what is tried, properties to use, columns that may tell, worth and cost.

    `further`: a training goes on from the version in use where its kind can (see `resuming`).
    """

    candidates: tuple[str, ...] = ()
    attributes: tuple[Attribute, ...] = ()
    allow: tuple[str, ...] = ()
    worth: float | None = None
    cost: float | None = None
    engine: str = "contest"
    seed: int = SEED
    retrain_days: int = 30
    further: bool = False


def target_of(prediction: Prediction) -> Target:
    return targets.read(prediction.target)


def get(*, key: str) -> Prediction:
    """The prediction of this key; NotFound."""
    found = Prediction.objects.filter(key=key).first()
    if found is None:
        raise NotFound(_("There is no such prediction."), code="prediction_unknown")
    return found


def create(
    *,
    title: str,
    target: Any,
    horizon_days: int,
    population: Any = None,
    settings: Any = None,
    key: str = "",
    is_ready: bool = False,
    actor: User | ApiKey | None = None,
    now: datetime | None = None,
) -> Prediction:
    """Store a new question. Invalid names the field at fault; Conflict for a key that is taken."""
    now = now or timezone.now()
    made = Prediction(created_at=now, is_ready=is_ready, created_by=_person(actor))
    _fill(made, title, target, horizon_days, population, settings, now)
    made.key = _free_key(key, made.title)
    with transaction.atomic():
        made.save(force_insert=True)
        audit.record(actor=actor, action="prediction.created", obj=made)
    return made


def change(
    *,
    prediction: Prediction,
    title: str | None = None,
    target: Any = None,
    horizon_days: int | None = None,
    population: Any = None,
    settings: Any = None,
    actor: User | ApiKey | None = None,
    now: datetime | None = None,
) -> Prediction:
    """Change what is given. Once a version was published the question itself stays as it is.

    A changed question would make old versions and scores answer another one: copy it instead.
    """
    now = now or timezone.now()
    if prediction.state != State.ACTIVE:
        raise Conflict(
            _("This prediction is archived; nothing was changed."), code="prediction_archived"
        )
    question = (target, horizon_days, population)
    current = (prediction.target, prediction.horizon_days, prediction.population)
    asked = tuple(
        new if new is not None else old for new, old in zip(question, current, strict=True)
    )
    answered = ModelVersion.objects.filter(
        name=prediction.key, state__in=[ModelVersion.State.LIVE, ModelVersion.State.RETIRED]
    )
    if asked != current and answered.exists():
        raise Conflict(
            _("This prediction has been published, so what it asks can no longer be changed."),
            code="prediction_published",
            remedy=_("Make a new prediction with the other question. Nothing was changed."),
        )
    if asked != current and _being_trained(prediction):
        raise Conflict(
            _("This prediction is being trained already."),
            code="already_training",
            remedy=_("Wait until it has ended, or stop it on the page of jobs."),
        )
    _fill(
        prediction,
        prediction.title if title is None else title,
        asked[0],
        asked[1],
        asked[2],
        prediction.settings if settings is None else settings,
        now,
    )
    with transaction.atomic():
        prediction.save()
        audit.record(actor=actor, action="prediction.changed", obj=prediction)
    return prediction


def _being_trained(prediction: Prediction) -> bool:
    training = Job.objects.filter(kind=TRAIN, params__prediction=prediction.pk)
    return training.filter(state__in=Job.OPEN).exists()


def _person(actor: User | ApiKey | None) -> User | None:
    return actor if isinstance(actor, User) else getattr(actor, "created_by", None)


def _fill(
    made: Prediction,
    title: str,
    target: Any,
    horizon_days: int,
    population: Any,
    settings: Any,
    now: datetime,
) -> None:
    for name, value in (("target", target), ("population", population), ("settings", settings)):
        shapes.check(value=value, field=name)
    made.title = _title(title)
    found = targets.read(target)
    _check_seen(found)
    made.target, made.kind = target, found.kind
    made.horizon_days = _horizon(horizon_days)
    made.population = {} if population is None else population
    read_population(made.population)
    made.settings = {} if settings is None else settings
    read_wishes(made.settings)
    made.settings = _with_engine(found, made.settings)
    made.updated_at = now


def _with_engine(target: Target, settings: dict[str, Any]) -> dict[str, Any]:
    """Effects, hours and degrees are told by an engine each, which tells nothing else."""
    own = {targets.HOUR: "hours", targets.DEGREE: "oddness"}
    if target.kind in own:
        return settings | {"engine": own[target.kind]}
    if settings.get("engine") in ("hours", "oddness"):
        raise _settings_invalid(_("This way of answering answers another question."))
    if target.kind == targets.EFFECT:
        return settings | {"engine": "uplift"}
    if settings.get("engine") == "uplift":
        raise _settings_invalid(_("This way of answering only tells whom a mail moves."))
    return settings


def _title(title: Any) -> str:
    title = title.strip() if isinstance(title, str) else ""
    if not title or len(title) > 120 or not shapes.is_text(title):
        raise Invalid(
            _("Give the prediction a name of at most 120 characters."),
            code="title_invalid",
            field="title",
            remedy=_("Nothing was changed. Send the name as a text."),
        )
    return title


def _horizon(days: Any) -> int:
    if not isinstance(days, int) or isinstance(days, bool) or not 1 <= days <= LONGEST_DAYS:
        raise Invalid(
            _("The time to look ahead is a whole number of days from 1 to %(most)d.")
            % {"most": LONGEST_DAYS},
            code="horizon_invalid",
            field="horizon_days",
            remedy=_("Nothing was changed. Send a number such as 90."),
        )
    return days


def _check_seen(target: Target) -> None:
    if target.event and not EventType.objects.filter(name=target.event).exists():
        raise Invalid(
            _("No event “%(event)s” has come in so far, so nothing can be learned about it.")
            % {"event": target.event},
            code="event_unseen",
            field="target.event",
            remedy=_("Choose an event that is in the list, or send this one first."),
        )


def _free_key(key: Any, title: str) -> str:
    if not isinstance(key, str) or (key and (slugify(key) != key.lower() or len(key) > 60)):
        raise Invalid(
            _("A key has at most 60 small letters, digits, - and _."),
            code="key_invalid",
            field="key",
            remedy=_("Nothing was stored. Leave the key out to be given one."),
        )
    wanted = key or slugify(title).replace("-", "_")[:50] or "prediction"
    taken = set(
        Prediction.objects.filter(key__startswith=wanted).values_list("key", flat=True)
    ) | set(RESERVED)
    if wanted not in taken:
        return wanted
    if key:
        raise Conflict(
            _("There is already a model with the key %(key)s; nothing was stored.") % {"key": key},
            code="key_taken",
            field="key",
            remedy=_("Choose another key, or leave it out to be given one."),
        )
    return next(f"{wanted}_{n}" for n in range(2, 10_000) if f"{wanted}_{n}" not in taken)


def read_population(raw: Any) -> Population:
    """{"who": "buyers" | "everyone", "least_orders": 1, "ordered_within_days": 365}."""
    if not isinstance(raw, dict) or raw.get("who", "buyers") not in WHO:
        raise _population_invalid(_("Choose people who have bought, or everyone."))
    least, within = raw.get("least_orders", 1), raw.get("ordered_within_days")
    for value in (least, *(() if within is None else (within,))):
        if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= 36_500:
            raise _population_invalid(_("Numbers of orders and of days are whole and at least 1."))
    return Population(who=raw.get("who", "buyers"), least_orders=least, ordered_within_days=within)


def _population_invalid(message: str) -> Invalid:
    return Invalid(
        message,
        code="population_invalid",
        field="population",
        remedy=_("Nothing was changed. Send an object such as %(example)s.")
        % {"example": '{"who": "buyers", "least_orders": 1}'},
    )


def read_wishes(raw: Any) -> Wishes:
    """Settings from JSON; Invalid for what is none.

    {"candidates": [...], "attributes": [{"name", "kind", "steady"}], "allow": [column],
     "profit": {"worth": 10, "cost": 0.1}, "engine": "contest", "retrain_days": 30,
     "further": true}
    """
    if not isinstance(raw, dict):
        raise _settings_invalid(_("The settings are not readable."))
    candidates = _texts(raw.get("candidates"))
    if candidates is None or any(name not in CANDIDATES for name in candidates):
        raise _settings_invalid(_("One of the kinds of model to try is not known."))
    allow = _texts(raw.get("allow"))
    if allow is None:
        raise _settings_invalid(_("Columns that may tell the answer are a list of names."))
    profit = raw.get("profit") or {}
    if not isinstance(profit, dict) or not all(
        _is_number(profit.get(name, 0.0), -1e12, 1e12) for name in ("worth", "cost")
    ):
        raise _settings_invalid(_("Worth and cost are amounts of money."))
    if not all(_is_number(raw.get(name, 0.0), 0, 10) for name in ("discount", "margin")):
        raise _settings_invalid(_("Discount and margin are numbers from 0 to 10."))
    engine = raw.get("engine", "contest")
    if not isinstance(engine, str) or engine not in engines.ENGINES:
        raise _settings_invalid(_("This way of answering is not known."))
    days = raw.get("retrain_days", 30)
    if not isinstance(days, int) or isinstance(days, bool) or not 1 <= days <= 3_650:
        raise _settings_invalid(_("A model is trained again after at least one day."))
    if not isinstance(raw.get("further", False), bool):
        raise _settings_invalid(_("Whether to learn further is yes or no."))
    return Wishes(
        candidates=candidates,
        attributes=_attributes(raw.get("attributes") or []),
        allow=allow,
        worth=float(profit["worth"]) if "worth" in profit else None,
        cost=float(profit.get("cost", 0.0)) if "worth" in profit else None,
        engine=engine,
        seed=SEED,
        retrain_days=days,
        further=raw.get("further", False),
    )


def _texts(raw: Any) -> tuple[str, ...] | None:
    """A list of texts; None for what is none."""
    if raw is None:
        return ()
    fine = isinstance(raw, list | tuple) and all(isinstance(one, str) for one in raw)
    return tuple(raw) if fine else None


def _is_number(value: Any, least: float, most: float) -> bool:
    fine = isinstance(value, int | float) and not isinstance(value, bool)
    return fine and least <= value <= most


def _attributes(raw: Any) -> tuple[Attribute, ...]:
    if not isinstance(raw, list) or len(raw) > MOST_ATTRIBUTES:
        raise _settings_invalid(_("At most 40 properties of people can be learned from."))
    found = []
    for one in raw:
        name = one.get("name") if isinstance(one, dict) else None
        if not isinstance(name, str) or not 0 < len(name) <= 220 or "\x00" in name:
            raise _settings_invalid(_("A property to learn from has no name."))
        if one.get("kind", CATEGORY) not in (CATEGORY, NUMBER):
            raise _settings_invalid(_("A property is a number or a category."))
        found.append(Attribute(name, one.get("kind", CATEGORY), bool(one.get("steady", False))))
    return tuple(found)


def _settings_invalid(message: str) -> Invalid:
    return Invalid(
        message,
        code="settings_invalid",
        field="settings",
        remedy=_("Nothing was changed. Send an object such as %(example)s.")
        % {"example": '{"candidates": ["boosting"], "retrain_days": 30}'},
    )
