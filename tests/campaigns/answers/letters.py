"""Returned mail as servers write it."""

KEY = "0123456789abcdef0123456789abcdef"


def bounce(
    *,
    status: str = "5.1.1",
    text: str = "550 5.1.1 <ann@shop.example>: Recipient address rejected",
    address: str = "ann@shop.example",
    action: str = "failed",
    key: str = KEY,
) -> bytes:
    """A delivery report in three parts, as RFC 3464 has it."""
    return f"""From: MAILER-DAEMON@mx.example (Mail Delivery System)
To: hello@sender.example
Subject: Undelivered Mail Returned to Sender
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="b1"

--b1
Content-Type: text/plain; charset=us-ascii

I'm sorry to have to inform you that your message could not be delivered.

--b1
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example

Final-Recipient: rfc822; {address}
Action: {action}
Status: {status}
Diagnostic-Code: smtp; {text}

--b1
Content-Type: text/rfc822-headers

From: Shop <hello@sender.example>
To: {address}
Message-ID: <{key}@sender.example>
Subject: News

--b1--
""".replace("\n", "\r\n").encode()


def complaint(*, feedback: str = "abuse", key: str = KEY) -> bytes:
    """A report of a mailbox provider, as RFC 5965 has it."""
    return f"""From: feedback@mailbox.example
To: fbl@sender.example
Subject: FW: News
MIME-Version: 1.0
Content-Type: multipart/report; report-type=feedback-report; boundary="b2"

--b2
Content-Type: text/plain

This is an email abuse report.

--b2
Content-Type: message/feedback-report

Feedback-Type: {feedback}
User-Agent: SomeGenerator/1.0
Version: 1
Original-Rcpt-To: <ann@shop.example>

--b2
Content-Type: message/rfc822

From: Shop <hello@sender.example>
To: ann@shop.example
Message-ID: <{key}@sender.example>
Subject: News

Hello
--b2--
""".replace("\n", "\r\n").encode()


PROSE = f"""From: Mail Delivery Subsystem <mailer-daemon@old.example>
To: hello@sender.example
Subject: failure notice

Hi. This is the mail program at old.example.
<ann@shop.example>:
Sorry, no mailbox here by that name. (#5.1.1)

--- Below this line is a copy of the message.
Message-ID: <{KEY}@sender.example>
Subject: News
""".encode()

AWAY = f"""From: Ann <ann@shop.example>
To: hello@sender.example
Subject: Out of office
Auto-Submitted: auto-replied
In-Reply-To: <{KEY}@sender.example>

I am back on Monday.
""".encode()
