"""What the map of a journey calls its steps, their settings and what may be done with them."""

from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

Words = dict[str, str | Promise]


@dataclass(frozen=True, slots=True)
class Look:
    """A kind of step in the menu and on the map. `shape`: card, pill or message."""

    label: str | Promise
    about: str | Promise
    icon: str
    hue: str
    shape: str = "card"


TRIGGERS: dict[str, Look] = {
    "event": Look(_("Something happens"), _("An event comes in"), "bolt", "k7"),
    "segment_enter": Look(_("Enters a segment"), _("A rule becomes true"), "user-plus", "k7"),
    "segment_leave": Look(_("Leaves a segment"), _("A rule is true no more"), "user-x", "k7"),
    "date": Look(_("A day of theirs"), _("A birthday, a next order"), "calendar-event", "k7"),
    "schedule": Look(_("On a schedule"), _("Everyone in a segment"), "calendar-stats", "k7"),
    "api": Look(_("Your own program"), _("People are sent in by the API"), "api", "k7"),
}
MESSAGES: dict[str, Look] = {
    "email": Look(_("E-mail"), "", "mail", "k1", "message"),
    "sms": Look(_("SMS"), "", "message", "k2", "message"),
    "push": Look(_("Push"), "", "device-mobile", "k3", "message"),
    "inbox": Look(_("In-app inbox"), "", "inbox", "k5", "message"),
}
WAITS: dict[str, Look] = {
    "wait_for": Look(_("Wait a while"), "", "hourglass", "k8", "pill"),
    "wait_until": Look(_("Wait until a day"), "", "calendar-event", "k8", "pill"),
    "wait_local": Look(_("Wait until an hour"), "", "clock-hour-4", "k8", "pill"),
    "wait_event": Look(_("Wait for an event"), _("With a time-out"), "bell", "k8"),
}
SPLITS: dict[str, Look] = {
    "split_rule": Look(_("Does a rule hold?"), _("Yes and no"), "git-fork", "k3"),
    "split_many": Look(_("Which rule holds first?"), _("Several ways"), "hierarchy-2", "k3"),
    "split_percent": Look(_("Random split"), _("By shares"), "arrows-split-2", "k4"),
    "split_experiment": Look(_("Experiment"), _("Measured against each other"), "flask", "k4"),
    "split_bandit": Look(_("Learn the best way"), _("More people go where it works"),
                         "adjustments-horizontal", "k4"),
    "split_score": Look(_("By a prediction"), _("Above and below"), "sparkles", "k6"),
}  # fmt: skip
ACTIONS: dict[str, Look] = {
    "attribute": Look(_("Update their profile"), "", "user-check", "k8"),
    "list_add": Look(_("Add to a list"), "", "list", "k8"),
    "list_remove": Look(_("Take off a list"), "", "circle-minus", "k8"),
    "webhook": Look(_("Call a webhook"), "", "webhook", "k8"),
    "notify": Look(_("Tell colleagues"), "", "bell-ringing", "k8"),
    "start_journey": Look(_("Start another journey"), "", "route", "k6"),
}
ENDS: dict[str, Look] = {
    "goal": Look(_("Goal"), _("They did what it is for"), "flag", "k2", "pill"),
    "exit": Look(_("Leave"), _("The journey ends here"), "door-exit", "k8", "pill"),
}
LOOKS = TRIGGERS | WAITS | SPLITS | ACTIONS | ENDS
GROUPS: tuple[tuple[str, str | Promise, dict[str, Look]], ...] = (
    ("message", _("Message"), MESSAGES),
    ("wait", _("Wait"), WAITS),
    ("split", _("Split"), SPLITS),
    ("action", _("Do"), ACTIONS),
    ("end", _("End"), ENDS),
)
GROUP_NAMES: Words = {
    "trigger": _("Start"),
    "wait": _("Wait"),
    "split": _("Split"),
    "action": _("Action"),
    "end": _("End"),
}

