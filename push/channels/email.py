"""E-mail over SMTP."""

from __future__ import annotations

import contextlib
import hashlib
import re
import smtplib
import ssl
from email.errors import MessageError
from email.headerregistry import Address as MailAddress
from email.message import EmailMessage
from email.utils import parseaddr

from app.core.clock import Clock
from app.core.settings import Settings
from push.channels import Accepted, Address, Failed, Outcome, Retry
from push.messages import Message

_TIMEOUT_S = 10
_ENHANCED = re.compile(rb"\s*([245]\.\d{1,3}\.\d{1,3})\b")


class EmailChannel:
    """Hands messages to one mail relay, a connection each."""

    def __init__(self, settings: Settings, clock: Clock | None = None) -> None:
        """Remember the relay; nothing is opened yet.

        Args:
            settings: ``smtp_*``, ``mail_from``, and the organisation's name and address for the foot of a message.
            clock: dates the messages.

        Raises:
            ValueError: when ``mail_from`` is no address.
        """
        self._settings = settings
        self._clock = clock or Clock()
        self._sender = _mail_address(parseaddr(settings.mail_from)[1], _one_line(settings.organisation_name))

    def send(self, to: Address, message: Message, dedupe_id: str) -> Outcome:
        """Send one message; see ``Channel.send``."""
        try:
            recipient = _mail_address(to.value)
        except ValueError:
            return Failed("address_invalid")
        mail = self._compose(recipient, message, dedupe_id)
        try:
            server = self._connected()
        except (smtplib.SMTPException, OSError) as fault:
            return Retry(_reason(fault), channel_down=True)
        try:
            server.send_message(mail, self._sender.addr_spec, [recipient.addr_spec])
            return Accepted()
        except (smtplib.SMTPException, OSError) as fault:
            return _outcome_of(fault)
        finally:
            # Whatever goes wrong after the relay took the message must not make us send it again.
            with contextlib.suppress(smtplib.SMTPException, OSError):
                server.quit()
            server.close()

    def _connected(self) -> smtplib.SMTP:
        settings = self._settings
        server = smtplib.SMTP(settings.smtp_host, settings.smtp_port, timeout=_TIMEOUT_S)
        try:
            if settings.smtp_starttls:
                server.starttls(context=ssl.create_default_context())
            if settings.smtp_username:
                server.login(settings.smtp_username, settings.smtp_password)
            server.ehlo_or_helo_if_needed()
        except BaseException:
            server.close()
            raise
        return server

    def _compose(self, to: MailAddress, message: Message, dedupe_id: str) -> EmailMessage:
        """Build the mail; nothing in it but the body may hold a line break."""
        settings = self._settings
        mail = EmailMessage()
        mail["From"] = self._sender
        mail["To"] = to
        mail["Subject"] = _one_line(message.title)
        mail["Date"] = self._clock.now()
        mail["Message-ID"] = f"<{hashlib.sha256(dedupe_id.encode()).hexdigest()[:40]}@{self._sender.domain}>"
        mail["Auto-Submitted"] = "auto-generated"
        mail.set_content(f"{message.body}\n\n-- \n{settings.organisation_name}\n{settings.public_url}\n", charset="utf-8")
        return mail


def _mail_address(address: str, name: str = "") -> MailAddress:
    """Read exactly one address; a domain in another script is written as the mail system knows it (RFC 5891).

    Raises:
        ValueError: for anything else, so that no address can add a header or a recipient.
    """
    try:
        local, _, domain = address.rpartition("@")
        return MailAddress(name, addr_spec=f"{local}@{domain.encode('idna').decode()}")
    except (MessageError, IndexError) as fault:
        raise ValueError("not one e-mail address") from fault


def _one_line(text: str) -> str:
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())


def _outcome_of(fault: smtplib.SMTPException | OSError) -> Outcome:
    """Judge a refusal: a 5xx about this recipient or this message is final, everything else may pass (RFC 5321, 4.2.1)."""
    if isinstance(fault, smtplib.SMTPRecipientsRefused):
        code, text = next(iter(fault.recipients.values()))
        fault = smtplib.SMTPDataError(code, text)
    final = isinstance(fault, smtplib.SMTPDataError) and fault.smtp_code >= 500
    if final:
        return Failed(_reason(fault))
    return Retry(_reason(fault), channel_down=not isinstance(fault, smtplib.SMTPResponseException))


def _reason(fault: Exception) -> str:
    """Name a fault without the relay's free text: that often repeats the address."""
    if isinstance(fault, smtplib.SMTPResponseException):
        text = fault.smtp_error if isinstance(fault.smtp_error, bytes) else str(fault.smtp_error).encode()
        enhanced = _ENHANCED.match(text)
        return f"smtp {fault.smtp_code}" + (f" {enhanced[1].decode()}" if enhanced else "")
    return type(fault).__name__
