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


LINK = {"type": ["string", "null"], "format": "uri", "description": "Address of that page."}
PAGING = [
    {
        "in": "query",
        "name": "limit",
        "schema": {"type": "integer", "minimum": 1, "maximum": 1000, "default": 100},
        "description": "Rows a page.",
    },
    {
        "in": "query",
        "name": "cursor",
        "schema": {"type": "string"},
        "description": "Where a page begins; follow `next` rather than making one.",
    },
]


def show_pages(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Describe every list as it is answered: rows in `data`, with the addresses of other pages."""
    for operations in result["paths"].values():
        answer = operations.get("get", {}).get("responses", {}).get("200", {})
        body = answer.get("content", {}).get("application/json", {})
        if body.get("schema", {}).get("type") != "array":
            continue
        body["schema"] = {
            "type": "object",
            "required": ["data", "next", "previous"],
            "properties": {"data": body["schema"], "next": LINK, "previous": LINK},
        }
        known = operations["get"].setdefault("parameters", [])
        names = {parameter.get("name") for parameter in known}
        known += [parameter for parameter in PAGING if parameter["name"] not in names]
    return result
