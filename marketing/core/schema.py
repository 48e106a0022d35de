"""What every operation of the OpenAPI document shares: the key, and the one error shape."""

import json
import re
from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension

HOME = "#/components/schemas/"
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
        name = body["schema"]["items"]["$ref"].rsplit("/", 1)[1] + "Page"
        result["components"]["schemas"][name] = {
            "type": "object",
            "required": ["data", "next", "previous"],
            "properties": {"data": body["schema"], "next": LINK, "previous": LINK},
        }
        body["schema"] = {"$ref": f"{HOME}{name}"}
        names = {parameter["name"] for parameter in PAGING}
        known = operations["get"].get("parameters", [])
        operations["get"]["parameters"] = [
            *(parameter for parameter in known if parameter["name"] not in names),
            *PAGING,
        ]
    return result


def tell_limits(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Say of bodies what the readers of all of them hold to.

    A field that is not known is refused, money may be a number or its text, and a batch is a list
    of one to a thousand items, or a lone one.
    """
    for name, schema in result["components"]["schemas"].items():
        if not name.endswith("Request"):
            continue
        if schema.get("properties"):
            schema.setdefault("additionalProperties", False)
        for field in schema.get("properties", {}).values():
            if "default" in field:  # generators of clients take such a field for one that is sent
                usual = json.dumps(field.pop("default")).strip('"')
                told = field.get("description", "").rstrip(".")
                field["description"] = "; ".join(filter(None, [told, f"{usual} when left out"]))
            if field.get("format") == "decimal":
                nothing = ["null"] if "null" in field["type"] else []
                field["type"] = ["string", "number", *nothing]
                field["pattern"] = field["pattern"].replace(r"\d{0,", r"\d{1,", 1)
    for operations in result["paths"].values():
        post = operations.get("post", {})
        most = post.pop("x-most-items", 1000)
        body = post.get("requestBody", {}).get("content", {})
        schema = body.get("application/json", {}).get("schema", {})
        if schema.get("type") == "array":
            many = {**schema, "minItems": 1, "maxItems": most}
            body["application/json"]["schema"] = {"oneOf": [many, dict(schema["items"])]}
    return result


_WORDS = (
    (re.compile(r"^Patched(\w+?)(In|Write|Put)?Request$"), r"\1Update"),
    (re.compile(r"(In|Write|Shape)?Request$"), "Write"),
    (re.compile(r"^(\w+?)(In|Write|Out|Shape|Schema)([A-Z]\w+)Enum$"), r"\1\3"),
    (re.compile(r"Enum$"), ""),
    (re.compile(r"(Out|Shape|Schema)(Page)?$"), r"\2"),
)


def name_shapes(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Name shapes as a client's programmer would: `Customer`, `CustomerWrite`, `CampaignState`."""
    shapes = result["components"]["schemas"]
    names: dict[str, str] = {}
    for old in shapes:
        new = next(
            (pattern.sub(by, old) for pattern, by in _WORDS if pattern.search(old)),
            old,
        )
        if new in names.values():
            raise ValueError(f"Two shapes of the API's document are called {new}.")
        names[old] = new
    result["components"]["schemas"] = {names[old]: shape for old, shape in shapes.items()}

    def follow(node: Any) -> None:
        for value in node.values() if isinstance(node, dict) else node:
            if isinstance(value, dict | list):
                follow(value)
        if isinstance(node, dict) and str(node.get("$ref", "")).startswith(HOME):
            node["$ref"] = HOME + names[node["$ref"].removeprefix(HOME)]

    follow(result)
    return result
