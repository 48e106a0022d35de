"""What the API documents of its bodies; answers are built without these."""

from typing import Any

from drf_spectacular.utils import PolymorphicProxySerializer, inline_serializer
from rest_framework import serializers

from marketing.core.jobs_api import JobSchema

# A text that may be left out; nothing, null and an empty text all leave what is stored.
LEFT: dict[str, Any] = {"required": False, "allow_null": True, "allow_blank": True}


class ConsentAnswer(serializers.Serializer):
    granted = serializers.BooleanField()
    purpose = serializers.SlugField(
        max_length=20,
        default="marketing",
        help_text="marketing, profiling, or a purpose of your own.",
    )
    at = serializers.DateTimeField(
        required=False,
        allow_null=True,
        help_text="When they said so. A yes without it never undoes a no.",
    )
    proof = serializers.DictField(required=False, allow_null=True)


class ConsentByChannel(serializers.Serializer):
    email = ConsentAnswer(required=False)
    sms = ConsentAnswer(required=False)
    push = ConsentAnswer(required=False)


class CustomerIn(serializers.Serializer):
    external_id = serializers.CharField(max_length=100, **LEFT)
    email = serializers.EmailField(max_length=254, **LEFT)
    phone = serializers.CharField(max_length=30, **LEFT)
    first_name = serializers.CharField(max_length=100, **LEFT)
    last_name = serializers.CharField(max_length=100, **LEFT)
    country = serializers.CharField(max_length=80, **LEFT)
    language = serializers.CharField(max_length=10, **LEFT)
    timezone = serializers.CharField(max_length=64, **LEFT)
    attributes = serializers.DictField(required=False, allow_null=True)
    consent = ConsentByChannel(required=False, allow_null=True)


class Totals(serializers.Serializer):
    orders = serializers.IntegerField()
    units = serializers.IntegerField()
    revenue = serializers.DecimalField(max_digits=16, decimal_places=2)
    first_order_at = serializers.DateTimeField(allow_null=True)
    last_order_at = serializers.DateTimeField(allow_null=True)


class CustomerOut(serializers.Serializer):
    id = serializers.IntegerField()
    external_id = serializers.CharField(allow_null=True)
    email = serializers.CharField(allow_null=True)
    phone = serializers.CharField()
    first_name = serializers.CharField()
    last_name = serializers.CharField()
    country = serializers.CharField()
    language = serializers.CharField()
    timezone = serializers.CharField()
    attributes = serializers.DictField()
    first_seen_at = serializers.DateTimeField(allow_null=True)
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()
    may_mail = serializers.BooleanField()
    totals = Totals(allow_null=True)


class ProductIn(serializers.Serializer):
    sku = serializers.CharField(max_length=60)
    name = serializers.CharField(max_length=300, **LEFT)
    category = serializers.CharField(max_length=100, **LEFT)
    price = serializers.DecimalField(
        max_digits=12, decimal_places=2, required=False, allow_null=True
    )
    currency = serializers.CharField(max_length=3, **LEFT)
    url = serializers.CharField(max_length=500, **LEFT)
    image_url = serializers.CharField(max_length=500, **LEFT)
    stock = serializers.IntegerField(required=False, allow_null=True)
    active = serializers.BooleanField(default=True)


class ProductPut(ProductIn):
    sku = serializers.CharField(max_length=60, required=False, help_text="as in the address")


class ProductOut(serializers.Serializer):
    sku = serializers.CharField()
    name = serializers.CharField()
    category = serializers.CharField()
    currency = serializers.CharField()
    url = serializers.CharField()
    image_url = serializers.CharField()
    active = serializers.BooleanField()
    price = serializers.DecimalField(max_digits=12, decimal_places=2, allow_null=True)
    stock = serializers.IntegerField(allow_null=True)
    id = serializers.IntegerField()
    created_at = serializers.DateTimeField()


class LineIn(serializers.Serializer):
    sku = serializers.CharField(max_length=60)
    quantity = serializers.IntegerField()
    unit_price = serializers.DecimalField(max_digits=12, decimal_places=4)
    description = serializers.CharField(max_length=300, **LEFT)


class LineOut(serializers.Serializer):
    sku = serializers.CharField()
    quantity = serializers.IntegerField()
    unit_price = serializers.DecimalField(max_digits=12, decimal_places=4)
    description = serializers.CharField()
    line_no = serializers.IntegerField()
    total = serializers.DecimalField(max_digits=14, decimal_places=2)
    kind = serializers.CharField()


class OrderIn(serializers.Serializer):
    external_id = serializers.CharField(max_length=100)
    placed_at = serializers.DateTimeField()
    source = serializers.CharField(max_length=100, **LEFT)  # type: ignore[assignment]
    currency = serializers.CharField(max_length=3, **LEFT)
    country = serializers.CharField(max_length=80, **LEFT)
    customer = CustomerIn(required=False, allow_null=True)
    lines = LineIn(many=True)
    attributes = serializers.DictField(required=False, allow_null=True)


class OrderOut(serializers.Serializer):
    id = serializers.IntegerField()
    source = serializers.CharField()  # type: ignore[assignment]
    external_id = serializers.CharField()
    customer = serializers.CharField(allow_null=True)
    placed_at = serializers.DateTimeField()
    currency = serializers.CharField()
    total = serializers.DecimalField(max_digits=14, decimal_places=2)
    status = serializers.CharField()
    country = serializers.CharField()
    lines = LineOut(many=True, required=False)


