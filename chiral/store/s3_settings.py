"""What of an S3-compatible object store can be configured: where it is, who asks, and how patiently."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_PREFIX = re.compile(r"([A-Za-z0-9_-][A-Za-z0-9._-]*/)*")
_MAX_PREFIX_CHARS = 256
"""An object's key may have 1,024 characters, and the longest multihash takes 320."""


class S3Settings(BaseModel):
    """Frozen; unknown keys are refused, sizes are bytes, waits seconds. The secret key shows in no dump and no repr."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    endpoint: str = Field("", description="URL of the store, as http://127.0.0.1:3900; empty: Amazon's in the region")
    bucket: str = Field("", description="the bucket, which must exist")
    prefix: str = Field("chiral/", description="what every key begins with; a prefix belongs to one node")
    region: str = Field("us-east-1", min_length=1, description="the region requests are signed for; Garage's is garage")
    access_key: str = Field("", description="id of the access key; empty: AWS_ACCESS_KEY_ID or Amazon's own files")
    secret_key: SecretStr = Field(SecretStr(""), description="its secret; better in a file or the environment")
    secret_key_file: Path | None = Field(None, description="a file that holds the secret and nothing else")
    max_in_flight: int = Field(16, ge=1, le=256, description="requests under way at once, each in a thread")
    timeout_s: float = Field(10.0, gt=0, le=600, description="longest wait for a connection or for more of an answer")
    attempts: int = Field(4, ge=1, le=20, description="how often a request is tried; waits between grow up to 20 s")
    verify_on_read: bool = Field(True, description="hold every block read against its CID")
    take_over: bool = Field(False, description="open a prefix that another data directory wrote, once that is gone")

    @field_validator("endpoint")
    @classmethod
    def _is_an_origin(cls, value: str) -> str:
        if not value:
            return value
        try:
            parts = urlsplit(value)
            fits = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        except ValueError:
            fits = False
        # The value is not shown: what stands before an @ may be a password.
        if not fits or parts.path not in ("", "/") or parts.query or parts.fragment or "@" in parts.netloc:
            raise ValueError("not a URL of scheme, host and port alone, for example http://127.0.0.1:3900")
        return value.rstrip("/")

    @field_validator("bucket")
    @classmethod
    def _is_a_bucket(cls, value: str) -> str:
        if value and not _BUCKET.fullmatch(value):
            raise ValueError(f"{value!r} is not a bucket's name: 3 to 63 of a-z, 0-9, dots and hyphens")
        return value

    @field_validator("prefix")
    @classmethod
    def _ends_with_a_slash(cls, value: str) -> str:
        whole = value if not value or value.endswith("/") else value + "/"
        if len(whole) > _MAX_PREFIX_CHARS or not _PREFIX.fullmatch(whole):
            raise ValueError(f"{value[:80]!r} is not a prefix: names of letters, digits and ._- with slashes between")
        return whole

    @model_validator(mode="after")
    def _names_one_secret(self) -> Self:
        if self.secret_key.get_secret_value() and self.secret_key_file is not None:
            raise ValueError("secret_key and secret_key_file are both given: one is enough")
        given = bool(self.secret_key.get_secret_value()) or self.secret_key_file is not None
        if given != bool(self.access_key):
            raise ValueError("access_key and its secret (secret_key or secret_key_file) go together")
        return self
