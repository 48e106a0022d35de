"""What the API documents of its bodies; answers are built without these."""

from rest_framework import serializers


class ConsentAnswer(serializers.Serializer):
    granted = serializers.BooleanField()
    purpose = serializers.SlugField(
        max_length=20,
        default="marketing",
        help_text="marketing, profiling, or a purpose of your own.",
    )
    at = serializers.DateTimeField(
        required=False, help_text="When they said so. A yes without it never undoes a no."
    )
    proof = serializers.DictField(required=False)


class ConsentByChannel(serializers.Serializer):
    email = ConsentAnswer(required=False)
    sms = ConsentAnswer(required=False)
    push = ConsentAnswer(required=False)


class CustomerIn(serializers.Serializer):
    external_id = serializers.CharField(max_length=100, required=False)
    email = serializers.EmailField(max_length=254, required=False)
    phone = serializers.CharField(max_length=30, required=False)
    first_name = serializers.CharField(max_length=100, required=False)
    last_name = serializers.CharField(max_length=100, required=False)
    country = serializers.CharField(max_length=80, required=False)
    language = serializers.CharField(max_length=10, required=False)
    timezone = serializers.CharField(max_length=64, required=False)
    attributes = serializers.DictField(required=False)
    consent = ConsentByChannel(required=False)


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
    name = serializers.CharField(max_length=300, required=False)
    category = serializers.CharField(max_length=100, required=False)
    price = serializers.DecimalField(max_digits=12, decimal_places=2, required=False)
    currency = serializers.CharField(max_length=3, required=False)
    url = serializers.CharField(max_length=500, required=False)
    image_url = serializers.CharField(max_length=500, required=False)
    stock = serializers.IntegerField(required=False)
    active = serializers.BooleanField(default=True)


class ProductOut(ProductIn):
    price = serializers.DecimalField(max_digits=12, decimal_places=2, allow_null=True)
    stock = serializers.IntegerField(allow_null=True)
    id = serializers.IntegerField()
    created_at = serializers.DateTimeField()


class LineIn(serializers.Serializer):
    sku = serializers.CharField(max_length=60)
    quantity = serializers.IntegerField()
    unit_price = serializers.DecimalField(max_digits=12, decimal_places=4)
    description = serializers.CharField(max_length=300, required=False)


class LineOut(LineIn):
    line_no = serializers.IntegerField()
    total = serializers.DecimalField(max_digits=14, decimal_places=2)
    kind = serializers.CharField()


class OrderIn(serializers.Serializer):
    external_id = serializers.CharField(max_length=100)
    placed_at = serializers.DateTimeField()
    source = serializers.CharField(max_length=100, required=False)  # type: ignore[assignment]
    currency = serializers.CharField(max_length=3, required=False)
    country = serializers.CharField(max_length=80, required=False)
    customer = CustomerIn(required=False)
    lines = LineIn(many=True)
    attributes = serializers.DictField(required=False)


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
    at = serializers.DateTimeField(required=False)
    sent_at = serializers.DateTimeField(
        required=False, help_text="When the sender's clock sent it; its error is taken off `at`."
    )
    message_id = serializers.CharField(max_length=100, required=False)
    external_id = serializers.CharField(max_length=100, required=False)
    email = serializers.EmailField(required=False)
    phone = serializers.CharField(max_length=30, required=False)
    anonymous_id = serializers.CharField(max_length=100, required=False)
    device_id = serializers.CharField(max_length=100, required=False)
    properties = serializers.DictField(required=False)
    context = serializers.DictField(required=False)  # type: ignore[assignment]


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
    external_id = serializers.CharField(max_length=100, required=False)
    email = serializers.EmailField(max_length=254, required=False)
    phone = serializers.CharField(max_length=30, required=False)
    channel = serializers.ChoiceField(choices=["email", "sms", "push"], default="email")
    purpose = serializers.CharField(max_length=20, default="marketing")
    granted = serializers.BooleanField()
    at = serializers.DateTimeField(required=False)
    expires_at = serializers.DateTimeField(required=False)
    method = serializers.CharField(max_length=20, default="api")
    text_version = serializers.IntegerField(required=False)
    text_language = serializers.CharField(max_length=10, required=False)
    source = serializers.CharField(max_length=100, required=False)  # type: ignore[assignment]
    proof = serializers.DictField(required=False)


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


class BatchOut(serializers.Serializer):
    received = serializers.IntegerField()
    counts = serializers.DictField(child=serializers.IntegerField())
    results = ItemResult(many=True)


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


class RejectOut(serializers.Serializer):
    line = serializers.IntegerField()
    code = serializers.CharField()
    field = serializers.CharField()
    message = serializers.CharField()
    remedy = serializers.CharField()
    raw = serializers.CharField()
