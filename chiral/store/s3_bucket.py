"""The one door to botocore: the few requests to one bucket that a blockstore is made of. Blocks its thread.

The client is safe to use from many threads; each request is tried again by botocore, with growing waits, where the
store is out of reach, busy or failing. Everything that goes wrong comes out as a `StoreError`.
"""

from __future__ import annotations

import ipaddress
import secrets
from collections.abc import Callable, Sequence
from contextlib import closing
from functools import partial
from itertools import pairwise
from typing import Any, TypeVar
from urllib.parse import urlsplit

import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.handlers import add_expect_header
from botocore.parsers import ResponseParserError
from urllib3.exceptions import HTTPError

from chiral.errors import FileAccessError, StoreError
from chiral.store.s3_faults import is_absent, is_present, needs_no_condition, s3_fault, was_tried_again
from chiral.store.s3_objects import MAX_KEYS, Found, Listing
from chiral.store.s3_settings import S3Settings

T = TypeVar("T")
_CODEC = "codec"
_SIGN = "put"
_SIGN_BYTES = 8
_TYPE = "application/octet-stream"
_ANY = "*"
_ETAG = "ETag"
MAX_OBJECT_BYTES = 64 << 20
"""Far over any block: what answers with more is not asked to send it."""
_BODY_TRIES = 2
"""Botocore does not ask again for what broke off while it was read, because the bytes had been handed out by then."""
_FAULTS = (BotoCoreError, ClientError, ResponseParserError, HTTPError, OSError, ValueError, KeyError)


class S3Bucket:
    """The `Bucket` that the settings name. Making one loads botocore's description of S3: 0.3 s, and asks nobody."""

    def __init__(self, settings: S3Settings) -> None:
        self._settings = settings
        try:
            self._client = _make_client(settings)
        except _FAULTS as error:
            raise s3_fault(error, settings) from error

    def __repr__(self) -> str:
        return f"S3Bucket({self._settings.endpoint!r}, {self._settings.bucket!r})"

    def get(self, key: str) -> bytes | None:
        fault: Exception | None = None
        for _ in range(_BODY_TRIES):
            answer = self._ask_unless(is_absent, partial(self._client.get_object, **self._at(key)))
            if answer is None:
                return None
            self._require_small(self._require(_ETAG, answer))
            try:
                with closing(answer["Body"]) as body:  # its own context manager gives the stream below, unmeasured
                    data: bytes = body.read()
                return data
            except _FAULTS as error:
                fault = error
        assert fault is not None
        raise s3_fault(fault, self._settings) from fault

    def head(self, key: str) -> Found | None:
        answer = self._ask_unless(is_absent, partial(self._client.head_object, **self._at(key)))
        if answer is None:
            return None
        codec = self._require(_ETAG, answer).get("Metadata", {}).get(_CODEC, "")
        try:
            return Found(int(answer["ContentLength"]), int(codec, 16) if codec else None)
        except (KeyError, ValueError) as error:
            raise s3_fault(error, self._settings) from error

    def put(self, key: str, data: bytes, codec: int | None = None) -> None:
        metadata = {} if codec is None else {_CODEC: f"{codec:x}"}
        put = partial(self._client.put_object, **self._at(key), Body=data, ContentType=_TYPE, Metadata=metadata)
        self._require(_ETAG, self._ask(put))

    def put_new(self, key: str, data: bytes) -> bool:
        # A second try may meet what the first one left whose answer was lost: each put is known by a sign of its own.
        sign = secrets.token_hex(_SIGN_BYTES)
        given = {"Body": data, "ContentType": _TYPE, "Metadata": {_SIGN: sign}, "IfNoneMatch": _ANY}
        try:
            self._require(_ETAG, self._client.put_object(**self._at(key), **given))
        except _FAULTS as error:
            if isinstance(error, ClientError) and is_present(error):
                return was_tried_again(error) and self._metadata(key).get(_SIGN) == sign
            if not (isinstance(error, ClientError) and needs_no_condition(error)):
                raise s3_fault(error, self._settings) from error
            if self.head(key) is not None:
                return False
            self.put(key, data)
        return True

    def delete(self, keys: Sequence[str]) -> None:
        doomed = {"Objects": [{"Key": key} for key in keys], "Quiet": True}
        answer = self._ask(partial(self._client.delete_objects, Bucket=self._settings.bucket, Delete=doomed))
        for fault in answer.get("Errors", ()):
            error = ClientError({"Error": dict(fault)}, "DeleteObjects")  # type: ignore[no-untyped-call]
            if not is_absent(error):
                raise s3_fault(error, self._settings)

    def list(self, prefix: str, after: str, limit: int) -> Listing:
        answer = self._ask(
            partial(
                self._client.list_objects_v2,
                Bucket=self._settings.bucket,
                Prefix=prefix,
                StartAfter=after,
                MaxKeys=min(limit, MAX_KEYS),
            )
        )
        self._require("IsTruncated", answer)
        try:
            entries = [(str(entry["Key"]), int(entry["Size"])) for entry in answer.get("Contents", ())]
        except (KeyError, ValueError) as error:
            raise s3_fault(error, self._settings) from error
        if any(first[0] >= second[0] for first, second in pairwise(entries)):
            raise StoreError(
                f"the object store at {self._settings.endpoint} does not list in the order of keys",
                hint="Chiral needs that order, which S3 promises; some stores of directories keep another",
            )
        return Listing(entries, bool(answer["IsTruncated"]) and bool(entries))

    def close(self) -> None:
        self._client.close()

    def _metadata(self, key: str) -> dict[str, str]:
        answer = self._ask_unless(is_absent, partial(self._client.head_object, **self._at(key)))
        metadata: dict[str, str] = {} if answer is None else answer.get("Metadata", {})
        return metadata

    def _at(self, key: str) -> dict[str, str]:
        return {"Bucket": self._settings.bucket, "Key": key}

    def _require(self, name: str, answer: dict[str, Any]) -> dict[str, Any]:
        """The answer, if it says what S3 always says: a page that somebody on the way puts in its place does not."""
        if name in answer:
            return answer
        raise StoreError(
            f"the object store at {self._settings.endpoint} gave an answer that is not S3's (without {name})",
            hint="see that store.s3.endpoint is its address and that nobody on the way answers in its place",
        )

    def _require_small(self, answer: dict[str, Any]) -> None:
        size = answer.get("ContentLength")
        if not isinstance(size, int) or size > MAX_OBJECT_BYTES:
            answer["Body"].close()
            raise StoreError(
                f"the object store at {self._settings.endpoint} answers with {size} bytes for a block",
                hint=f"no block is over {MAX_OBJECT_BYTES} bytes: something else wrote there",
            )

    def _ask(self, request: Callable[[], T]) -> T:
        try:
            return request()
        except _FAULTS as error:
            raise s3_fault(error, self._settings) from error

    def _ask_unless(self, passes: Callable[[ClientError], bool], request: Callable[[], T]) -> T | None:
        """What the request answers, or None for a refusal that `passes`."""
        try:
            return request()
        except _FAULTS as error:
            if isinstance(error, ClientError) and passes(error):
                return None
            raise s3_fault(error, self._settings) from error


