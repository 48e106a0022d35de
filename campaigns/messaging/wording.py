"""Faults of content in the reader's language."""

from django.utils.translation import gettext

from campaigns.messaging.faults import Fault, Word


def said(fault: Fault) -> str:
    """What is wrong, without a full stop, since it mostly ends a sentence."""
    params = {
        name: gettext(value) if isinstance(value, Word) else value
        for name, value in fault.params.items()
    }
    text = gettext(fault.template)
    return text % params if params else text
