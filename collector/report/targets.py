"""Where a report is delivered to: a folder, mail, a webhook.

Frozen values that the config makes go out. Nothing is sent here.
"""

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias

Tls = Literal["starttls", "tls", "none"]


@dataclass(frozen=True, slots=True)
class FolderTarget:
    """A directory that gets one directory a week."""

    directory: Path

    @property
    def name(self) -> str:
        """What the ledger remembers it by."""
        return f"folder {self.directory}"


@dataclass(frozen=True, slots=True)
class MailTarget:
    """A mail server and who gets the mail. `tls`: `starttls`, `tls` from the first byte, or `none` (loopback only).

    `ca_file`: who signed the server's certificate, where the system does not know.
    """

    server: str
    port: int
    tls: Tls
    sender: str
    recipients: tuple[str, ...]
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    ca_file: Path | None = None

    @property
    def name(self) -> str:
        """What the ledger remembers it by."""
        return f"mail to {', '.join(self.recipients)}"


@dataclass(frozen=True, slots=True)
class WebhookTarget:
    """An address that takes messages in Slack's format. It is a secret: who knows it may write there."""

    url: str = field(repr=False)
    link: str | None = None  # where people find the whole report

    @property
    def name(self) -> str:
        """What the ledger remembers it by."""
        return f"webhook {hashlib.sha256(self.url.encode()).hexdigest()[:12]}"


Target: TypeAlias = FolderTarget | MailTarget | WebhookTarget
