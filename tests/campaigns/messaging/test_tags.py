"""Links say where a visit came from, once, and only where statistics are anybody's business."""

from urllib.parse import parse_qsl, urlsplit

from hypothesis import given
from hypothesis import strategies as st

from campaigns.messaging import rendering, tags
from campaigns.messaging.links import MAX_URL, Signer

WORDS = {"source": "kestrel", "medium": "email", "campaign": "may news", "term": "a&b=c#d"}
SAID = "utm_source=kestrel&utm_medium=email&utm_campaign=may%20news&utm_term=a%26b%3Dc%23d"
OWN = "https://shop.example/u/"


def tagger() -> tags.Tagger:
    return tags.Tagger(WORDS, (OWN,))


def test_words_stand_behind_what_a_link_asks_for_and_before_its_fragment():
    for given_, made in {
        "https://shop.example": f"https://shop.example?{SAID}",
        "https://shop.example/new": f"https://shop.example/new?{SAID}",
        "https://shop.example/new?a=1": f"https://shop.example/new?a=1&{SAID}",
        "https://shop.example/new?a=1&": f"https://shop.example/new?a=1&{SAID}",
        "https://shop.example/new?": f"https://shop.example/new?{SAID}",
        "https://shop.example/new#top": f"https://shop.example/new?{SAID}#top",
        "https://shop.example/?a=%26#/x?y=1": f"https://shop.example/?a=%26&{SAID}#/x?y=1",
    }.items():
        assert tagger().tag(given_) == made


def test_a_link_that_has_such_words_already_is_left_as_written():
    for url in (
        "https://shop.example/?utm_source=partner",
        "https://shop.example/?a=1&UTM_Campaign=x",
        "https://shop.example/?a=1;utm_id=4",
        "https://shop.example/?utm%5Fmedium=x",
        "https://shop.example/#utm_source=fragment",
    ):
        assert tagger().tag(url) == url
    inner = "https://go.example/?to=https%3A%2F%2Fshop.example%2F%3Futm_source%3Dx"
    assert tagger().tag(inner) == f"{inner}&{SAID}"


def test_the_pages_of_leaving_and_other_kinds_of_address_are_left_as_written():
    for url in (f"{OWN}abc", "HTTPS://Shop.example/u/abc?x=1", "mailto:a@b.example", "tel:1", ""):
        assert tagger().tag(url) == url


def test_a_link_that_would_become_too_long_is_left_as_written():
    long = "https://shop.example/" + "a" * (MAX_URL - 40)
    assert tagger().tag(long) == long


@given(
    path=st.text("abc/%20", max_size=20),
    query=st.lists(st.tuples(st.text("abcö&= ", min_size=1, max_size=5), st.text(max_size=5))),
    fragment=st.text("abc?&=/", max_size=10),
)
def test_whatever_a_link_asks_for_survives_and_nothing_is_added_twice(path, query, fragment):
    from urllib.parse import urlencode

    asked = urlencode(query)
    url = "https://shop.example/" + path + (f"?{asked}" if asked else "")
    url += f"#{fragment}" if fragment else ""
    made = tagger().tag(url)
    before, after = urlsplit(url), urlsplit(made)
    assert (after.netloc, after.path, after.fragment) == (
        before.netloc,
        before.path,
        before.fragment,
    )
    kept = parse_qsl(before.query, keep_blank_values=True)
    assert parse_qsl(after.query, keep_blank_values=True) == [
        *kept,
        *((f"utm_{name}", value) for name, value in WORDS.items()),
    ]
    assert tagger().tag(made) == made


def test_usual_words_come_from_names_in_any_script():
    assert tags.slug("May News: 50% off!") == "may-news-50-off"
    assert tags.slug("春季上新 (二)") == "春季上新-二"
    assert tags.slug("  --  ") == ""
    assert len(tags.slug("x" * 300)) == 100


def test_own_words_come_before_the_usual_ones_and_variants_are_told_apart():
    usual = {"source": "shop", "medium": "email", "campaign": "may", "content": ""}
    assert tags.merged(own={}, usual=usual) == {
        "source": "shop",
        "medium": "email",
        "campaign": "may",
    }
    assert tags.merged(own={"content": "Top", "term": "x"}, usual=usual, variant="Long one") == {
        "source": "shop",
        "medium": "email",
        "campaign": "may",
        "content": "Top-long-one",
        "term": "x",
    }
    assert tags.merged(own={"off": True, "source": "x"}, usual=usual) is None


HTML = """<p>{% if products %}{% for p in products %}<a href="{{ p.url }}">{{ p.name }}</a>
{% endfor %}{% endif %}<a href="https://shop.example/new?a=1&amp;b=2#x">new</a>
<a href="https://shop.example/{{ country }}">yours</a> <a href="#top">up</a>
<a href="mailto:a@shop.example">write</a> <a href="{{ unsubscribe_url }}">leave</a></p>"""


def _rendered(words):
    from campaigns.messaging import layout

    signer = Signer("secret")
    made = rendering.Compiled(
        "Hi", HTML, layout.text_from(HTML), signer, tags.Tagger(words, (OWN,)) if words else None
    )
    mail = made.render(
        {
            "products": [
                {"name": "A", "url": "https://shop.example/a?utm_source=own"},
                {"name": "B", "url": "https://shop.example/b"},
            ],
            "country": "DE",
            "unsubscribe_url": f"{OWN}token",
            "_click": "https://shop.example/c/t/",
            "_open": "https://shop.example/o/t.gif",
        }
    )
    targets = []
    for piece in mail.html.split('href="')[1:]:
        address = piece.partition('"')[0].replace("&#x2f;", "/")
        if "/c/t/" in address:
            query = urlsplit(address).query
            targets.append(dict(parse_qsl(query))["u"])
        else:
            targets.append(address)
    return targets, mail.text


def test_every_link_of_a_mail_that_is_followed_carries_them_in_both_of_its_parts():
    targets, text = _rendered({"source": "shop", "medium": "email"})
    said = "utm_source=shop&utm_medium=email"
    assert targets == [
        "https://shop.example/a?utm_source=own",
        f"https://shop.example/b?{said}",
        f"https://shop.example/new?a=1&b=2&{said}#x",
        f"https://shop.example/DE?{said}",
        "#top",
        "mailto:a@shop.example",
        f"{OWN}token",
    ]
    assert f"(https://shop.example/b?{said})" in text
    assert f"(https://shop.example/new?a=1&b=2&{said}#x)" in text
    assert f"(https://shop.example/DE?{said})" in text
    assert f"({OWN}token)" in text
    assert "(https://shop.example/a?utm_source=own)" in text


def test_without_them_a_mail_is_as_it_was():
    targets, text = _rendered(None)
    assert [t for t in targets if "utm_source=own" not in t and "utm_" in t] == []
    assert "(https://shop.example/new?a=1&b=2#x)" in text
