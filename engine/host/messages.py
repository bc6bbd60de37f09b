"""What every message between window and host is."""

from __future__ import annotations

import msgspec

#: Raised with every change of a request or an event; the handshake compares it.
PROTOCOL_VERSION = 11


class Message(msgspec.Struct, frozen=True, tag=True, omit_defaults=True):
    """Base of all messages."""


class Question(Message, frozen=True):
    """A request that one :class:`Answer` of the same number ends. The analysis host is asked."""

    request: int


class LongQuestion(Question, frozen=True):
    """A question over data or weights, which takes long: the spare is asked."""


class Answer(Message, frozen=True):
    """What ends a question, or a run that could not begin."""

    request: int
