"""A mail server of the world: Exim takes and returns mail, Dovecot shows mailboxes over IMAP.

Both run from a folder of their own on free ports and serve two domains: people.test, where some
mailboxes exist, and sender.test, where the sender reads what comes back. Dovecot speaks in clear on
one port and TLS on another, with a certificate that signs itself.
"""

import datetime
import imaplib
import ipaddress
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

EXIM, DOVECOT = "/usr/sbin/exim4", "/usr/sbin/dovecot"
PASSWORD = "let-me-in"

_EXIM_CONF = """
exim_user = root
exim_group = root
keep_environment =
exim_path = {exim}
primary_hostname = mx.people.test
spool_directory = {home}/spool
log_file_path = {home}/log/%slog
pid_file_path = {home}/exim.pid
local_interfaces = 127.0.0.1
daemon_smtp_ports = {smtp}
domainlist local = people.test : sender.test
acl_smtp_rcpt = acl_rcpt
acl_smtp_data = acl_data
never_users =
host_lookup =
rfc1413_query_timeout = 0s
tls_advertise_hosts =
begin acl
acl_rcpt:
  accept domains = +local
  deny message = relay not permitted
acl_data:
  accept
    add_header = :at_start:Authentication-Results: mx.people.test;\\
      spf=pass smtp.mailfrom=$sender_address; dkim=none;\\
      dmarc=fail (p=NONE) header.from=sender.test
begin routers
known:
  driver = accept
  domains = +local
  local_parts = lsearch;{home}/users
  transport = mailbox
unknown:
  driver = redirect
  domains = +local
  allow_fail
  data = :fail: 5.1.1 no mailbox here by that name
begin transports
mailbox:
  driver = appendfile
  maildir_format
  directory = {home}/mail/${{local_part_data}}
  user = nobody
  group = nogroup
begin retry
* * F,1h,1m
"""
_DOVECOT_CONF = """
base_dir = {home}/run
state_dir = {home}/state
log_path = {home}/log/dovecot
protocols = imap
listen = 127.0.0.1
ssl = yes
ssl_cert = <{home}/imap.pem
ssl_key = <{home}/imap.pem
disable_plaintext_auth = no
auth_mechanisms = plain login
first_valid_uid = 1
default_login_user = nobody
default_internal_user = nobody
default_internal_group = nogroup
mail_location = maildir:{home}/mail/%n/Maildir
passdb {{
  driver = static
  args = password={password}
}}
userdb {{
  driver = static
  args = uid=nobody gid=nogroup home={home}/mail/%n
}}
service imap-login {{
  inet_listener imap {{
    port = {imap}
  }}
  inet_listener imaps {{
    port = {imaps}
  }}
}}
"""


def missing() -> str:
    """Why the servers cannot run here, or an empty text."""
    lacking = [path for path in (EXIM, DOVECOT) if not Path(path).exists()]
    if lacking:
        return f"{', '.join(lacking)} not here: apt-get install exim4-daemon-light dovecot-imapd"
    if os.getuid() != 0:
        return "a mail server delivers into mailboxes as root"
    return ""


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def home() -> Path:
    """A new folder for a world, of its own: other runs of tests close the one that they share."""
    made = Path(tempfile.mkdtemp(prefix="mail-world-"))
    made.chmod(0o755)
    return made


def certificate(path: Path) -> None:
    """A certificate of localhost that signs itself, with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    path.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))


class World:
    """The two servers. `mailboxes` exist; any other name of the domains does not.

    `folders` says of some mailboxes into which folder beside the inbox their mail is sorted.
    """

    def __init__(
        self, home: Path, mailboxes: Sequence[str], folders: Mapping[str, str] | None = None
    ) -> None:
        self.home, self.smtp, self.imap = home, _free_port(), _free_port()
        self.imaps = _free_port()
        for name in ("spool", "log", "run", "state"):
            (home / name).mkdir()
        for name in mailboxes:
            for part in ("cur", "new", "tmp"):
                (home / "mail" / name / "Maildir" / part).mkdir(parents=True)
        self.certificate = home / "imap.pem"
        certificate(self.certificate)
        sorted_to = {name: f"/.{folder}" for name, folder in (folders or {}).items()}
        (home / "users").write_text(
            "".join(f"{name}: {name}/Maildir{sorted_to.get(name, '')}\n" for name in mailboxes)
        )
        # Servers look into it under other names than ours.
        for folder in (home, *home.parents):
            if folder.stat().st_uid == os.getuid() and folder != Path("/"):
                folder.chmod(folder.stat().st_mode | 0o055)
        for path in [home / "mail", *(home / "mail").rglob("*")]:
            shutil.chown(path, "nobody", "nogroup")
        values = {
            "home": home, "smtp": self.smtp, "imap": self.imap, "imaps": self.imaps, "exim": EXIM,
            "password": PASSWORD,
        }  # fmt: skip
        (home / "exim.conf").write_text(_EXIM_CONF.format(**values))
        (home / "dovecot.conf").write_text(_DOVECOT_CONF.format(**values))
        self._running = [
            subprocess.Popen([EXIM, "-C", str(home / "exim.conf"), "-bdf", "-q2s"]),
            subprocess.Popen([DOVECOT, "-F", "-c", str(home / "dovecot.conf")]),
        ]
        for port in (self.smtp, self.imap, self.imaps):
            self._await(port)

    def _await(self, port: int) -> None:
        until = time.monotonic() + 20
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                return
            except OSError:
                if time.monotonic() > until:
                    raise
                time.sleep(0.1)

    def close(self) -> None:
        for process in self._running:
            process.terminate()
        for process in self._running:
            process.wait(10)
        shutil.rmtree(self.home, ignore_errors=True)

    def mailbox(self, name: str, *, least: int = 1, seconds: float = 20) -> list[EmailMessage]:
        """The mails of one mailbox, read over IMAP once there are so many."""
        until = time.monotonic() + seconds
        while True:
            line = imaplib.IMAP4("127.0.0.1", self.imap, timeout=10)
            line.login(name, PASSWORD)
            line.select("INBOX", readonly=True)
            uids = line.uid("SEARCH", "ALL")[1][0].split()
            found = [line.uid("FETCH", uid, "(BODY.PEEK[])")[1][0][1] for uid in uids]
            line.logout()
            if len(found) >= least or time.monotonic() > until:
                return [message_from_bytes(mail, policy=policy.default) for mail in found]
            time.sleep(0.3)