def _make_client(settings: S3Settings) -> Any:
    session = botocore.session.Session()  # type: ignore[no-untyped-call]
    secret = read_secret(settings)
    client = session.create_client(
        "s3",
        region_name=settings.region,
        endpoint_url=settings.endpoint or None,
        aws_access_key_id=settings.access_key or None,
        aws_secret_access_key=secret or None,
        config=Config(  # type: ignore[no-untyped-call]
            connect_timeout=settings.timeout_s,
            read_timeout=settings.timeout_s,
            max_pool_connections=settings.max_in_flight,
            retries={"mode": "standard", "total_max_attempts": settings.attempts},
            signature_version="s3v4",
            s3={"addressing_style": "path" if settings.endpoint else "auto"},
            # Other stores than Amazon's refuse the newer checksum headers; on plain HTTP the body's SHA-256 is signed.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            parameter_validation=False,
            proxies={} if _is_loopback(settings.endpoint) else None,
        ),
    )
    # Asking whether the body may be sent costs a round trip for each block, and a second where nobody answers that.
    client.meta.events.unregister("before-call.s3", add_expect_header)
    return client


def read_secret(settings: S3Settings) -> str:
    """The secret key given, or read from its file; empty if neither is. Raises `FileAccessError`."""
    if settings.secret_key_file is None:
        return settings.secret_key.get_secret_value()
    try:
        return settings.secret_key_file.expanduser().read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not text"
        raise FileAccessError(
            f"cannot read the secret key in {settings.secret_key_file}: {why}", hint="see store.s3.secret_key_file"
        ) from None


def _is_loopback(endpoint: str) -> bool:
    host = urlsplit(endpoint).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