class EventIn(serializers.Serializer):
    type = serializers.CharField(max_length=100)
    at = serializers.DateTimeField(required=False, allow_null=True)
    sent_at = serializers.DateTimeField(
        required=False,
        allow_null=True,
        help_text="When the sender's clock sent it; its error is taken off `at`.",
    )
    message_id = serializers.CharField(max_length=100, **LEFT)
    external_id = serializers.CharField(max_length=100, **LEFT)
    email = serializers.EmailField(**LEFT)
    phone = serializers.CharField(max_length=30, **LEFT)
    anonymous_id = serializers.CharField(max_length=100, **LEFT)
    device_id = serializers.CharField(max_length=100, **LEFT)
    properties = serializers.DictField(required=False, allow_null=True)
    context = serializers.DictField(required=False, allow_null=True)  # type: ignore[assignment]


class EventOut(serializers.Serializer):
    id = serializers.IntegerField()
    at = serializers.DateTimeField()
    received_at = serializers.DateTimeField()
    customer = serializers.IntegerField(allow_null=True)
    anonymous_id = serializers.CharField()
    type = serializers.CharField()
    properties = serializers.DictField()
    context = serializers.DictField()  # type: ignore[assignment]
    source = serializers.CharField()  # type: ignore[assignment]
    message_id = serializers.CharField()
    flags = serializers.ListField(child=serializers.CharField())


class ConsentIn(serializers.Serializer):
    external_id = serializers.CharField(max_length=100, **LEFT)
    email = serializers.EmailField(max_length=254, **LEFT)
    phone = serializers.CharField(max_length=30, **LEFT)
    channel = serializers.ChoiceField(choices=["email", "sms", "push"], default="email")
    purpose = serializers.CharField(max_length=20, default="marketing")
    granted = serializers.BooleanField()
    at = serializers.DateTimeField(required=False, allow_null=True)
    expires_at = serializers.DateTimeField(required=False, allow_null=True)
    method = serializers.CharField(max_length=20, default="api")
    text_version = serializers.IntegerField(required=False, allow_null=True)
    text_language = serializers.CharField(max_length=10, **LEFT)
    source = serializers.CharField(max_length=100, **LEFT)  # type: ignore[assignment]
    proof = serializers.DictField(required=False, allow_null=True)


class ConsentOut(serializers.Serializer):
    id = serializers.IntegerField()
    customer = serializers.CharField(allow_null=True)
    channel = serializers.CharField()
    purpose = serializers.CharField()
    granted = serializers.BooleanField()
    at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField(allow_null=True)
    method = serializers.CharField()
    text_version = serializers.IntegerField(allow_null=True)
    source = serializers.CharField()  # type: ignore[assignment]
    proof = serializers.DictField()
    current = serializers.BooleanField()


class ItemError(serializers.Serializer):
    code = serializers.CharField()
    message = serializers.CharField()
    field = serializers.CharField(allow_null=True)
    remedy = serializers.CharField(allow_null=True)


class ItemResult(serializers.Serializer):
    index = serializers.IntegerField()
    status = serializers.ChoiceField(
        choices=["created", "updated", "unchanged", "stored", "duplicate", "conflict", "invalid"]
    )
    error = ItemError(required=False)
    id = serializers.IntegerField(
        required=False, allow_null=True, help_text="of a person who was stored"
    )
    sku = serializers.CharField(required=False)
    external_id = serializers.CharField(required=False)
    message_id = serializers.CharField(required=False)


class BatchOut(serializers.Serializer):
    received = serializers.IntegerField()
    counts = serializers.DictField(child=serializers.IntegerField())
    results = ItemResult(many=True)


def batch(
    name: str, taken: type[serializers.Serializer], lone: type[serializers.Serializer]
) -> Any:
    """What a batch takes and answers: a list item by item, a lone object by what became of it."""
    either = PolymorphicProxySerializer(
        component_name=name, serializers=[BatchOut, lone], resource_type_field_name=None
    )
    return {"request": taken(many=True), "responses": {200: either, 201: lone}}


class ImportIn(serializers.Serializer):
    file = serializers.FileField()
    kind = serializers.ChoiceField(
        choices=["orders", "customers", "products", "events"], required=False
    )
    source = serializers.CharField(max_length=100, required=False)  # type: ignore[assignment]
    mapping = serializers.CharField(
        required=False, help_text='JSON object: field to column name, such as {"sku": "StockCode"}'
    )
    options = serializers.CharField(
        required=False,
        help_text="JSON object: encoding, delimiter, has_header, timezone, date_style, decimal,"
        " currency",
    )


class ImportOut(serializers.Serializer):
    id = serializers.UUIDField()
    kind = serializers.CharField()
    source = serializers.CharField()  # type: ignore[assignment]
    name = serializers.CharField()
    state = serializers.CharField()
    received = serializers.IntegerField()
    stored = serializers.IntegerField()
    duplicate = serializers.IntegerField()
    quarantined = serializers.IntegerField()
    left_out = serializers.IntegerField()
    mapping = serializers.DictField(child=serializers.CharField())
    options = serializers.DictField()
    rules = serializers.DictField(child=serializers.IntegerField())
    created_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField(allow_null=True)
    job = serializers.CharField(allow_null=True)
    url = serializers.CharField()


IMPORT_STARTED = inline_serializer("ImportStarted", {"job": JobSchema(), "import": ImportOut()})


class RejectOut(serializers.Serializer):
    line = serializers.IntegerField()
    code = serializers.CharField()
    field = serializers.CharField()
    message = serializers.CharField()
    remedy = serializers.CharField()
    raw = serializers.CharField()
