"""What the object store's refusals and silences mean to whoever uses the store: always a local fault, never a peer's.

Nothing of a request is repeated in a message: what a server says back may hold a signature or a key's id.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from botocore import exceptions

from chiral.errors import StoreError, StoreFullError
from chiral.store.s3_settings import S3Settings

_AMAZON = "Amazon S3"
_REFUSED = frozenset(
    {
        "InvalidAccessKeyId",
        "SignatureDoesNotMatch",
        "AccessDenied",
        "ExpiredToken",
        "InvalidToken",
        "AllAccessDisabled",
        "XAdminUserNotFound",
        "401",
        "403",
    }
)
_OTHER_REGION = frozenset({"AuthorizationHeaderMalformed", "PermanentRedirect", "IllegalLocationConstraintException"})
_FULL = frozenset(
    {
        "QuotaExceeded",
        "InsufficientStorage",
        "EntityTooLargeForQuota",
        "XMinioStorageFull",
        "XMinioAdminBucketQuotaExceeded",
        "507",
    }
)
_UNREACHABLE = (exceptions.HTTPClientError, exceptions.ConnectionError, exceptions.EndpointConnectionError)
_CUT_SHORT = (exceptions.IncompleteReadError, exceptions.ResponseStreamingError)
_NO_CREDENTIALS = (
    exceptions.NoCredentialsError,
    exceptions.PartialCredentialsError,
    exceptions.CredentialRetrievalError,
    exceptions.ProfileNotFound,
)
_WHERE = "see that the object store runs and that store.s3.endpoint is its address"
_CREDENTIALS = "see store.s3.access_key, its secret, and what the key may do with the bucket"
_ROOM = "free some space or raise its quota, or remove files"


def is_absent(error: exceptions.ClientError) -> bool:
    """Whether the answer is that there is no such object. HEAD says the same where there is no such bucket."""
    return code_of(error) in ("NoSuchKey", "NotFound", "404")


def code_of(error: exceptions.ClientError) -> str:
    """S3's name of the refusal, or the HTTP status where the answer had no body."""
    return str(_told(error).get("Code") or _status(error) or "unknown")


def is_present(error: exceptions.ClientError) -> bool:
    """Whether a write on the condition that there is no such object found one."""
    return code_of(error) in ("PreconditionFailed", "412")


def was_tried_again(error: exceptions.ClientError) -> bool:
    """Whether the answer is that to a second try or a later one."""
    return int(error.response.get("ResponseMetadata", {}).get("RetryAttempts", 0)) > 0


def needs_no_condition(error: exceptions.ClientError) -> bool:
    """Whether the store cannot write on this condition, or not while another write to the object is under way."""
    return code_of(error) in ("NotImplemented", "501", "ConditionalRequestConflict", "409")


def s3_fault(error: Exception, settings: S3Settings) -> StoreError:
    """The `StoreError` that says what botocore's `error` means."""
    where = f"the object store at {settings.endpoint or _AMAZON}"
    if isinstance(error, exceptions.ClientError):
        return _refusal(error, where, settings)
    if isinstance(error, _NO_CREDENTIALS):
        return StoreError(f"there are no credentials for {where}", hint="set store.s3.access_key and its secret")
    if isinstance(error, exceptions.SSLError):
        return StoreError(f"{where} has no certificate to be trusted", hint="see the endpoint and its certificate")
    if isinstance(error, (exceptions.ReadTimeoutError, exceptions.ConnectTimeoutError)):
        return StoreError(f"{where} did not answer within {settings.timeout_s:g} s", hint=_WHERE)
    if isinstance(error, _CUT_SHORT):
        return StoreError(f"{where} broke off in the middle of an answer", hint=_WHERE)
    if isinstance(error, _UNREACHABLE):
        return StoreError(f"{where} cannot be reached", hint=_WHERE)
    return StoreError(f"{where} gave an answer that is not S3's ({type(error).__name__})", hint=_WHERE)


def _refusal(error: exceptions.ClientError, where: str, settings: S3Settings) -> StoreError:
    code = code_of(error)
    # Garage tells of a quota as of any other refusal, and only the words differ.
    if code in _FULL or "quota" in str(_told(error).get("Message", "")).lower():
        return StoreFullError(f"{where} has no room for more ({code})", hint=_ROOM)
    if code == "NoSuchBucket":
        return StoreError(f"{where} has no bucket {settings.bucket}", hint="make it there, or correct store.s3.bucket")
    if code in _OTHER_REGION:
        return StoreError(
            f"{where} does not take requests signed for region {settings.region} ({code})",
            hint="set store.s3.region to the bucket's",
        )
    if code == "RequestTimeTooSkewed":
        return StoreError(f"{where} has another time than this machine", hint="set the clock")
    if code in _REFUSED:
        return StoreError(f"{where} refuses the credentials for bucket {settings.bucket} ({code})", hint=_CREDENTIALS)
    status = _status(error)
    answered = code if code == str(status) else f"{status} {code}"
    return StoreError(f"{where} answers {answered}", hint="its log may say why; nothing acknowledged is lost")


def _told(error: exceptions.ClientError) -> Mapping[str, Any]:
    told: Mapping[str, Any] = error.response.get("Error", {})
    return told


def _status(error: exceptions.ClientError) -> int:
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
