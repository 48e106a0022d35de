"""Saved blocks for integrators: what many mails share, its versions, and where it stands."""

from typing import Any

from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from campaigns.api.journeys import body_of, number
from campaigns.content import inclusions, library, references
from campaigns.models import SavedBlock, Template
from campaigns.models.content import SavedBlockVersion
from marketing.core.api import View
from marketing.core.errors import Invalid, NotFound
from marketing.core.models import ApiKey

NOUN = "campaigns"
MOST_NAMED = 200


class BlockWrite(serializers.Serializer[Any]):
    name = serializers.CharField(max_length=120, required=False, help_text="needed for a new one")
    key = serializers.CharField(
        max_length=60,
        required=False,
        help_text="how MJML and HTML name it; of a new one only, else made of the name",
    )
    blocks = serializers.ListField(
        child=serializers.DictField(),
        required=False,
        help_text='forms as in a mail of blocks, such as {"kind": "text", "text": "Hello"}; needed'
        " for a new one",
    )
    language = serializers.CharField(
        max_length=12, required=False, help_text="write `blocks` for readers of this language"
    )
    version = serializers.IntegerField(
        required=False, help_text="the one that was changed: a newer one is not overwritten"
    )


class BlockShape(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    key = serializers.CharField()
    tag = serializers.CharField(help_text="what stands for it in MJML and HTML")
    name = serializers.CharField()
    version = serializers.IntegerField()
    mails = serializers.IntegerField(help_text="in how many it stands")
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()
    url = serializers.CharField()


class BlockMail(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    name = serializers.CharField()
    written_in = serializers.ChoiceField(choices=Template.Writing.choices)
    version = serializers.IntegerField()


class BlockDetailShape(BlockShape):
    blocks = serializers.ListField(child=serializers.DictField())
    languages = serializers.DictField(
        child=serializers.ListField(child=serializers.DictField()),
        help_text="the same for readers of other languages, by the language's code",
    )
    stands_in = BlockMail(many=True, help_text="by name, 200 at most")


class BlockVersionShape(serializers.Serializer[Any]):
    number = serializers.IntegerField()
    name = serializers.CharField()
    blocks = serializers.ListField(child=serializers.DictField())
    languages = serializers.DictField()
    restored = serializers.IntegerField(
        allow_null=True, help_text="the former version that it brought back"
    )
    saved_at = serializers.DateTimeField()


def _body(row: SavedBlock, mails: int) -> dict[str, Any]:
    return {
        "id": row.pk,
        "key": row.key,
        "tag": inclusions.tag(row.key),
        "name": row.name,
        "version": row.version,
        "mails": mails,
        "created_at": row.created_at,
        "updated_at": row.updated_at,
        "url": reverse("api:block-detail", args=[row.pk]),
    }


def _detail(row: SavedBlock) -> dict[str, Any]:
    """A block with what it says and where it stands."""
    stands = references.mails_with(row.pk).order_by("name", "pk")
    fields = ("id", "name", "written_in", "version")
    return {
        **_body(row, stands.count()),
        "blocks": row.blocks,
        "languages": row.languages,
        "stands_in": list(stands.values(*fields)[:MOST_NAMED]),
    }


def _version(row: SavedBlockVersion) -> dict[str, Any]:
    said = {name: row.said[name] for name in ("name", "blocks", "languages")}
    return {"number": row.number, **said, "restored": row.restored, "saved_at": row.saved_at}


def _found(block_id: int) -> SavedBlock:
    row = SavedBlock.objects.filter(pk=block_id).first()
    if row is None:
        raise NotFound(_("There is no such block."), code="block_unknown")
    return row


def _text(data: dict[str, Any], name: str, default: str = "") -> str:
    value = data.get(name, default)
    if not isinstance(value, str):
        raise Invalid(_("This must be a text."), code="not_a_text", field=name)
    return value


def _who(request: Request) -> dict[str, Any]:
    actor = request.auth if isinstance(request.auth, ApiKey) else request.user
    return {"user": actor, "now": timezone.now()}


class BlockList(View):
    scope_noun = NOUN

    @extend_schema(operation_id="blocks_list", responses=BlockShape(many=True))
    def get(self, request: Request) -> Response:
        """All saved blocks, newest first, with the number of mails in which each stands."""
        counts = references.counts()
        return self.paginate(
            SavedBlock.objects.all(), lambda row: _body(row, counts.get(row.pk, 0))
        )

    @extend_schema(
        operation_id="blocks_create", request=BlockWrite, responses={201: BlockDetailShape}
    )
    def post(self, request: Request) -> Response:
        """Save blocks under a name, to stand in many mails."""
        data = body_of(request, {"name", "key", "blocks"})
        row = library.save(
            name=_text(data, "name"),
            key=_text(data, "key"),
            blocks=data.get("blocks"),
            **_who(request),
        )
        body = _detail(row)
        return Response(body, status=201, headers={"Location": body["url"]})


class BlockDetail(View):
    scope_noun = NOUN

    @extend_schema(operation_id="blocks_get", responses=BlockDetailShape)
    def get(self, request: Request, block_id: int) -> Response:
        """One saved block: what it says, in all languages, and the mails in which it stands."""
        return Response(_detail(_found(block_id)))

    @extend_schema(operation_id="blocks_update", request=BlockWrite, responses=BlockDetailShape)
    def patch(self, request: Request, block_id: int) -> Response:
        """Change what it says. Every mail with it follows at once, as a new version of its own;
        what was launched keeps what it said. A change that a mail could not bear is refused.
        """
        data = body_of(request, {"name", "blocks", "language", "version"})
        row = _found(block_id)
        language = _text(data, "language")
        # What is not said stays as it is, which nobody may have changed meanwhile.
        read = None if "blocks" in data else row.version
        row = library.save(
            block_id=block_id,
            name=_text(data, "name", row.name),
            blocks=data.get("blocks", references.said(row, language)),
            language=language,
            version=number(data, "version") if "version" in data else read,
            **_who(request),
        )
        return Response(_detail(row))

    @extend_schema(operation_id="blocks_delete", responses={204: None})
    def delete(self, request: Request, block_id: int) -> Response:
        """Remove one that stands in no mail."""
        library.delete(block_id=block_id, user=_who(request)["user"])
        return Response(status=204)


class BlockVersions(View):
    scope_noun = NOUN

    @extend_schema(operation_id="blocks_versions", responses=BlockVersionShape(many=True))
    def get(self, request: Request, block_id: int) -> Response:
        """What it says and said before, the newest first."""
        return self.paginate(_found(block_id).versions.all(), _version, ordering="-number")


class BlockRestore(View):
    scope_noun = NOUN

    @extend_schema(operation_id="blocks_restore", request=None, responses=BlockDetailShape)
    def post(self, request: Request, block_id: int, version: int) -> Response:
        """Bring back what a version said, as a new version, in every mail with it."""
        row = library.restore(block_id=block_id, number=version, **_who(request))
        return Response(_detail(row))
