"""Messages through a pipe: eight bytes of length, then that many bytes."""

import os
import select
import time
from typing import BinaryIO

MOST_BYTES = 18 * 2**20  # what plain data may take, and room for what stands around it


class Broken(Exception):
    """The pipe ended within or before a message, or one was announced that is too long."""


def send(descriptor: int, message: bytes) -> None:
    """Write one message, whole.

    Raises:
        OSError: nobody reads any more.
    """
    rest = memoryview(len(message).to_bytes(8, "little") + message)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def receive(stream: BinaryIO) -> bytes:
    """Wait for one message.

    Raises:
        Broken: there is none.
    """
    length = int.from_bytes(_exactly(stream, 8), "little")
    if length > MOST_BYTES:
        raise Broken
    return _exactly(stream, length)


def _exactly(stream: BinaryIO, count: int) -> bytes:
    parts = []
    while count:
        part = stream.read(min(count, 2**20))
        if not part:
            raise Broken
        parts.append(part)
        count -= len(part)
    return b"".join(parts)


def receive_within(descriptor: int, seconds: float) -> bytes:
    """The same, with a limit of time, from a pipe whose other end is not trusted. Not on Windows.

    Raises:
        Broken: there is none.
        TimeoutError: not in time.
    """
    end, received = time.monotonic() + seconds, bytearray()
    while True:
        announced = int.from_bytes(received[:8], "little") if len(received) >= 8 else 0
        if announced > MOST_BYTES:
            raise Broken
        if len(received) >= 8 and len(received) >= 8 + announced:
            return bytes(received[8 : 8 + announced])
        left = end - time.monotonic()
        if left <= 0 or not select.select([descriptor], [], [], left)[0]:
            raise TimeoutError
        part = os.read(descriptor, 2**20)
        if not part:
            raise Broken
        received += part
