from __future__ import annotations

import io
import logging
import pickle
import traceback
from collections.abc import Iterator
from typing import Any

import pytest
from botocore import exceptions
from botocore.parsers import ResponseParserError
from botocore.response import StreamingBody
from botocore.stub import Stubber
from pydantic import SecretStr

from chiral.errors import FileAccessError, LocalError, RemoteError, StoreError, StoreFullError
from chiral.store.s3_bucket import MAX_OBJECT_BYTES, S3Bucket, read_secret
from chiral.store.s3_faults import s3_fault
from chiral.store.s3_objects import Found
from chiral.store.s3_settings import S3Settings

ETAG = '"5d41402abc4b2a76b9719d911017c592"'
SECRET = "the-secret-that-nobody-may-see"
SETTINGS = S3Settings(
    endpoint="http://127.0.0.1:9", bucket="blocks", access_key="KEY", secret_key=SecretStr(SECRET), attempts=1
)


@pytest.fixture(scope="module")
def bucket() -> S3Bucket:
    return S3Bucket(SETTINGS)


@pytest.fixture
def stub(bucket: S3Bucket) -> Iterator[Stubber]:
    with Stubber(bucket._client) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


@pytest.mark.parametrize(
    ("status", "code", "message", "said", "hint"),
    [
        (403, "InvalidAccessKeyId", "", "refuses the credentials", "store.s3.access_key"),
        (403, "SignatureDoesNotMatch", "", "refuses the credentials", "its secret"),
        (403, "AccessDenied", "", "refuses the credentials", "may do with the bucket"),
        (403, "", "", "refuses the credentials", "store.s3.access_key"),
        (404, "NoSuchBucket", "", "has no bucket blocks", "store.s3.bucket"),
        (400, "AuthorizationHeaderMalformed", "", "region us-east-1", "store.s3.region"),
        (301, "PermanentRedirect", "", "region us-east-1", "store.s3.region"),
        (403, "RequestTimeTooSkewed", "", "another time", "clock"),
        (500, "InternalError", "", "answers 500 InternalError", "its log"),
        (503, "SlowDown", "", "answers 503 SlowDown", "nothing acknowledged is lost"),
        (502, "", "", "answers 502", "its log"),
    ],
)
def test_a_refusal_is_told_with_what_to_do(
    bucket: S3Bucket, stub: Stubber, status: int, code: str, message: str, said: str, hint: str
) -> None:
    stub.add_client_error("put_object", code, message, status)
    with pytest.raises(StoreError, match=said) as caught:
        bucket.put("key", b"data")
    assert hint in caught.value.hint
    assert "http://127.0.0.1:9" in caught.value.message
    assert isinstance(caught.value, LocalError)
    assert not isinstance(caught.value, (RemoteError, StoreFullError))


@pytest.mark.parametrize(
    ("status", "code", "message"),
    [
        (507, "", ""),
        (403, "QuotaExceeded", ""),
        (400, "XMinioStorageFull", ""),
        (403, "AccessDenied", "Bucket size quota is reached, maximum total size of objects for this bucket: 1000"),
    ],
)
def test_a_full_store_is_full(bucket: S3Bucket, stub: Stubber, status: int, code: str, message: str) -> None:
    stub.add_client_error("put_object", code, message, status)
    with pytest.raises(StoreFullError, match="no room") as caught:
        bucket.put("key", b"data")
    assert "quota" in caught.value.hint


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (exceptions.EndpointConnectionError(endpoint_url="http://127.0.0.1:9"), "cannot be reached"),
        (exceptions.ConnectionClosedError(endpoint_url="http://127.0.0.1:9"), "cannot be reached"),
        (exceptions.ConnectTimeoutError(endpoint_url="http://127.0.0.1:9"), "within 10 s"),
        (exceptions.ReadTimeoutError(endpoint_url="http://127.0.0.1:9"), "within 10 s"),
        (exceptions.SSLError(endpoint_url="x", error="self-signed"), "certificate"),
        (exceptions.NoCredentialsError(), "no credentials"),
        (exceptions.IncompleteReadError(actual_bytes=1, expected_bytes=2), "broke off"),
        (ResponseParserError("<html>"), "not S3's"),
        (KeyError("Key"), "not S3's"),
    ],
)
def test_silences_and_nonsense_are_local_faults_too(error: Exception, said: str) -> None:
    fault = s3_fault(error, SETTINGS)
    assert said in fault.message
    assert fault.hint
    assert type(fault) is StoreError


@pytest.mark.parametrize("code", ["NoSuchKey", "404", "NotFound"])
def test_no_such_object_is_none(bucket: S3Bucket, stub: Stubber, code: str) -> None:
    stub.add_client_error("get_object", code, "", 404)
    assert bucket.get("key") is None
    stub.add_client_error("head_object", code, "", 404)
    assert bucket.head("key") is None


def test_a_missing_bucket_is_not_a_missing_object(bucket: S3Bucket, stub: Stubber) -> None:
    stub.add_client_error("get_object", "NoSuchBucket", "", 404)
    with pytest.raises(StoreError, match="no bucket"):
        bucket.get("key")


def body(data: bytes, length: int) -> dict[str, Any]:
    return {"Body": StreamingBody(io.BytesIO(data), length), "ContentLength": length, "ETag": ETAG}


