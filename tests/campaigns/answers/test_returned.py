"""Bounces and complaints are read as servers write them; anything else is left alone."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from campaigns.answers.returned import Cause, Kind, Recipient, Report, cause_of, read
from tests.campaigns.answers import letters


def test_a_delivery_report_names_our_message_the_address_and_the_reason() -> None:
    assert read(letters.bounce()) == Report(
        Kind.BOUNCE,
        letters.KEY,
        (
            Recipient(
                "ann@shop.example",
                Kind.BOUNCE,
                Cause.MAILBOX,
                "5.1.1",
                "550 5.1.1 <ann@shop.example>: Recipient address rejected",
            ),
        ),
        "Undelivered Mail Returned to Sender",
    )


def test_a_delay_is_no_bounce() -> None:
    report = read(letters.bounce(action="delayed", status="4.4.1", text="connection timed out"))
    assert (report.kind, report.recipients[0].kind) == (Kind.DELAY, Kind.DELAY)


def test_a_delivered_report_is_neither() -> None:
    assert read(letters.bounce(action="delivered", status="2.0.0")).kind == Kind.OTHER


@pytest.mark.parametrize(
    ("status", "text", "cause"),
    [
        ("5.1.1", "", Cause.MAILBOX),
        ("5.1.10", "recipient not found", Cause.MAILBOX),
        ("5.2.1", "account disabled", Cause.MAILBOX),
        ("5.2.2", "over quota", Cause.FULL),
        ("4.2.2", "mailbox full", Cause.FULL),
        ("5.7.1", "blocked using a blocklist", Cause.POLICY),
        ("5.7.26", "DMARC", Cause.POLICY),
        ("5.3.4", "message too big", Cause.CONTENT),
        ("5.6.1", "", Cause.CONTENT),
        ("4.4.7", "delivery time expired", Cause.TEMPORARY),
        ("5.0.0", "550 User unknown", Cause.MAILBOX),
        ("5.0.0", "550 rejected as spam", Cause.POLICY),
        ("5.0.0", "554 transaction failed", Cause.UNKNOWN),
        ("", "", Cause.UNKNOWN),
    ],
)
def test_the_cause_follows_the_code_and_else_the_words(
    status: str, text: str, cause: Cause
) -> None:
    assert cause_of(status, text) == cause


def test_a_better_code_in_the_servers_words_counts_before_a_general_one() -> None:
    report = read(letters.bounce(status="5.0.0", text="550-5.1.1 The account does not exist"))
    assert report.recipients[0].status == "5.1.1"
    assert report.recipients[0].cause == Cause.MAILBOX


def test_a_reason_told_to_people_alone_is_read_there() -> None:
    letter = letters.bounce(status="5.0.0", text="").replace(
        b"I'm sorry to have to inform", b"5.1.1 no mailbox here by that name. Sorry to inform"
    )
    (found,) = read(letter).recipients
    assert (found.status, found.cause) == ("5.1.1", Cause.MAILBOX)


def test_a_complaint_names_our_message() -> None:
    report = read(letters.complaint())
    assert (report.kind, report.key, report.feedback) == (Kind.COMPLAINT, letters.KEY, "abuse")
    assert report.recipients[0].address == "ann@shop.example"


def test_taking_mail_out_of_the_spam_folder_is_no_complaint() -> None:
    assert read(letters.complaint(feedback="not-spam")).kind == Kind.OTHER


def test_a_bounce_in_prose_is_understood() -> None:
    report = read(letters.PROSE)
    assert (report.kind, report.key) == (Kind.BOUNCE, letters.KEY)
    assert report.recipients[0].cause == Cause.MAILBOX


def test_an_absence_note_is_not_taken_for_a_bounce() -> None:
    assert read(letters.AWAY).kind == Kind.AUTO_REPLY


@settings(max_examples=200)
@given(st.binary(max_size=2_000))
def test_no_bytes_at_all_make_it_fail(data: bytes) -> None:
    assert isinstance(read(data), Report)


@settings(max_examples=150)
@given(st.data())
def test_nor_does_a_report_that_was_cut_or_scrambled(data: st.DataObject) -> None:
    whole = bytearray(data.draw(st.sampled_from([letters.bounce(), letters.complaint()])))
    for _time in range(data.draw(st.integers(0, 20))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    assert isinstance(read(bytes(whole[: data.draw(st.integers(0, len(whole)))])), Report)
