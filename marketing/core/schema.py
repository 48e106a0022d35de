"""What every operation of the OpenAPI document shares: the key, and the one error shape."""

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension

_NULLABLE_TEXT = {"type": ["string", "null"]}
ERROR = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["code", "message", "field", "remedy", "items"],
            "properties": {
                "code": {"type": "string", "description": "Stable word to branch on."},
                "message": {"type": "string", "description": "What happened."},
                "field": {**_NULLABLE_TEXT, "description": "Where, if it was one field."},
                "remedy": {**_NULLABLE_TEXT, "description": "What to do about it."},
                "items": {
                    "type": "array",
                    "items": {"type": "object"},
                    "description": "One entry per faulty item of a batch.",
                },
            },
        }
    },
}


class KeyScheme(OpenApiAuthenticationExtension):
    """Documents the API key."""

    target_class = "marketing.core.auth.KeyAuthentication"
    name = "apiKey"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {
            "type": "http",
            "scheme": "bearer",
            "description": "An API key from Settings, Keys: `Authorization: Bearer pk_…`.",
        }


def add_errors(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Give every operation the same answer for everything that is refused."""
    result["components"].setdefault("schemas", {})["Error"] = ERROR
    refusal = {
        "description": "Refused. 429 and 503 carry Retry-After in seconds.",
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
    }
    for operations in result["paths"].values():
        for operation in operations.values():
            if isinstance(operation, dict) and "responses" in operation:
                operation["responses"].setdefault("default", refusal)
    return result
