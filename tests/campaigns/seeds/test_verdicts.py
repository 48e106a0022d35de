"""What receiving servers write of SPF, DKIM and DMARC is read as they mean it."""

import pytest

from campaigns.seeds import verdicts

GMAIL = """mx.google.com;
       dkim=pass header.i=@shop.example header.s=p1 header.b=abc=def;
       spf=pass (google.com: domain of hello@shop.example designates 192.0.2.1; really)
       smtp.mailfrom=hello@shop.example;
       dmarc=pass (p=REJECT sp=REJECT dis=NONE) header.from=shop.example"""
OUTLOOK = """spf=softfail (sender IP is 192.0.2.1) smtp.mailfrom=shop.example;
 dkim=none (message not signed) header.d=none;dmarc=fail action=none
 header.from=shop.example;compauth=fail reason=001"""
YAHOO = """atlas.mail.yahoo.com; dkim=perm_fail header.i=@shop.example;
 spf=none smtp.mailfrom=shop.example; dmarc=unknown header.from=shop.example"""


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (GMAIL, ("pass", "pass", "pass")),
        (OUTLOOK, ("softfail", "none", "fail")),
        (YAHOO, ("none", "", "")),
        ("mx.test 1; none", ("", "", "")),
        ('mx.test; spf=pass reason="dkim=pass; dmarc=pass" smtp.mailfrom=a', ("pass", "", "")),
        ("mx.test; SPF=Pass (a (b; dmarc=pass) c)", ("pass", "", "")),
        ("mx.test; dkim / 1 = fail", ("", "fail", "")),
        ("mx.test; dkim=fail header.s=ed; dkim=pass header.s=rsa", ("", "pass", "")),
        ("", ("", "", "")),
        (";;;===((", ("", "", "")),
    ],
)
def test_results_are_those_the_server_means(header: str, expected: tuple[str, str, str]) -> None:
    assert tuple(verdicts.read([header]))[:3] == expected


def test_only_the_server_that_keeps_the_mailbox_is_believed() -> None:
    told = [
        "mx.test; spf=fail",
        "mx.test; dkim=pass",
        "evil.test; spf=pass; dkim=pass; dmarc=pass",
    ]
    found = verdicts.read(told)
    assert (found.spf, found.dkim, found.dmarc) == ("fail", "pass", "")
    assert found.text == "mx.test; spf=fail | mx.test; dkim=pass"
    assert verdicts.read([]) == verdicts.Verdicts()
