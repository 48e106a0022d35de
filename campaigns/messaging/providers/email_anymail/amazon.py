"""Amazon SES: boto3 signs the request, our own client carries it."""

from collections.abc import Mapping
from functools import partial
from io import BytesIO
from typing import Any

from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.config import Config
from django.utils.module_loading import import_string

from campaigns.messaging.providers import calls
from marketing.core import outbound


class _Raw(BytesIO):
    """A body as botocore reads one."""

    def stream(self, **_given: Any) -> Any:
        yield self.read()


def _carry(request: AWSPreparedRequest, kept: outbound.Kept, **_given: Any) -> AWSResponse:
    body = request.body
    if hasattr(body, "read"):
        body = body.read()
    reply = calls.call(
        url=request.url,
        method=request.method,
        headers={
            name: value.decode() if isinstance(value, bytes) else str(value)
            for name, value in request.headers.items()
            if name.lower() != "content-length"
        },
        body=body.encode() if isinstance(body, str) else body,
        kept=kept,
    )
    return AWSResponse(request.url, reply.status, dict(reply.headers), _Raw(reply.body))


def backend(given: Mapping[str, str]) -> Any:
    """Anymail's object for SES, its client opened."""
    params: dict[str, Any] = {
        "aws_access_key_id": given["access_key"],
        "aws_secret_access_key": given["access_secret"],
        "region_name": given["region"],
        # Repeats are ours to decide: the row of a message counts its tries.
        "config": Config(retries={"total_max_attempts": 1}),
    }
    if given.get("api_url"):
        params["endpoint_url"] = given["api_url"]
    made = import_string("anymail.backends.amazon_ses.EmailBackend")(
        ignore_unsupported_features=True, client_params=params
    )
    made.open()
    made.client.meta.events.register("before-send.sesv2", partial(_carry, kept=outbound.Kept()))
    return made
