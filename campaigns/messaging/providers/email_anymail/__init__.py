"""Mail through the HTTP interfaces of providers, in the words that django-anymail knows for each.

Only anymail's knowledge of the services is used: how a mail is written for each and what their
answers mean. The calls themselves go out by our own client, and Django's mail settings stay unread.
"""

from collections.abc import Mapping

from django.utils.module_loading import import_string
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from campaigns.messaging.providers import base
from campaigns.messaging.providers.base import Connection, Field
from marketing.core import outbound
from marketing.core.errors import Invalid

MAILGUN, POSTMARK, SENDGRID, BREVO = "mailgun", "postmark", "sendgrid", "brevo"
MAILJET, RESEND, SPARKPOST, MAILERSEND, SES = (
    "mailjet", "resend", "sparkpost", "mailersend", "amazon_ses",
)  # fmt: skip
_INCLUDES = {
    MAILGUN: "include:mailgun.org",
    POSTMARK: "include:spf.mtasv.net",
    SENDGRID: "include:sendgrid.net",
    BREVO: "include:spf.brevo.com",
    MAILJET: "include:spf.mailjet.com",
    SPARKPOST: "include:sparkpostmail.com",
    MAILERSEND: "include:_spf.mailersend.net",
    RESEND: "include:amazonses.com",
    SES: "include:amazonses.com",
}
_BY_KEY = (MAILGUN, POSTMARK, SENDGRID, BREVO, MAILJET, RESEND, SPARKPOST, MAILERSEND)


class Provider(base.Provider):
    kind = "email"
    label = gettext_lazy("Mail provider")
    about = gettext_lazy("Amazon SES, Mailgun, Postmark, SendGrid, Brevo and others, by their API.")
    sender = "mail"
    signs = True
    variants = (
        (SES, "Amazon SES"),
        (BREVO, "Brevo"),
        (MAILERSEND, "MailerSend"),
        (MAILGUN, "Mailgun"),
        (MAILJET, "Mailjet"),
        (POSTMARK, "Postmark"),
        (RESEND, "Resend"),
        (SENDGRID, "SendGrid"),
        (SPARKPOST, "SparkPost"),
    )
    fields = (
        Field("api_key", gettext_lazy("API key"), required=True, secret=True, only=_BY_KEY),
        Field(
            "secret_key", gettext_lazy("Secret key"), required=True, secret=True, only=(MAILJET,)
        ),
        Field(
            "sender_domain",
            gettext_lazy("Sending domain"),
            placeholder="mg.example.com",
            only=(MAILGUN,),
            hint=gettext_lazy("Left empty: the domain of the sender's address."),
        ),
        Field(
            "message_stream",
            gettext_lazy("Message stream"),
            placeholder="broadcast",
            only=(POSTMARK,),
        ),
        Field("access_key", gettext_lazy("Access key ID"), required=True, only=(SES,)),
        Field(
            "access_secret",
            gettext_lazy("Secret access key"),
            required=True,
            secret=True,
            only=(SES,),
        ),
        Field(
            "region", gettext_lazy("Region"), required=True, placeholder="eu-west-1", only=(SES,)
        ),
        Field(
            "api_url",
            gettext_lazy("Address of the API"),
            hint=gettext_lazy("Only for another region than the usual one."),
        ),
        Field(
            "hook_secret",
            gettext_lazy("Secret for reports"),
            secret=True,
            hint=gettext_lazy("The signing key of the provider's webhooks, for bounces."),
        ),
    )
    goes_to = ("variant", "api_url", "region", "access_key")
    hooks = "campaigns.messaging.providers.email_anymail.hooks"

    @classmethod
    def includes(cls, given: Mapping[str, str]) -> str:
        return _INCLUDES.get(given.get("variant", ""), "")

    @classmethod
    def refuse_nonsense(cls, given: Mapping[str, str]) -> None:
        if given.get("api_url"):
            outbound.parse(given["api_url"])
        region = given.get("region", "")
        if region and not region.replace("-", "").isalnum():
            raise Invalid(_("This is not a region."), code="bad_setting", field="region")

    @classmethod
    def connect(cls, given: Mapping[str, str]) -> Connection:
        # Loaded when it is used: anymail and what it needs are large.
        made = import_string("campaigns.messaging.providers.email_anymail.sending.Anymail")
        line: Connection = made(given)
        return line
