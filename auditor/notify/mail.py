"""An e-mail. `smtps://` is encrypted from the start, `smtp://` as soon as the server offers it."""

from __future__ import annotations

import smtplib
import ssl
from email.message import EmailMessage
from email.utils import format_datetime, parseaddr
from urllib.parse import SplitResult, unquote, urlsplit

import truststore

from auditor.notify.channel import Channel
from auditor.notify.message import Message, text_of, title_of
from auditor.notify.post import NotDelivered

__all__ = ["mail_of", "send_mail"]

TIMEOUT_S = 30.0
_PORTS = {"smtp": 25, "smtps": 465}
_MAX_SUBJECT_CHARS = 200


def send_mail(channel: Channel, message: Message) -> None:
    """Deliver a message. Raises NotDelivered."""
    parts = urlsplit(channel.url)
    try:
        with _connected(parts) as server:
            _enter(server, parts)
            server.send_message(mail_of(channel, message))
    except smtplib.SMTPResponseException as error:
        raise NotDelivered(f"the mail server answered {error.smtp_code}") from None
    except smtplib.SMTPRecipientsRefused:
        raise NotDelivered("the mail server refuses every recipient; correct `to`") from None
    except (smtplib.SMTPException, OSError) as error:
        cause = getattr(error, "strerror", None) or type(error).__name__
        raise NotDelivered(f"the mail server cannot be used ({cause})") from None


def mail_of(channel: Channel, message: Message) -> EmailMessage:
    """Write the e-mail. What comes from a server stays within one line of a header."""
    mail = EmailMessage()
    mail["Subject"] = _one_line(title_of(message))[:_MAX_SUBJECT_CHARS]
    mail["From"] = channel.settings.sender or ""
    mail["To"] = ", ".join(channel.settings.to)
    mail["Date"] = format_datetime(message.at)
    domain = parseaddr(channel.settings.sender or "")[1].rpartition("@")[2]
    mail["Message-ID"] = f"<{message.id}@{domain or 'localhost'}>"
    # RFC 3834: nobody's holiday answer should come back.
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(text_of(message))
    return mail


def _connected(parts: SplitResult) -> smtplib.SMTP:
    host, port = parts.hostname or "", parts.port or _PORTS[parts.scheme]
    if parts.scheme == "smtps":
        return smtplib.SMTP_SSL(host, port, timeout=TIMEOUT_S, context=_trust())
    return smtplib.SMTP(host, port, timeout=TIMEOUT_S)


def _trust() -> ssl.SSLContext:
    return truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def _enter(server: smtplib.SMTP, parts: SplitResult) -> None:
    server.ehlo()
    if parts.scheme == "smtp" and server.has_extn("starttls"):
        server.starttls(context=_trust())
        server.ehlo()
    elif parts.scheme == "smtp" and parts.password:
        raise NotDelivered(
            "the mail server offers no encryption, and a password would be readable on the way; "
            "use smtps://"
        )
    if parts.username and parts.password:
        server.login(unquote(parts.username), unquote(parts.password))


def _one_line(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in text)
