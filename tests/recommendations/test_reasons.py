from django.utils import translation

from recommendations import reasons


def test_reasons_are_sentences():
    with translation.override("en"):
        assert reasons.sentence({"code": "because", "name": "Red teapot"}) == (
            "Because you bought Red teapot"
        )
        assert reasons.sentence({"code": "popular"}) == "Popular with many people lately"
        assert reasons.sentence({"code": "taste"}) == "People with a similar basket buy this"
        assert reasons.sentence({}) == ""