def test_an_answer_cut_short_is_asked_for_again(bucket: S3Bucket, stub: Stubber) -> None:
    stub.add_response("get_object", body(b"who", 5))
    stub.add_response("get_object", body(b"whole", 5))
    assert bucket.get("key") == b"whole"
    stub.add_response("get_object", body(b"who", 5))
    stub.add_response("get_object", body(b"who", 5))
    with pytest.raises(StoreError, match="broke off"):
        bucket.get("key")


def test_no_endless_answer_is_read(bucket: S3Bucket, stub: Stubber) -> None:
    stub.add_response("get_object", body(b"", MAX_OBJECT_BYTES + 1))
    with pytest.raises(StoreError, match=str(MAX_OBJECT_BYTES + 1)):
        bucket.get("key")


def test_heads_tell_size_and_codec(bucket: S3Bucket, stub: Stubber) -> None:
    stub.add_response("head_object", {"ContentLength": 5, "ETag": ETAG, "Metadata": {"codec": "70"}})
    assert bucket.head("key") == Found(5, 0x70)
    stub.add_response("head_object", {"ContentLength": 5, "ETag": ETAG})
    assert bucket.head("key") == Found(5, None)
    stub.add_response("head_object", {"ContentLength": 5, "ETag": ETAG, "Metadata": {"codec": "words"}})
    with pytest.raises(StoreError, match="not S3's"):
        bucket.head("key")


def test_a_write_on_a_condition_finds_another(bucket: S3Bucket, stub: Stubber) -> None:
    stub.add_client_error("put_object", "PreconditionFailed", "", 412)
    assert bucket.put_new("key", b"mine") is False


@pytest.mark.parametrize("own", [True, False])
def test_a_put_whose_answer_was_lost_knows_itself_again(
    bucket: S3Bucket, stub: Stubber, monkeypatch: pytest.MonkeyPatch, own: bool
) -> None:
    monkeypatch.setattr("chiral.store.s3_bucket.secrets.token_hex", lambda count: "mine")
    retried = {"RetryAttempts": 1}
    stub.add_client_error("put_object", "PreconditionFailed", "", 412, response_meta=retried)
    stub.add_response(
        "head_object", {"ContentLength": 4, "ETag": ETAG, "Metadata": {"put": "mine" if own else "other"}}
    )
    assert bucket.put_new("key", b"data") is own


@pytest.mark.parametrize(("code", "status"), [("NotImplemented", 501), ("ConditionalRequestConflict", 409)])
def test_what_cannot_be_written_on_a_condition_is_looked_for(
    bucket: S3Bucket, stub: Stubber, code: str, status: int
) -> None:
    stub.add_client_error("put_object", code, "", status)
    stub.add_client_error("head_object", "404", "", 404)
    stub.add_response("put_object", {"ETag": ETAG})
    assert bucket.put_new("key", b"mine") is True
    stub.add_client_error("put_object", code, "", status)
    stub.add_response("head_object", {"ContentLength": 4, "ETag": ETAG})
    assert bucket.put_new("key", b"mine") is False


def test_a_page_in_place_of_an_answer_acknowledges_nothing(bucket: S3Bucket, stub: Stubber) -> None:
    for operation, request in {
        "put_object": lambda: bucket.put("key", b"data"),
        "head_object": lambda: bucket.head("key"),
        "get_object": lambda: bucket.get("key"),
        "list_objects_v2": lambda: bucket.list("", "", 10),
    }.items():
        stub.add_response(operation, {})
        with pytest.raises(StoreError, match="not S3's"):
            request()


def test_a_deletion_that_failed_for_one_key_failed(bucket: S3Bucket, stub: Stubber) -> None:
    stub.add_response("delete_objects", {"Errors": [{"Key": "a", "Code": "NoSuchKey"}]})
    bucket.delete(["a"])
    stub.add_response("delete_objects", {"Errors": [{"Key": "a", "Code": "InternalError", "Message": "no"}]})
    with pytest.raises(StoreError, match="InternalError"):
        bucket.delete(["a"])


def test_a_listing_out_of_order_is_refused(bucket: S3Bucket, stub: Stubber) -> None:
    contents = [{"Key": "b", "Size": 1}, {"Key": "a", "Size": 1}]
    stub.add_response("list_objects_v2", {"IsTruncated": False, "Contents": contents})
    with pytest.raises(StoreError, match="order of keys"):
        bucket.list("", "", 1000)


def test_a_port_where_nobody_listens() -> None:
    bucket = S3Bucket(SETTINGS.model_copy(update={"endpoint": "http://127.0.0.1:1"}))
    with pytest.raises(StoreError, match="cannot be reached") as caught:
        bucket.head("key")
    assert SECRET not in "".join(traceback.format_exception(caught.value))


def test_the_secret_shows_nowhere(
    bucket: S3Bucket, stub: Stubber, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    stub.add_client_error("put_object", "SignatureDoesNotMatch", f"you signed with {SECRET}", 403)
    with pytest.raises(StoreError) as caught:
        bucket.put("key", b"data")
    shown = [str(caught.value), repr(caught.value), repr(bucket), repr(SETTINGS), str(SETTINGS.model_dump())]
    shown += [SETTINGS.model_dump_json(), caplog.text, *capsys.readouterr()]
    assert not [text for text in shown if SECRET in text]


def test_the_secret_is_read_from_its_file(tmp_path: Any) -> None:
    file = tmp_path / "secret"
    settings = S3Settings(bucket="blocks", access_key="KEY", secret_key_file=file)
    with pytest.raises(FileAccessError, match="No such file"):
        read_secret(settings)
    file.write_text(SECRET + "\n")
    assert read_secret(settings) == SECRET
    assert SECRET.encode() not in pickle.dumps(settings)
