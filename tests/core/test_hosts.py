"""Hosts in letters of any script: one form that is called, both where letters may mislead."""

from ipaddress import ip_address

import pytest

from marketing.core import hosts, reach


@pytest.mark.parametrize(
    ("written", "called"),
    [
        ("shop.example", "shop.example"),
        ("Bücher.example", "xn--bcher-kva.example"),
        ("straße.example", "xn--strae-oqa.example"),  # and not strasse.example, which is another's
        ("例え。jp", "xn--r8jz45g.jp"),
        ("ｓｈｏｐ.example", "shop.example"),
        ("xn--bcher-kva.example", "xn--bcher-kva.example"),
    ],
)
def test_a_host_is_called_by_its_ascii_form(written, called):
    assert hosts.to_ascii(written) == called
    assert hosts.mail_to_ascii(f"ada@{written}") == f"ada@{called}"


def test_what_may_be_called_is_judged_on_the_ascii_form(settings):
    settings.OUTBOUND_ALLOW = ["strasse.example"]
    name = reach.normal_host("Straße.example.")
    assert name == "xn--strae-oqa.example"
    here = ip_address("127.0.0.1")
    assert not reach.is_allowed(host=name, address=here, port=443)
    settings.OUTBOUND_ALLOW = ["straße.example"]
    assert reach.is_allowed(host=name, address=here, port=443)
    # Digits of any script are an address of this machine all the same.
    assert reach.normal_host("１２７。０。０。１") == "127.0.0.1"
    with pytest.raises(reach.Blocked):
        reach.normal_host("i❤.example")


@pytest.mark.parametrize(
    "host", ["a\u200bb\u00ad.ex ämple", "i❤.example", "-ü.example", "ü..example", "ü" * 64]
)
def test_what_no_registry_could_give_to_anybody_is_refused(host):
    with pytest.raises(UnicodeError):
        hosts.to_ascii(host)


def test_letters_that_look_alike_are_told_apart():
    looks_like_apple = "\u0430\u0440\u0440\u04cf\u0435.example"
    assert hosts.both(looks_like_apple) == f"{looks_like_apple} (xn--80ak6aa92e.example)"
    assert hosts.both("xn--80ak6aa92e.example") == f"{looks_like_apple} (xn--80ak6aa92e.example)"
    assert hosts.both("apple.example") == "apple.example"
    assert hosts.both("xn--.example") == "xn--.example"
    assert hosts.both("*.xn--bcher-kva.example") == "*.bücher.example (*.xn--bcher-kva.example)"
    assert hosts.both("ada@bücher.example") == "ada@bücher.example (xn--bcher-kva.example)"
    assert hosts.both("ada@xn--.example") == "ada@xn--.example"
    assert [hosts.both(same) for same in ("", "+4915112000001", "*.shop.example")] == [
        "", "+4915112000001", "*.shop.example",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ("https://shop.example/a%20b?q=ü#ä", "https://shop.example/a%20b?q=%C3%BC#%C3%A4"),
        (
            "https://例え.jp:8443/店?x=%E5%BA%97",
            "https://xn--r8jz45g.jp:8443/%E5%BA%97?x=%E5%BA%97",
        ),
        ("https://shop.example/?a=1&b=%zz", "https://shop.example/?a=1&b=%zz"),
        ("https://i❤.example/", "https://i%E2%9D%A4.example/"),
    ],
)
def test_an_address_goes_into_a_header_in_ascii(written, sent):
    assert hosts.address_to_ascii(written) == sent
