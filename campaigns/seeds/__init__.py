"""Where mails land: the very mail of a campaign, sent to mailboxes of one's own.

mailboxes keeps them, sending writes and hands over the copies, looking finds them over IMAP by
their Message-ID, lines opens a mailbox. folders reads names of folders, verdicts what the receiving
server wrote of SPF, DKIM and DMARC; both know no framework.
"""
