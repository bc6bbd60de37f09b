"""A host that talks nonsense: random bytes, or frames with something wrong in them."""

from __future__ import annotations

import os
import random
import sys

from engine.host.protocol import Hello, Pong, Welcome, frame


def nonsense(chance: random.Random) -> bytes:
    """Bytes as a broken, hostile or altogether different program might send them."""
    whole = frame(Welcome(1, 1, "3", "2")) + frame(Pong(1))
    match chance.randrange(5):
        case 0:
            return chance.randbytes(chance.randrange(1, 4096))
        case 1:
            data = bytearray(whole)
            for _ in range(chance.randrange(1, 6)):
                data[chance.randrange(len(data))] = chance.randrange(256)
            return bytes(data)
        case 2:
            return whole[: chance.randrange(1, len(whole))]
        case 3:
            body = chance.randbytes(chance.randrange(0, 200))
            return len(body).to_bytes(4, "big") + body
        case _:
            return frame(Hello()) + whole  # a request, where an event is due


if __name__ == "__main__":
    random_source = random.Random(int(sys.argv[1]) + os.getpid())
    os.write(1, nonsense(random_source))
