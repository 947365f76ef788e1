"""Counts what the nodes of this process say: DHT requests by type, bytes and streams by protocol, before encryption.

It stands in the host's streams: below everything that decides what to send, above multiplexing and encryption.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from chiral.block.varint import decode_varint
from chiral.host.host import Host
from chiral.host.stream import HostStream
from chiral.interface.peer import PeerId
from chiral.kad.messages import MessageType

Data = bytes | bytearray | memoryview
_TYPE_TAG = 0x08


class Sent:
    """What went out. Requests are kept as they were sent and read when asked for, so that counting costs no time."""

    def __init__(self, kad_protocol: str) -> None:
        self._kad_protocol = kad_protocol
        self._written: list[bytes] = []
        self._requests: Counter[str] = Counter()
        self.streams: Counter[str] = Counter()
        """Streams opened by this process, by protocol."""
        self.bytes: Counter[str] = Counter()
        """Bytes written by this process, by protocol, whoever opened the stream."""

    def asked(self, stream: HostStream, data: Data) -> None:
        """Bytes go out on a stream that was opened here."""
        if stream.protocol == self._kad_protocol and data:
            self._written.append(bytes(data))

    def requests(self) -> Counter[str]:
        """DHT requests so far by the name of their type. Whatever is no message counts as `other`."""
        written, self._written = self._written, []
        for data in written:
            self._requests.update(_types(data))
        return self._requests.copy()


def _types(data: bytes) -> list[str]:
    """The types of the messages in `data`, each behind its length and with its type in front, as they are written."""
    names, at = [], 0
    while at < len(data):
        length, at = decode_varint(data, at)
        names.append(MessageType(data[at + 1]).name if data[at] == _TYPE_TAG else "other")
        at += length
    return names


def count_what_is_sent(sent: Sent) -> None:
    """Have every host of this process tell `sent`; once, before the first host runs."""
    write, finish, open_stream = HostStream.write, HostStream.finish, Host._open

    async def writing(stream: HostStream, data: Data) -> None:
        sent.bytes[stream.protocol] += len(data)
        await write(stream, data)

    async def finishing(stream: HostStream, data: Data = b"") -> None:
        sent.bytes[stream.protocol] += len(data)
        await finish(stream, data)

    class Asking(HostStream):
        """A stream that was opened here."""

        __slots__ = ()

        async def write(self, data: Data) -> None:
            sent.asked(self, data)
            await writing(self, data)

        async def finish(self, data: Data = b"") -> None:
            sent.asked(self, data)
            await finishing(self, data)

    async def opening(host: Host, peer: PeerId, protocols: Sequence[str]) -> HostStream:
        stream = await open_stream(host, peer, protocols)
        stream.__class__ = Asking
        sent.streams[stream.protocol] += 1
        return stream

    HostStream.write, HostStream.finish = writing, finishing  # type: ignore[method-assign, assignment]
    Host._open = opening  # type: ignore[method-assign, assignment]
