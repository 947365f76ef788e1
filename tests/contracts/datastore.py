"""What every `Datastore` promises; a subclass gives the `datastore` fixture."""

from __future__ import annotations

from chiral.interface.datastore import Datastore


class DatastoreContract:
    async def test_what_was_put_is_got(self, datastore: Datastore) -> None:
        await datastore.put_many("peers", {b"one": b"1", b"empty": b""})
        assert await datastore.get("peers", b"one") == b"1"
        assert await datastore.get("peers", b"empty") == b""
        assert await datastore.get("peers", b"two") is None

    async def test_put_replaces_and_none_deletes(self, datastore: Datastore) -> None:
        await datastore.put_many("peers", {b"one": b"1", b"two": b"2"})
        await datastore.put_many("peers", {b"one": b"uno", b"two": None, b"three": None})
        assert await datastore.page("peers") == [(b"one", b"uno")]

    async def test_tables_are_apart(self, datastore: Datastore) -> None:
        await datastore.put_many("a", {b"key": b"of a"})
        await datastore.put_many("ab", {b"key": b"of ab"})
        assert await datastore.get("a", b"key") == b"of a"
        assert await datastore.page("ab") == [(b"key", b"of ab")]
        assert await datastore.page("b") == []
        await datastore.put_many("a", {b"key": None})
        assert await datastore.get("ab", b"key") == b"of ab"

    async def test_pages_in_key_order(self, datastore: Datastore) -> None:
        items = {b"key %02d" % number: b"%d" % number for number in range(25)}
        await datastore.put_many("t", items)
        seen: list[tuple[bytes, bytes]] = []
        while page := await datastore.page("t", after=seen[-1][0] if seen else b"", limit=10):
            assert len(page) <= 10
            seen += page
        assert seen == sorted(items.items())

    async def test_pages_under_a_prefix(self, datastore: Datastore) -> None:
        await datastore.put_many("t", {key: b"" for key in (b"a", b"b", b"b1", b"b2", b"b\xff", b"c")})
        assert [key for key, _ in await datastore.page("t", b"b")] == [b"b", b"b1", b"b2", b"b\xff"]
        assert [key for key, _ in await datastore.page("t", b"b", after=b"b1")] == [b"b2", b"b\xff"]
        assert [key for key, _ in await datastore.page("t", b"b", after=b"a")] == [b"b", b"b1", b"b2", b"b\xff"]
        assert await datastore.page("t", b"b", after=b"c") == []

    async def test_the_empty_key(self, datastore: Datastore) -> None:
        await datastore.put_many("t", {b"": b"nothing", b"a": b"b"})
        assert await datastore.get("t", b"") == b"nothing"
        assert await datastore.page("t") == [(b"", b"nothing"), (b"a", b"b")]

    async def test_nothing_to_put(self, datastore: Datastore) -> None:
        await datastore.put_many("t", {})
        assert await datastore.page("t") == []
