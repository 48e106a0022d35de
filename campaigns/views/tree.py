"""The tree explorer: groups of people for any question, each kept as a segment with one press."""

from typing import Any

from django.contrib import messages
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from campaigns.models import Campaign, Segment
from campaigns.segments import explored, leaves
from campaigns.segments.explored import Tree
from campaigns.views.questions import QuestionForm
from ingestion.models import EventType, Order
from marketing.core import brand, jobs
from marketing.core.auth import page
from marketing.core.errors import Refused
from marketing.core.models import Job, User
from models_ml import queries
from models_ml.explorer import columns, questions
from models_ml.models import Exploration, ModelVersion
from models_ml.views.asking import known_properties

DEPTHS = questions.DEPTHS
LEAVES = (4, 6, 8, 12, 16)
SIZES = (20, 50, 100, 200, 500, 1000)
STEPS = 5


@page("view")
def tree(request: HttpRequest) -> HttpResponse:
    """Who orders again: the tree that is always there, over everyone as they are now."""
    wanted = request.GET.get("question", "")
    if wanted and Exploration.objects.filter(key=wanted).exists():
        return redirect("campaigns:tree-question", key=wanted)
    version = queries.live()
    job = Job.objects.filter(kind="tree.train", state__in=Job.OPEN).first()
    refused = None
    if version is None:
        refused = ModelVersion.objects.filter(
            name=queries.REPEAT, state=ModelVersion.State.REFUSED
        ).first()
    shown = version or (refused if refused and refused.details.get("nodes") else None)
    context = _frame(None, Tree(shown, None) if shown else None, job)
    if shown is None and refused is not None:
        context["trouble"] = {"code": "refused", "message": refused.reason}
    if shown is None:
        context["no_orders"] = not Order.objects.exists()
    return render(request, "campaigns/segments/tree.html", context)


@page("view")
def question(request: HttpRequest, key: str) -> HttpResponse:
    """The groups found for one question; without a tree, how to get one or why there is none."""
    exploration = _asked(key)
    job = _open_job(exploration)
    return render(
        request,
        "campaigns/segments/tree.html",
        _frame(exploration, explored.explored(exploration), job),
    )


def _asked(key: str) -> Exploration:
    return get_object_or_404(Exploration, key=key, state=Exploration.State.ACTIVE)


def _open_job(exploration: Exploration) -> Job | None:
    return Job.objects.filter(
        kind="explorer.train", params__exploration=exploration.pk, state__in=Job.OPEN
    ).first()


def _frame(exploration: Exploration | None, tree: Tree | None, job: Job | None) -> dict[str, Any]:
    version = tree.version if tree else None
    wishes = exploration.settings if exploration else version.params if version else {}
    context: dict[str, Any] = {
        "exploration": exploration,
        "title": exploration.title if exploration else _("Who orders again within 90 days"),
        "questions": explored.explorations(),
        "version": version,
        "job": job,
        "trouble": _trouble(exploration),
        "depths": DEPTHS,
        "leaf_counts": sorted({*LEAVES, wishes.get("leaves", 8)}),
        "sizes": sorted({*SIZES, wishes.get("min_leaf", 100)}),
        "currency": brand.now().currency,
        "depth": wishes.get("depth", 4),
        "max_leaves": wishes.get("leaves", 8),
        "min_leaf": wishes.get("min_leaf", 100),
        "train_url": reverse("campaigns:tree-question-train", args=[exploration.key])
        if exploration
        else reverse("campaigns:tree-train"),
    }
    return context | (explored.page(tree) if tree else {})


def _trouble(exploration: Exploration | None) -> dict[str, Any]:
    if exploration is None or not exploration.trouble:
        return {}
    told = exploration.trouble
    return {**told, "labels": [columns.label_of_id(one) for one in told.get("columns", ())]}


@page("edit")
def new(request: HttpRequest) -> HttpResponse:
    """Ask something new; the tree is grown at once."""
    form = QuestionForm(request.POST or None, **_choices())
    if request.method == "POST" and form.is_valid():
        try:
            made = questions.create(
                **form.question(),
                actor=request.user,  # type: ignore[arg-type]
            )
        except Refused as refusal:
            form.add_error(form.named(refusal.field), str(refusal))
        else:
            _start(made, request.user)  # type: ignore[arg-type]
            return redirect("campaigns:tree-question", key=made.key)
    context = {"form": form, "properties": [name for name, _number in known_properties()]}
    return render(request, "campaigns/segments/tree_new.html", context)


def _choices() -> dict[str, Any]:
    return {
        "events": EventType.objects.values_list("name", flat=True).order_by("name")[:300],
        "campaigns": Campaign.objects.order_by("-pk").values_list("pk", "name")[:200],
        "segments": Segment.objects.filter(state=Segment.State.LIVE)
        .order_by("name")
        .values_list("pk", "name")[:300],
    }


