"""Both sides of multistream-select 1.0 as machines: bytes in, words out, until a protocol is agreed or refused. No I/O.

Each says in `wanted` how many bytes it is sure to need next: whoever reads no more than that never reads into what
comes after the negotiation.
"""

from __future__ import annotations

from collections.abc import Container

from chiral.block.varint import VarintError, decode_varint
from chiral.errors import ProtocolError, UnsupportedProtocolError
from chiral.host.multistream import HEADER, NA, NOT_AVAILABLE, line, opening, read_line

MAX_PROPOSALS = 32


class Proposal:
    """The asking side: proposes one protocol, with the header unless that was exchanged before (`greeted`).

    `words` are to be sent. `wanted` is 0 once the protocol is agreed.
    """

    __slots__ = ("_got", "_protocol", "wanted", "words")

    def __init__(self, protocol: str, *, greeted: bool = False) -> None:
        self._protocol = protocol
        self.words = line(protocol) if greeted else opening(protocol)
        self._got = b""
        self.wanted = len(self.words)

    def take(self, data: bytes) -> None:
        """Take in what the other side said, up to `wanted` bytes of it.

        Raises `UnsupportedProtocolError` if it refuses, `ProtocolError` if it says anything else.
        """
        self._got = self._got + data if self._got else data
        if self.words.startswith(self._got):
            self.wanted = len(self.words) - len(self._got)
        else:
            self._judge()

    def _judge(self) -> None:
        """These are not the words that confirm: raise as soon as it is plain what they are."""
        got = self._got
        start = len(HEADER) if self.words.startswith(HEADER) else 0
        if got[:start] != HEADER[:start]:
            raise ProtocolError(f"an opening was answered with {got[:40]!r}")
        found = read_line(got, start)
        if found is None:
            self.wanted = 1
        elif found.word == NOT_AVAILABLE.encode():
            raise UnsupportedProtocolError(f"{self._protocol} was refused")
        else:
            raise ProtocolError(f"the proposal of {self._protocol} was answered with {found.word[:40]!r}")


class Answering:
    """The answering side: agrees to the first protocol proposed that is among `spoken`, refuses the others.

    `words` are to be sent; whoever sends them empties it. `rest` is what came after the proposal that was agreed to.
    """

    __slots__ = ("_buffer", "_greeted", "_proposals", "_spoken", "words")

    def __init__(self, spoken: Container[str]) -> None:
        self._spoken = spoken
        self._buffer = b""
        self._greeted = False
        self._proposals = 0
        self.words = b""

    @property
    def wanted(self) -> int:
        """How many bytes at least the line under way still has: 1 while its length is not known."""
        if not self._greeted:
            return len(HEADER) - len(self._buffer)
        try:
            length, start = decode_varint(self._buffer)
        except VarintError:
            return 1
        return start + length - len(self._buffer)

    @property
    def rest(self) -> bytes:
        return self._buffer

    def take(self, data: bytes) -> str | None:
        """Take in what the other side said; the protocol agreed on, or None while more is needed.

        Raises `ProtocolError` for anything that is not multistream-select, and for proposals without end.
        """
        buffer = self._buffer + data if self._buffer else data
        offset = 0
        if not self._greeted:
            if not buffer.startswith(HEADER):
                self._await_header(buffer)
                return None
            self._greeted = True
            self.words = HEADER
            offset = len(HEADER)
        while (found := read_line(buffer, offset)) is not None:
            offset = found.end
            # A name that is not UTF-8 is nobody's: with its bytes replaced it equals no protocol spoken here.
            name = found.word.decode("utf-8", errors="replace")
            if name in self._spoken:
                self.words += line(name)
                self._buffer = buffer[offset:]
                return name
            self._refuse()
        self._buffer = buffer[offset:]
        return None

    def _await_header(self, buffer: bytes) -> None:
        """What came is not the header: fine as long as it may still become it."""
        if not HEADER.startswith(buffer):
            raise ProtocolError(f"an opening began with {buffer[:40]!r}")
        self._buffer = buffer

    def _refuse(self) -> None:
        self._proposals += 1
        if self._proposals >= MAX_PROPOSALS:
            raise ProtocolError(f"{MAX_PROPOSALS} protocols proposed, none of them spoken here")
        self.words += NA
