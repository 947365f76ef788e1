"""What every `Pins` promises; a subclass gives the `pins` fixture."""

from __future__ import annotations

import pytest

from chiral.block.cid import CID, DAG_CBOR, DAG_PB, RAW
from chiral.errors import TooLargeError
from chiral.interface.pins import Pin, PinCounts, PinKind, Pins

DIRECT, RECURSIVE = PinKind.DIRECT, PinKind.RECURSIVE
A, B, C = (CID.of(data) for data in (b"a", b"b", b"c"))


class PinsContract:
    async def test_none_at_first(self, pins: Pins) -> None:
        assert await pins.of(A) == await pins.page() == []
        assert await pins.counts() == PinCounts(0, 0)
        assert await pins.has_many([A, B]) == [False, False]
        assert await pins.remove([Pin(A, DIRECT)]) == 0

    async def test_what_was_put_is_found(self, pins: Pins) -> None:
        pin = Pin(A, RECURSIVE, "näme", 1_700_000_000)
        assert await pins.put(pin)
        assert await pins.of(A) == await pins.page() == [pin]
        assert await pins.of(B) == []
        assert await pins.has_many([B, A]) == [False, True]

    async def test_the_first_of_equal_pins_stays(self, pins: Pins) -> None:
        assert await pins.put(Pin(A, DIRECT, "n", 1))
        assert not await pins.put(Pin(A, DIRECT, "n", 2))
        assert await pins.of(A) == [Pin(A, DIRECT, "n", 1)]

    async def test_one_cid_under_several_names(self, pins: Pins) -> None:
        held = [Pin(A, RECURSIVE, name, 1) for name in ("", "x", "xy")]
        for pin in held:
            assert await pins.put(pin)
        assert await pins.of(A) == held
        assert await pins.remove([held[1], Pin(A, RECURSIVE, "no such")]) == 1
        assert await pins.of(A) == [held[0], held[2]]

    async def test_recursive_takes_the_place_of_direct(self, pins: Pins) -> None:
        await pins.put(Pin(A, DIRECT, "n", 1))
        await pins.put(Pin(A, DIRECT, "other", 1))
        assert await pins.put(Pin(A, RECURSIVE, "n", 2))
        assert await pins.of(A) == [Pin(A, DIRECT, "other", 1), Pin(A, RECURSIVE, "n", 2)]
        assert await pins.counts() == PinCounts(1, 1)

    async def test_cids_of_other_codecs_are_others(self, pins: Pins) -> None:
        node = CID(1, DAG_PB, A.multihash)
        await pins.put(Pin(node, DIRECT))
        assert await pins.has_many([A, node, CID(0, DAG_PB, A.multihash)]) == [False, True, True]

    async def test_pages_give_every_pin_once(self, pins: Pins) -> None:
        made = {(cid, kind, name) for cid in (A, B, C) for kind in PinKind for name in (f"{kind}1", f"{kind}2")}
        for cid, kind, name in made:
            await pins.put(Pin(cid, kind, name, 7))
        seen: list[Pin] = []
        while page := await pins.page(seen[-1] if seen else None, 5):
            assert len(page) <= 5
            seen += page
        assert {(pin.cid, pin.kind, pin.name) for pin in seen} == made
        assert len(seen) == 12
        assert [pin.kind for pin in seen] == [DIRECT] * 6 + [RECURSIVE] * 6
        assert await pins.page(kind=RECURSIVE) == seen[6:]
        assert await pins.page(kind=DIRECT) == seen[:6]
        assert await pins.page(seen[8], kind=RECURSIVE) == seen[9:]
        assert await pins.page(seen[2], kind=RECURSIVE) == seen[6:]

    async def test_a_page_goes_on_behind_a_pin_that_is_gone(self, pins: Pins) -> None:
        for name in "abc":
            await pins.put(Pin(A, DIRECT, name))
        await pins.remove([Pin(A, DIRECT, "b")])
        assert [pin.name for pin in await pins.page(Pin(A, DIRECT, "b"))] == ["c"]

    @pytest.mark.parametrize("kind", list(PinKind))
    @pytest.mark.parametrize("codec", [0x00, DAG_PB, DAG_CBOR, 0x0129])
    async def test_whether_any_pin_may_link(self, pins: Pins, kind: PinKind, codec: int) -> None:
        await pins.put(Pin(A, DIRECT))
        await pins.put(Pin(CID(1, RAW, B.multihash), RECURSIVE))
        assert not await pins.any_linked()
        pin = Pin(CID(1, codec, A.multihash), kind)
        await pins.put(pin)
        assert await pins.any_linked()
        await pins.remove([pin])
        assert not await pins.any_linked()

    async def test_a_name_that_is_too_long(self, pins: Pins) -> None:
        await pins.put(Pin(A, DIRECT, "n" * 255))
        with pytest.raises(TooLargeError):
            await pins.put(Pin(A, DIRECT, "n" * 256))
