"""Peers of sending that run in a world of their own: Tryton's marketing automation, nodemailer.

PEERS names a folder with Python packages (`pip install --target`: trytond,
trytond_marketing_automation, psycopg[binary], psycopg_pool), NODE one whose node_modules holds
nodemailer. Whatever is missing is left out of the measurement.
"""

import os
import shutil
import sys
from pathlib import Path

from django.db import connection

from campaigns.benchmarks import peers

# It enrols everybody, renders and sends, and marks, as its own schedule does: in one process.
_TRYTON = """
import sys, time, warnings
warnings.simplefilter("ignore")
from pathlib import Path
url, name, port, n, page = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]), sys.argv[5]
from trytond.config import config
config.set("database", "uri", url)
config.set("email", "uri", "smtp://127.0.0.1:" + port)
config.set("email", "from", "a@example.com")
config.set("web", "hostname", "shop.example.com")
from lxml import etree, html as reader
from trytond.pool import Pool
from trytond.transaction import Transaction
Pool.start()
with Transaction().start(name, 0) as open_one:
    open_one.database.init()
    open_one.commit()
pool = Pool(name)
pool.init(update=["ir", "res"])
pool.init(update=["marketing_automation"], activatedeps=True)
text = Path(page).read_text().replace("$", "$$").replace("{{ name }}", "${record.rec_name}")
mail = etree.tostring(reader.fromstring(text), method="xml", encoding="unicode")
mail = mail.replace("<html", '<html xmlns:py="http://genshi.edgewall.org/"', 1)
automation = "marketing.automation."
with Transaction().start(name, 0) as open_one:
    # Its index over whole texts takes no text as long as this mail.
    cursor = open_one.connection.cursor()
    cursor.execute("SELECT indexname FROM pg_indexes WHERE tablename = 'ir_translation'"
        " AND indexdef ~ '(src|value)'")
    for (index,) in cursor.fetchall():
        cursor.execute(f'DROP INDEX "{index}"')
    # There is no DNS beside a bench, and it would ask for each address whether its domain exists.
    pool.get("party.contact_mechanism").check_valid_email = classmethod(lambda *_: None)
    for first in range(0, n, 500):
        pool.get("party.party").create([
            {"name": f"Person{k}", "contact_mechanisms": [
                ("create", [{"type": "email", "value": f"bench{k}@example.com"}])]}
            for k in range(first, min(first + 500, n))])
    Scenario, Activity = pool.get(automation + "scenario"), pool.get(automation + "activity")
    scenario, = Scenario.create([{"name": "News", "model": "party.party",
        "domain": '[["contact_mechanisms", "!=", null]]'}])
    Activity.create([{"name": "Mail", "parent": str(scenario), "action": "send_email",
        "email_title": "Hello", "email_template": mail}])
    Scenario.run([scenario])
    open_one.commit()
Act = pool.get(automation + "record.activity")
began = time.perf_counter()
with Transaction().start(name, 0) as open_one:
    Scenario.trigger()
    open_one.commit()
with Transaction().start(name, 0):
    waiting = [row.id for row in Act.search([("state", "=", "waiting")])]
for first in range(0, len(waiting), 100):
    with Transaction().start(name, 0) as open_one:
        Act.do(Act.browse(waiting[first:first + 100]))
        open_one.commit()
seconds = time.perf_counter() - began
with Transaction().start(name, 0):
    assert Act.search([("state", "=", "done")], count=True) == n
print(n / seconds)
"""
_NODEMAILER = """
const [port, n, htmlAt, textAt] = process.argv.slice(1);
const fs = require("fs"), nodemailer = require("nodemailer");
const html = fs.readFileSync(htmlAt, "utf8"), text = fs.readFileSync(textAt, "utf8");
const line = nodemailer.createTransport({ host: "127.0.0.1", port: +port, pool: true,
  maxConnections: 16, maxMessages: Infinity, secure: false, ignoreTLS: true });
let next = 0;
const began = process.hrtime.bigint();
const work = async () => { for (let k; (k = next++) < +n;) await line.sendMail({
  from: "a@example.com", to: `bench${k}@example.com`, subject: `Hello Person${k}`,
  text: text.replace("{{ name }}", `Person${k}`),
  html: html.replace("{{ name }}", `Person${k}`) }); };
Promise.all(Array.from({ length: 32 }, work)).then(() => {
  console.log(+n / (Number(process.hrtime.bigint() - began) / 1e9)); line.close(); });
"""


def tryton(port: int, mails: int, html: Path) -> float | None:
    """Mails a second of Tryton's marketing automation, from the rule to the durable mark."""
    folder = os.environ.get("PEERS", "")
    if not folder or not (Path(folder) / "trytond/modules/marketing_automation").is_dir():
        return None
    name = f"{connection.settings_dict['NAME']}_tryton"
    with connection.cursor() as cursor:
        cursor.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        cursor.execute(f'CREATE DATABASE "{name}"')
    server = os.environ["DATABASE_URL"].rpartition("/")[0].partition("://")[2]
    try:
        return peers.said(
            [
                *(sys.executable, "-c", _TRYTON, f"postgresql://{server}/", name),
                *(str(port), str(mails), str(html)),
            ],
            PYTHONPATH=folder,
        )
    finally:
        with connection.cursor() as cursor:
            cursor.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def nodemailer(port: int, mails: int, html: Path, text: Path) -> float | None:
    """Mails a second of nodemailer over 16 kept connections; it keeps and marks nothing."""
    folder, node = os.environ.get("NODE", ""), shutil.which("node")
    modules = Path(folder) / "node_modules"
    if not folder or node is None or not (modules / "nodemailer").is_dir():
        return None
    return peers.said(
        [node, "-e", _NODEMAILER, str(port), str(mails), str(html), str(text)],
        NODE_PATH=str(modules),
    )
