"""The kinds of connectors. Each is loaded when it is first used: its libraries are large."""

from django.utils.module_loading import import_string
from django.utils.translation import gettext as _

from ingestion.connectors.base import Kind
from ingestion.models import Connector
from marketing.core.errors import NotFound

KINDS = {
    Connector.Kind.SQL: "ingestion.connectors.sql.Database",
    Connector.Kind.FOLDER: "ingestion.connectors.folder.Folder",
    Connector.Kind.HTTP_JSON: "ingestion.connectors.http_json.HttpApi",
    Connector.Kind.FEED: "ingestion.connectors.feed.Feed",
}


def load(kind: str) -> type[Kind]:
    """The class of a kind. NotFound for one there is not."""
    if kind not in KINDS:
        raise NotFound(_("There is no such kind of source."), code="unknown_kind")
    found: type[Kind] = import_string(KINDS[Connector.Kind(kind)])
    return found
