"""What somebody wants groups found for: made, changed, archived, and read from JSON.

A target is one of `features.targets` that is a chance, or {"segment": 7}: who is in a segment now.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.text import slugify
from django.utils.translation import gettext as _

from marketing.core import audit
from marketing.core.errors import Invalid
from marketing.core.models import ApiKey, User
from models_ml.algorithms.tree import Params
from models_ml.features import targets
from models_ml.features.compiler import Population
from models_ml.features.targets import Target
from models_ml.models import Exploration, ModelVersion
from models_ml.predictions import definitions

State = Exploration.State
SEGMENT = "segment"
DEPTHS = (2, 3, 4, 5)
MOST_LEAVES = 16
LEAST_PEOPLE, MOST_PEOPLE = 20, 1_000_000
# Addresses of the page itself.
RESERVED = {"new", "train"}
# Targets that say something bad happens: a high rate is then a reason to act.
UNWANTED = ("no_order", "no_event")


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked, as read: `segment` is set instead of `target` for a membership."""

    target: Target | None
    segment: int | None

    @property
    def timeless(self) -> bool:
        """Whether the answer is of now, and nothing is foretold."""
        return self.target is None or self.target.timeless

    @property
    def known(self) -> str:
        """The property that somebody must have for the question to have an answer."""
        return self.target.attribute if self.target and self.target.timeless else ""


def read(raw: Any) -> Question:
    """A target from JSON; Invalid, with the field at fault, when it is none."""
    if isinstance(raw, dict) and raw.get("type") == SEGMENT:
        number = raw.get(SEGMENT)
        if not isinstance(number, int) or isinstance(number, bool) or number < 1:
            raise Invalid(
                _("Choose the segment."), code="target_invalid", field="target.segment",
                remedy=_("Nothing was changed. Correct the target and try again."),
            )  # fmt: skip
        return Question(None, number)
    target = targets.read(raw)
    if target.kind != targets.CHANCE:
        raise Invalid(
            _("A tree finds groups for a question of yes or no, such as “spends over 100”."),
            code="target_not_yes_or_no",
            field="target.type",
        )
    return Question(target, None)


def params_of(exploration: Exploration) -> Params:
    wishes = exploration.settings
    return Params(
        depth=int(wishes.get("depth", 4)),
        leaves=int(wishes.get("leaves", 8)),
        min_leaf=int(wishes.get("min_leaf", 100)),
    )


def population_of(exploration: Exploration) -> Population:
    return definitions.read_population(exploration.population)


def shown(exploration: Exploration) -> ModelVersion | None:
    """The version to look at: the live one, else the newest, though it was refused."""
    rows = ModelVersion.objects.filter(name=exploration.name)
    live = rows.filter(state=ModelVersion.State.LIVE).first()
    return live or rows.exclude(state=ModelVersion.State.CANDIDATE).order_by("-version").first()


def create(
    *,
    title: str,
    target: Any,
    horizon_days: int,
    population: Any = None,
    settings: Any = None,
    actor: User | ApiKey | None = None,
    now: datetime | None = None,
) -> Exploration:
    """Store a new question. Invalid names the field at fault."""
    now = now or timezone.now()
    made = Exploration(created_at=now, created_by=_person(actor))
    _fill(made, title, target, horizon_days, population or {}, settings or {}, now)
    with transaction.atomic():
        made.key = _free_key(made.title)
        made.save(force_insert=True)
        audit.record(actor=actor, action="exploration.created", obj=made)
    return made


def change(
    *,
    exploration: Exploration,
    settings: Any,
    title: str | None = None,
    actor: User | ApiKey | None = None,
    now: datetime | None = None,
) -> Exploration:
    """Change how the tree is grown. What it asks stays: another question is another exploration."""
    now = now or timezone.now()
    _fill(
        exploration,
        exploration.title if title is None else title,
        exploration.target,
        exploration.horizon_days,
        exploration.population,
        {**exploration.settings, **settings},
        now,
    )
    with transaction.atomic():
        exploration.save()
        audit.record(actor=actor, action="exploration.changed", obj=exploration)
    return exploration


def archive(*, exploration: Exploration, actor: User | ApiKey | None, now: datetime) -> None:
    """Take a question off the page. Segments made from its groups stay as they are."""
    with transaction.atomic():
        exploration.state, exploration.updated_at = State.ARCHIVED, now
        exploration.save(update_fields=["state", "updated_at"])
        audit.record(actor=actor, action="exploration.archived", obj=exploration)


def _person(actor: User | ApiKey | None) -> User | None:
    return actor if isinstance(actor, User) else getattr(actor, "created_by", None)


def _free_key(title: str) -> str:
    wanted = slugify(title)[:40].strip("-") or "question"
    taken = RESERVED | set(
        Exploration.objects.filter(key__startswith=wanted).values_list("key", flat=True)
    )
    if wanted not in taken:
        return wanted
    return next(f"{wanted}-{n}" for n in range(2, 10_000) if f"{wanted}-{n}" not in taken)


def _fill(
    made: Exploration,
    title: str,
    target: Any,
    horizon_days: int,
    population: Any,
    settings: Any,
    now: datetime,
) -> None:
    title = title.strip() if isinstance(title, str) else ""
    if not title or len(title) > 120 or "\x00" in title:
        raise Invalid(
            _("Give the question a name of at most 120 characters."),
            code="title_invalid",
            field="title",
        )
    read(target)
    if (
        not isinstance(horizon_days, int)
        or isinstance(horizon_days, bool)
        or not 1 <= horizon_days <= definitions.LONGEST_DAYS
    ):
        raise Invalid(
            _("The time to look ahead is a whole number of days from 1 to %(most)d.")
            % {"most": definitions.LONGEST_DAYS},
            code="horizon_invalid",
            field="horizon_days",
        )
    definitions.read_population(population)
    _check_settings(settings)
    made.title, made.target, made.horizon_days = title, target, horizon_days
    made.population, made.settings, made.updated_at = population, settings, now


def _check_settings(settings: Any) -> None:
    if not isinstance(settings, dict):
        raise _settings_invalid("settings", _("The settings are not readable."))
    bounds = {
        "depth": (DEPTHS[0], DEPTHS[-1], _("A tree is 2 to 5 questions deep.")),
        "leaves": (2, MOST_LEAVES, _("A tree has 2 to 16 groups.")),
        "min_leaf": (
            LEAST_PEOPLE,
            MOST_PEOPLE,
            _("A group has at least 20 people: the rate of fewer says nothing."),
        ),
    }
    for name, (least, most, message) in bounds.items():
        value = settings.get(name, least)
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise _settings_invalid(name, message)
    for name in ("without", "allow"):
        value = settings.get(name, [])
        if not isinstance(value, list) or any(not isinstance(one, str) for one in value):
            raise _settings_invalid(name, _("The settings are not readable."))


def _settings_invalid(field: str, message: str) -> Invalid:
    return Invalid(message, code="settings_invalid", field=field)
