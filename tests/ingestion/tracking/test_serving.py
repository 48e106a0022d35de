"""The tracker as it is sent: small, packed, and kept by browsers for as long as it may be."""

import gzip

from django.test import Client

from ingestion.tracking import serving

SIX_KILOBYTES = 6 * 1024


def test_the_tracker_is_small_and_kept_by_browsers(db: None) -> None:
    plain = serving.SCRIPT.read_bytes()
    assert len(gzip.compress(plain, 9)) < SIX_KILOBYTES
    found = serving.tracker()
    client = Client()
    soon = client.get("/t.js", headers={"accept-encoding": "gzip, br"})
    assert soon["Content-Encoding"] == "br"
    assert "Accept-Encoding" in soon["Vary"]
    assert soon["Cache-Control"] == serving.SOON
    assert soon["Access-Control-Allow-Origin"] == "*"
    packed = client.get("/t.js", headers={"accept-encoding": "gzip"})
    assert gzip.decompress(packed.content) == plain
    assert len(packed.content) < SIX_KILOBYTES
    assert client.get("/t.js").content == plain
    assert client.get("/t.js", headers={"if-none-match": soon["ETag"]}).status_code == 304
    pinned = client.get(f"/t/{found.version}.js")
    assert (pinned["Cache-Control"], pinned.content) == (serving.FOR_EVER, plain)
    assert client.get("/t/0000000000.js")["Cache-Control"] == serving.SOON
    assert client.post("/t.js").status_code == 405
