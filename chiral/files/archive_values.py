"""A block as a value of the IPLD data model, and that value in another codec. Pure; blocks small, nesting bounded.

Values are what JSON has, with `bytes` and `multiformats.CID`. DAG-CBOR is `dag_cbor`'s; DAG-JSON is Python's JSON with
the two forms that stand for links and bytes, because the library for it takes unbounded time over a long CID.
"""

from __future__ import annotations

import base64
import binascii
import json
from typing import TYPE_CHECKING, Any

from chiral.block.cid import CID, CODEC_NAMES, DAG_CBOR, DAG_JSON, DAG_PB, RAW
from chiral.car.cbor_scan import scan_cbor
from chiral.dag.dag_pb import PbLink, decode_node, encode_node
from chiral.errors import InvalidCidError, MalformedContentError, UsageError

if TYPE_CHECKING:
    import multiformats

MAX_DEPTH = 128
MAX_ITEMS = 1 << 17
"""Of a value that is built: `dag_cbor` takes some microseconds for each."""
OUTPUT_CODECS = {CODEC_NAMES[code]: code for code in (DAG_JSON, DAG_CBOR, DAG_PB, RAW)}
Data = bytes | bytearray | memoryview


def decode_block(cid: CID, data: Data) -> Any:
    """The value in the block `cid`; raises `MalformedContentError` if it is not what its codec says, or too large."""
    raw = bytes(data)
    try:
        if cid.codec == RAW:
            return raw
        if cid.codec == DAG_PB:
            return _value_of_node(raw)
        if cid.codec == DAG_CBOR:
            return _decode_cbor(raw)
        if cid.codec == DAG_JSON:
            return _decode_json(raw)
    except MalformedContentError as error:
        raise MalformedContentError(f"{cid}: {error.message}") from error
    raise MalformedContentError(f"{cid} is {cid.codec_name}, which cannot be read as a value")


def encode_value(value: Any, codec: int) -> bytes:
    """`value` in `codec`; raises `UsageError` for one that the codec has no form for."""
    try:
        if codec == DAG_JSON:
            return _encode_json(value)
        if codec == DAG_CBOR:
            import dag_cbor

            return dag_cbor.encode(value)
        if codec == DAG_PB:
            return _node_of_value(value)
        if codec == RAW and isinstance(value, bytes):
            return value
    except Exception as error:  # the libraries raise errors of their own and of what they are built on
        raise _no_form(codec, str(error)) from error
    raise _no_form(codec, "only bytes are raw" if codec == RAW else "not a codec that is written")


def as_link(value: Any) -> CID | None:
    """The CID that a value is, None for any other value."""
    import multiformats

    return CID.from_bytes(bytes(value)) if isinstance(value, multiformats.CID) else None


def _no_form(codec: int, why: str) -> UsageError:
    name = CODEC_NAMES.get(codec, hex(codec))
    return UsageError(
        f"this value cannot be written as {name}: {why}"[:300], hint="dag-json and dag-cbor take nearly all"
    )


def _foreign(cid: CID) -> multiformats.CID:
    import multiformats

    try:
        return multiformats.CID.decode(cid.buffer)
    except Exception as error:  # it knows only the codecs and hashes of its table
        raise MalformedContentError(f"a link that cannot be shown: {error}"[:200]) from error


def _value_of_node(block: bytes) -> dict[str, Any]:
    node = decode_node(block)
    links = []
    for link in node.links:
        shown: dict[str, Any] = {"Hash": _foreign(link.cid)}
        if link.name is not None:
            shown["Name"] = link.name
        if link.tsize is not None:
            shown["Tsize"] = link.tsize
        links.append(shown)
    return {"Links": links} if node.data is None else {"Data": node.data, "Links": links}


def _node_of_value(value: Any) -> bytes:
    if not isinstance(value, dict) or not value.keys() <= {"Data", "Links"} or not isinstance(value.get("Links"), list):
        raise UsageError("a dag-pb node has a list of Links and perhaps Data")
    data = value.get("Data", b"")
    if not isinstance(data, bytes):
        raise UsageError("Data is not bytes")
    links = [_link_of_value(link) for link in value["Links"]]
    names = [(link.name or "").encode() for link in links]
    if names != sorted(names):
        raise UsageError("links that are not sorted by name")
    return encode_node(links, data if "Data" in value else None)


def _link_of_value(value: Any) -> PbLink:
    if not isinstance(value, dict) or not value.keys() <= {"Hash", "Name", "Tsize"}:
        raise UsageError("a link has a Hash, and perhaps a Name and a Tsize")
    cid, name, tsize = as_link(value.get("Hash")), value.get("Name", ""), value.get("Tsize", 0)
    if cid is None or not isinstance(name, str) or type(tsize) is not int or tsize < 0:
        raise UsageError("a link whose Hash is no link, or whose Name or Tsize is of another kind")
    return PbLink(cid, name if "Name" in value else None, tsize if "Tsize" in value else None)


def _decode_cbor(block: bytes) -> Any:
    scan_cbor(block, max_items=MAX_ITEMS, max_depth=MAX_DEPTH)
    import dag_cbor

    try:
        return dag_cbor.decode(block)
    except Exception as error:  # the library raises errors of its own and of what it is built on
        raise MalformedContentError(f"not DAG-CBOR: {error}"[:300]) from error


def _decode_json(block: bytes) -> Any:
    try:
        return json.loads(block.decode(), object_hook=_special, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise MalformedContentError(f"not DAG-JSON: {error}"[:300]) from error


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is no number")


def _special(found: dict[str, Any]) -> Any:
    """The link or the bytes that an object of the one key `/` stands for; any other object itself."""
    if found.keys() != {"/"}:
        return found
    inner = found["/"]
    if isinstance(inner, str):
        return _foreign(_linked(inner))
    if isinstance(inner, dict) and inner.keys() == {"bytes"} and isinstance(inner["bytes"], str):
        try:
            text = inner["bytes"]
            return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
        except binascii.Error as error:
            raise MalformedContentError(f"not DAG-JSON: bytes that are not base64 ({error})") from error
    raise MalformedContentError("not DAG-JSON: the key / is kept for links and bytes")


def _linked(text: str) -> CID:
    try:
        return CID.parse(text)
    except InvalidCidError as error:
        raise MalformedContentError(f"not DAG-JSON: {error.message}") from error


def _encode_json(value: Any) -> bytes:
    _refuse_reserved(value)
    text = json.dumps(
        value, separators=(",", ":"), sort_keys=True, ensure_ascii=False, allow_nan=False, default=_json_form
    )
    return text.encode()


def _refuse_reserved(value: Any) -> None:
    """Raise `UsageError` for an object that would be read as a link or as bytes."""
    waiting = [value]
    while waiting:
        inner = waiting.pop()
        if isinstance(inner, dict):
            if inner.keys() == {"/"}:
                raise UsageError("an object whose only key is /")
            waiting.extend(inner.values())
        elif isinstance(inner, list):
            waiting.extend(inner)


def _json_form(value: Any) -> Any:
    link = as_link(value)
    if link is not None:
        return {"/": str(link)}
    if isinstance(value, bytes):
        return {"/": {"bytes": base64.b64encode(value).decode().rstrip("=")}}
    raise TypeError(f"a {type(value).__name__} is no value")
