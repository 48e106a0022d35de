"""Mail over SMTP to one's own server or a provider's, on connections that are kept open."""

import ipaddress
import socket
from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from campaigns.messaging.providers import base
from campaigns.messaging.providers.base import Connection, Field
from campaigns.messaging.providers.email_smtp.session import Server, SmtpConnection
from marketing.core import reach
from marketing.core.errors import Refused

PORTS = {"starttls": 587, "tls": 465, "none": 25}


# Where mail servers listen; others only where OUTBOUND_ALLOW names them.
_MAIL_PORTS = (25, 465, 587, 2525)


def _dial(host: str, port: int, timeout: float) -> socket.socket:
    """A connection to a checked address: what somebody typed must not reach into this network."""
    try:
        return reach.connect(host=host, port=port, timeout=timeout, ports=_MAIL_PORTS)
    except Refused as error:
        raise OSError(str(error)) from None


def _port(text: str) -> Any:
    if text and not (text.isascii() and text.isdigit() and 1 <= int(text[:6]) <= 65_535):
        return _("A port is a number from 1 to 65535.")
    return ""


class Provider(base.Provider):
    kind = "email"
    label = gettext_lazy("Mail server (SMTP)")
    about = gettext_lazy("Your own mail server, or any provider that gives you SMTP access.")
    fields = (
        Field("host", gettext_lazy("Server"), required=True, placeholder="smtp.example.com"),
        Field(
            "security",
            gettext_lazy("Encryption"),
            kind="select",
            default="starttls",
            choices=(
                ("starttls", gettext_lazy("STARTTLS, required (usual)")),
                ("tls", gettext_lazy("TLS from the first byte")),
                ("none", gettext_lazy("None: only for a server on this machine or network")),
            ),
            hint=gettext_lazy(
                "With encryption chosen, nothing is ever sent in clear: if the server does not "
                "offer it, mails wait."
            ),
        ),
        Field(
            "port",
            gettext_lazy("Port"),
            kind="number",
            hint=gettext_lazy("Left empty: 587, 465 or 25, as the encryption asks."),
            check=_port,
        ),
        Field("username", gettext_lazy("User name")),
        Field("password", gettext_lazy("Password"), secret=True),
    )
    goes_to = ("host", "port", "username", "security")
    sender = "mail"

    @classmethod
    def includes(cls, given: Mapping[str, str]) -> str:
        host = given.get("host", "")
        try:
            address = ipaddress.ip_address(host.strip("[]"))
        except ValueError:
            return f"a:{host}" if "." in host else ""
        return f"ip{address.version}:{address}" if address.is_global else ""

    @classmethod
    def connect(cls, given: Mapping[str, str]) -> Connection:
        security = given.get("security") or "starttls"
        return SmtpConnection(
            Server(
                host=given["host"],
                port=int(given.get("port") or PORTS[security]),
                username=given.get("username", ""),
                password=given.get("password", ""),
                security=security,
                dial=_dial,
            )
        )
