"""Every example of the API's page runs as it is written, in its order, as an integrator would."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from django.utils import timezone
from standardwebhooks import Webhook

from campaigns.channels import saving
from campaigns.messaging import delivery
from campaigns.models import Campaign, Segment, Template
from campaigns.sending import runs
from ingestion import events
from ingestion.models import Consent, Customer, Event, ImportJob, Order, Product
from ingestion.tracking import keys
from marketing.core import auth
from tests import factories
from tests.campaigns.conftest import states
from tests.campaigns.peer import Peer

PAGE = Path(__file__).resolve().parents[2] / "docs" / "api.md"
BLOCKS = re.findall(r"^```(sh|python|json)\n(.*?)^```", PAGE.read_text(), re.M | re.S)
VERIFY = next(code for kind, code in BLOCKS if kind == "python" and "def verify" in code)
# A refusal of the server ends the run, and names itself.
CAREFUL = 'set -eu\ncurl() { command curl --fail-with-body -sS "$@"; }\n'


@pytest.fixture
def folder(tmp_path, transactional_db) -> Path:
    """Where the examples run: with the key in var/demo.json, as after a first start."""
    _key, secret = auth.create_key(name="page", scopes=list(auth.SCOPES), user=None)
    (tmp_path / "var").mkdir()
    (tmp_path / "var" / "demo.json").write_text(json.dumps({"api_key": secret}))
    return tmp_path


def script(address: str) -> str:
    """The examples as one script of a shell; a page of Python becomes a call of Python."""
    parts = [CAREFUL]
    for kind, code in BLOCKS:
        if kind == "sh":
            parts.append(code.replace("http://127.0.0.1:8000", address) + "export HOST KEY\n")
        elif kind == "python":
            parts.append(f"python3 - <<'PAGE'\n{code}PAGE\n")
    return "echo\n".join(parts)


def test_the_examples_of_the_page_run_as_they_are_written(live_server, folder):
    bought = factories.customer(external_id="c-1", consent=None)
    factories.traits(bought)
    factories.picks(bought, [factories.product("TEAPOT-9")])
    factories.template()
    source = keys.create(name="shop.example.com", actor=None, now=timezone.now())
    python = Path(sys.executable).parent
    done = subprocess.run(
        ["bash", "-c", script(live_server.url)],
        cwd=folder,
        env={
            "PATH": f"{folder}:{python}:{os.environ['PATH']}",
            "WRITE_KEY": source.write_key,
            "PYTHONPATH": "",
        },
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    ada = Customer.objects.get(external_id="c-1")
    assert (ada.email, ada.first_name, ada.country) == ("ada@example.com", "Ada", "GB")
    assert Consent.objects.filter(customer=ada, granted=True, current=True).exists()
    assert Product.objects.get(sku="TEAPOT-1").stock == 12
    order = Order.objects.get(external_id="A-1001")
    assert (order.customer_id, str(order.total)) == (ada.pk, "49.00")
    events.drain()
    seen = Event.objects.filter(customer=ada).values_list("type", flat=True)
    assert sorted(seen) == ["identify", "page_view", "view"]
    assert Segment.objects.get(name="Britain").rule["value"] == "GB"
    run = Campaign.objects.get(name="Spring").runs.get()
    assert run.state == "running"
    assert ImportJob.objects.get().source.name == "shop"
    assert done.stdout.rstrip().endswith("[None, 'c-1']")  # Grace has no number, and is newest


def test_the_answer_that_the_page_shows_is_the_one_that_comes(live_server, folder):
    shown = next(json.loads(code) for kind, code in BLOCKS if kind == "json" and "received" in code)
    asked = next(code for kind, code in BLOCKS if kind == "sh" and "not an address" in code)
    key = json.loads((folder / "var" / "demo.json").read_text())["api_key"]
    told = subprocess.run(
        ["bash", "-c", CAREFUL + asked.split("curl -X POST $HOST/api/v1/products/")[0]],
        env={"PATH": os.environ["PATH"], "HOST": live_server.url, "KEY": key},
        capture_output=True,
        check=True,
    )
    found = json.loads(told.stdout)
    found["results"][0]["id"] = 1
    assert found == shown


def test_a_webhook_of_a_campaign_is_checked_by_the_ten_lines_and_by_the_library(
    transactional_db, settings
):
    peer = Peer()
    settings.OUTBOUND_ALLOW = [f"127.0.0.1:{peer.port}"]
    _channel, made = saving.save(
        provider="webhook_standard",
        name="ours",
        given={"url": f"{peer.url}/x"},
        sender=saving.Sender(),
        user=None,
        now=factories.NOW,
    )
    secret = made["secret"]
    factories.customer(external_id="c-1", first_name="Zoë")
    said = Template.objects.create(
        name="T", kind="webhook", parts={"body": '{"name": "{{ first_name }}"}'}
    )
    of = factories.campaign(
        segment=factories.segment(rule={"all": []}), template=said, holdout_percent=0
    )
    run = runs.start(campaign_id=of.pk, user=None, now=factories.now())
    delivery.deliver(run_id=run.pk)
    peer.close()
    run.refresh_from_db()
    assert states(run) == {"sent": 1}
    (call,) = peer.asked
    page = SimpleNamespace()
    exec(VERIFY, page.__dict__)
    page.verify(secret, call.headers, call.body)
    assert Webhook(secret).verify(call.body.decode(), call.headers) == {"name": "Zoë"}
    with pytest.raises(ValueError, match="not ours"):
        page.verify(secret, call.headers, call.body + b" ")
    late = call.headers | {"webhook-timestamp": str(int(call.headers["webhook-timestamp"]) - 400)}
    with pytest.raises(ValueError, match="too old"):
        page.verify(secret, late, call.body)
    assert len([line for line in VERIFY.splitlines() if line.strip()]) <= 11