@require_POST
@page("edit")
def question_train(request: HttpRequest, key: str) -> HttpResponse:
    """Grow the tree again, with what was changed; the shown one stays until it is judged."""
    exploration = _asked(key)
    if running := _open_job(exploration):
        messages.warning(request, _("The tree is already being trained."))
        return redirect("core:job-detail", public_id=running.public_id)
    wishes: dict[str, Any] = {
        name: int(request.POST[name])
        for name in ("depth", "leaves", "min_leaf")
        if request.POST.get(name, "").isdecimal()
    }
    for name, other in (("without", "allow"), ("allow", "without")):
        if chosen := request.POST.getlist(name):
            wishes[name] = sorted({*exploration.settings.get(name, ()), *chosen})
            wishes[other] = sorted({*exploration.settings.get(other, ())} - set(chosen))
    if back := set(request.POST.getlist("back")):
        wishes["without"] = sorted({*exploration.settings.get("without", ())} - back)
    try:
        questions.change(exploration=exploration, settings=wishes, actor=request.user)  # type: ignore[arg-type]
    except Refused as refusal:
        messages.error(request, str(refusal))
    else:
        _start(exploration, request.user)  # type: ignore[arg-type]
    return redirect("campaigns:tree-question", key=key)


def _start(exploration: Exploration, user: User) -> Job:
    return jobs.start(
        kind="explorer.train",
        title=_("Find groups: %(title)s") % {"title": exploration.title},
        params={"exploration": exploration.pk},
        user=user,
        steps=STEPS,
        result_url=reverse("campaigns:tree-question", args=[exploration.key]),
    )


@require_POST
@page("edit")
def question_archive(request: HttpRequest, key: str) -> HttpResponse:
    """Take a question off the page; segments made from it stay."""
    exploration = _asked(key)
    questions.archive(
        exploration=exploration,
        actor=request.user,  # type: ignore[arg-type]
        now=timezone.now(),
    )
    messages.success(
        request,
        _("“%(title)s” is gone from this page. Segments made from its groups stay as they are.")
        % {"title": exploration.title},
    )
    return redirect("campaigns:tree")


@require_POST
@page("edit")
def leaf_save(request: HttpRequest, version_id: int, leaf: int) -> HttpResponse:
    """Keep a leaf as an ordinary segment."""
    version = _tree_version(version_id)
    try:
        segment = leaves.save(
            version=version,
            leaf_id=leaf,
            actor=request.user,  # type: ignore[arg-type]
            name=request.POST.get("name", "").strip(),
        )
    except Refused as refusal:
        messages.error(request, str(refusal))
        return redirect(_page_of(version))
    messages.success(
        request,
        _("“%(name)s” is an ordinary segment now and stays up to date by itself.")
        % {"name": segment.name},
    )
    return redirect("campaigns:segment-edit", pk=segment.pk)


def _tree_version(version_id: int) -> ModelVersion:
    trees = Q(name=queries.REPEAT) | Q(name__startswith="tree:")
    return get_object_or_404(ModelVersion, trees, pk=version_id)


def _page_of(version: ModelVersion) -> str:
    key = version.name.removeprefix("tree:")
    if version.name == queries.REPEAT or not Exploration.objects.filter(key=key).exists():
        return reverse("campaigns:tree")
    return reverse("campaigns:tree-question", args=[key])


@require_POST
@page("edit")
def leaves_save(request: HttpRequest, version_id: int) -> HttpResponse:
    """Keep several leaves at once, each as a segment of its own."""
    version, kept = _tree_version(version_id), 0
    try:
        for number in request.POST.getlist("leaf")[: questions.MOST_LEAVES]:
            if number.isdecimal():
                leaves.save(version=version, leaf_id=int(number), actor=request.user)  # type: ignore[arg-type]
                kept += 1
    except Refused as refusal:
        messages.error(request, str(refusal))
        return redirect(_page_of(version))
    messages.success(
        request,
        _("%(n)d groups are ordinary segments now and stay up to date by themselves.")
        % {"n": kept},
    )
    return redirect("campaigns:segment-list")


@require_POST
@page("edit")
def tree_train(request: HttpRequest) -> HttpResponse:
    """Train the tree that is always there, as deep as asked; the live one stays until then."""
    if running := Job.objects.filter(kind="tree.train", state__in=Job.OPEN).first():
        messages.warning(request, _("The tree is already being trained."))
        return redirect("core:job-detail", public_id=running.public_id)
    depth = request.POST.get("depth", "")
    chosen = int(depth) if depth in {str(d) for d in DEPTHS} else 4
    params = {"depth": chosen}
    size = request.POST.get("min_leaf", "")
    if size in {str(n) for n in SIZES}:
        params["min_leaf"] = int(size)
    jobs.start(
        kind="tree.train",
        title=_("Train the decision tree, %(depth)d questions deep") % {"depth": chosen},
        params=params,
        user=request.user,  # type: ignore[arg-type]
        steps=5,
    )
    return redirect("campaigns:tree")