# Settings: "kind.field" where a kind says it in its own words, else "field".
FIELDS: Words = {
    "event": _("Event"),
    "where": _("Only if the event holds"),
    "split_rule.where": _("What the event held that began it"),
    "split_many.where": _("What the event held that began it"),
    "segment": _("Segment"),
    "already": _("People who are in it already come too"),
    "attribute": _("A date you keep of them"),
    "prediction": _("Prediction"),
    "date.prediction": _("A predicted day"),
    "wait_until.prediction": _("A predicted day"),
    "date": _("A fixed day"),
    "wait_until.date": _("A fixed day"),
    "at": pgettext_lazy("time of the day", "At"),
    "days": _("How many days from it"),
    "every": pgettext_lazy("schedule", "How often"),
    "leap": _("Born on 29 February: in other years"),
    "on": _("First day"),
    "weekdays": _("On these days of the week"),
    "month_day": _("Day of the month"),
    "for": _("How long"),
    "wait_event.for": _("Wait at most"),
    "rule": _("Rule"),
    "floor": _("Share that keeps exploring"),
    "at_least": _("At least"),
    "channel": _("Channel"),
    "template": _("Content"),
    "channel_id": _("Sent through"),
    "from_name": _("From (name)"),
    "from_email": _("From (address)"),
    "reply_to": _("Replies go to"),
    "plain_links": _("Leave links as written"),
    "utm_source": "utm_source",
    "utm_medium": "utm_medium",
    "utm_campaign": "utm_campaign",
    "utm_content": "utm_content",
    "utm_term": "utm_term",
    "name": _("What you keep"),
    "value": _("New value"),
    "list": _("List"),
    "url": _("Address"),
    "body": _("Body (JSON; empty: the person and the step)"),
    "to": _("Address of a colleague or a team"),
    "subject": _("Subject"),
    "text": _("Text"),
    "journey": _("Journey"),
    "percent": _("Share"),
}
HINTS: Words = {
    "days": _("Negative is before the day, positive after it."),
    "at": _("In each person’s own time zone."),
    "floor": _("Each way keeps at least this share, so that learning goes on."),
    "split_score.at_least": _("On the scale of the prediction, such as 0.6 for 60%."),
    "wait_event.for": _("After that they go on by “Time ran out”."),
    "split_rule.where": _(
        "Say a rule about the person, tests of the event, or both. What they waited for last is "
        "waited.total and so on."
    ),
    "split_many": _(
        "The first way that fits is taken. A way may ask a rule about the person, tests of the "
        "event, or both. What they waited for last is waited.total and so on."
    ),
    "from_name": _("Empty: as set for the channel."),
    "plain_links": _("Otherwise they say where a visit came from, for your web statistics."),
    "utm_source": _("Empty: the shop's name."),
    "utm_medium": _("Empty: the channel."),
    "utm_campaign": _("Empty: the journey's name."),
    "utm_content": _("Empty: the step's name."),
    "split_experiment": _("Everyone keeps their way. Ways are compared once enough people passed."),
    "split_percent": _("Everyone keeps their way, also when they come again."),
}
CHOICES: Words = {
    "year": _("every year"),
    "once": _("once"),
    "day": _("every day"),
    "week": _("every week"),
    "month": _("every month"),
    "before": _("28 February"),
    "after": _("1 March"),
    "email": _("E-mail"),
    "sms": _("SMS"),
    "push": _("Push"),
    "inbox": _("In-app inbox"),
    "never": _("never again"),
}
# How a line of somebody's log says that their stay ended there.
ENDED: Words = {
    "goal": _("reached the goal"),
    "exit": _("left"),
    "finished": _("came to the end"),
    "closed": _("the journey was closed"),
    "merged": _("was found to be somebody already inside"),
    "stuck": _("stopped: too many steps at once"),
    "taken": _("was taken out by hand"),
}
BRANCHES: Words = {
    "yes": _("Yes"),
    "no": _("No"),
    "happened": _("It happened"),
    "timeout": _("Time ran out"),
    "above": _("At least"),
    "below": _("Below"),
    "unknown": _("No prediction"),
}
WEEKDAYS: Words = {
    "mon": _("Mon"),
    "tue": _("Tue"),
    "wed": _("Wed"),
    "thu": _("Thu"),
    "fri": _("Fri"),
    "sat": _("Sat"),
    "sun": _("Sun"),
}
UNITS: Words = {
    "minutes": _("minutes"),
    "hours": _("hours"),
    "days": _("days"),
    "weeks": _("weeks"),
}
SCRIPT: Words = {
    "addAfter": _("Add a step after %s"),
    "addBetween": _("Add a step between %s and %s"),
    "addOn": _("Add a step"),
    "addWay": _("Add a way"),
    "asFlag": _("yes or no"),
    "asNone": _("nothing: remove it"),
    "asNumber": _("number"),
    "asText": _("text"),
    "choose": _("Choose …"),
    "count": _("%s people fit"),
    "deleted": _("“%s” is deleted"),
    "deletedMore": _("%s steps that only it led to went with it."),
    "editRule": _("Edit rule"),
    "ends": _("Ends here"),
    "everyone": _("No rule yet"),
    "goOn": _("Goes on at %s"),
    "goTo": _("Go to"),
    "issue": _("To fix: %s"),
    "kindOfStart": _("Starts when"),
    "label": _("Name of this step (optional)"),
    "links": _("What links say of the visit (UTM)"),
    "lost": _("Not saved: the server did not answer"),
    "noFaults": _("Nothing to fix. Every step has what it needs."),
    "notSaved": _("Not saved yet"),
    "otherwise": _("Everyone else"),
    "property": _("Property of the event"),
    "remove": _("Remove"),
    "removeWay": _("Remove this way"),
    "published": _("The draft is what is live: there is nothing to publish"),
    "saved": _("Draft saved %s"),
    "saving": _("Saving …"),
    "settings": _("Journey settings"),
    "step": _("%s · step %s"),
    "test": _("Add a condition"),
    "toFix": _("%s to fix"),
    "undo": _("Undo"),
    "urlHint": "https://example.com/hook",
    "value": _("Value"),
    "way": _("Way"),
    "wayName": _("Name of the way"),
    "which": _("Which day"),
    "addExit": _("Add a reason to leave"),
    "again": _("May somebody come in again?"),
    "againNever": pgettext_lazy("coming in again", "never"),
    "againAfter": _("after some days"),
    "againAlways": _("always, once they are out"),
    "againDays": _("After how many days"),
    "change": _("%s change"),
    "changes": _("%s changes"),
    "channel": _("Channel"),
    "comparison": _("Comparison"),
    "editContent": _("Edit design"),
    "entryKey": _("Several stays at a time, one for each"),
    "entryKeyHint": _(
        "A property of the event, such as the number of a booking. Empty: one stay at a time."
    ),
    "event": _("Event"),
    "faults": _("What is to fix"),
    "goal": _("Goal"),
    "goalEnds": _("Whoever reaches it leaves the journey"),
    "goalHint": _("What this journey is for. It is looked for all the time somebody is inside."),
    "kindOfValue": _("Kind of value"),
    "leaveOut": _("Leave these people out"),
    "leaves": _("People leave when"),
    "leavesHint": _("Whatever they are waiting for; this does not count as reaching the goal."),
    "mailHint": "team@example.com",
    "loading": _("Loading …"),
    "newContent": _("New content"),
    "no": _("no"),
    "noGoal": _("no goal"),
    "onlyWho": _("Only who meets this may come in"),
    "panel_replay": _("Time machine"),
    "panel_test": _("Test with a person"),
    "panel_versions": _("Versions"),
    "perDay": _("At most so many people a day"),
    "holdout": _("Held out to measure it, in percent"),
    "holdoutHint": _(
        "So many of a hundred who would come in get nothing of it. Only against them can anybody "
        "say what the journey causes. Ten is a good start."
    ),
    "perDayHint": _(
        "Empty: as many as come. Whoever comes later that day does not come in, and is counted."
    ),
    "preview": _("Preview of “%s”"),
    "segment": _("Segment"),
    "sender": _("Sender of this message"),
    "share": _("Share in per cent"),
    "takeIn": _("Take these people in"),
    "unit": _("Unit"),
    "ways": _("Ways"),
    "wentAway": _("%s steps after it were removed"),
    "yes": _("yes"),
}
