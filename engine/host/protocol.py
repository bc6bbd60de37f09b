"""What window and host say to each other.

Each frame is a 4-byte big-endian length and that many bytes of msgpack: one struct of the tagged
unions of :mod:`engine.host.requests` and :mod:`engine.host.events`, which are handed on here with
:mod:`engine.host.story`, what a run tells. Requests go to the host's standard input, events come from
its standard output. A `document` is the network's file text (UTF-8 JSON), so the host reads it with the
same limits as a file. Every answer bears the `request` number that it is for.
"""

from __future__ import annotations

from typing import BinaryIO

import msgspec

from engine.host.events import *  # noqa: F403
from engine.host.events import Event
from engine.host.messages import PROTOCOL_VERSION as PROTOCOL_VERSION
from engine.host.messages import Answer as Answer
from engine.host.messages import LongQuestion as LongQuestion
from engine.host.messages import Message
from engine.host.messages import Question as Question
from engine.host.requests import *  # noqa: F403
from engine.host.requests import Request
from engine.host.story import *  # noqa: F403

#: A frame longer than this is nonsense, and the connection is closed.
MAX_FRAME = 256 * 1024 * 1024

encode = msgspec.msgpack.Encoder().encode
_request_decoder: msgspec.msgpack.Decoder[Request] = msgspec.msgpack.Decoder(Request)
_event_decoder: msgspec.msgpack.Decoder[Event] = msgspec.msgpack.Decoder(Event)
decode_request = _request_decoder.decode
decode_event = _event_decoder.decode


class ChannelProblem(Exception):
    """What arrives is not this protocol; the message is for the user."""


def frame(message: Message) -> bytes:
    """A message as it goes over the wire.

    Raises
    ------
    ChannelProblem
        If it is longer than any reader would take.
    """
    body = encode(message)
    if len(body) > MAX_FRAME:
        raise ChannelProblem(
            f"A message of {len(body):,} bytes is over the limit of {MAX_FRAME:,}: the document is too large."
        )
    return len(body).to_bytes(4, "big") + body


def read_frame(stream: BinaryIO) -> bytes | None:
    """The body of the next frame, or None where the stream ends between frames.

    Raises
    ------
    ChannelProblem
        If the stream ends inside a frame, or the length is nonsense (which is what text that
        strays into the channel looks like).
    """
    head = stream.read(4)
    if not head:
        return None
    length = int.from_bytes(head, "big")
    if len(head) == 4 and length > MAX_FRAME:
        raise ChannelProblem(
            f"A frame claims {length:,} bytes, over the limit of {MAX_FRAME:,} (it begins {head!r})."
        )
    body = stream.read(length) if len(head) == 4 else b""
    if len(head) < 4 or len(body) < length:
        raise ChannelProblem("The connection broke off in the middle of a message.")
    return body


def decoded_request(body: bytes) -> Request:
    """The request in a frame.

    Raises
    ------
    ChannelProblem
        If it is none.
    """
    try:
        return decode_request(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ChannelProblem(f"A frame of {len(body):,} bytes is no request: {error}.") from error


def decoded_event(body: bytes) -> Event:
    """The event in a frame.

    Raises
    ------
    ChannelProblem
        If it is none.
    """
    try:
        return decode_event(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ChannelProblem(f"A frame of {len(body):,} bytes is no event: {error}.") from error


def mismatch(theirs: int, who: str) -> str | None:
    """Say that `who` ("window" or "host") speaks another version, or None if it does not."""
    if theirs == PROTOCOL_VERSION:
        return None
    return (
        f"The {who} speaks version {theirs} of Layerlab's protocol, this side version {PROTOCOL_VERSION}: "
        "install the same version of Layerlab on both sides."
    )
