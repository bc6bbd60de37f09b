"""What every message between window and host is."""

from __future__ import annotations

import msgspec

#: Raised with every change of a request or an event; the handshake compares it.
PROTOCOL_VERSION = 5


class Message(msgspec.Struct, frozen=True, tag=True, omit_defaults=True):
    """Base of all messages."""
