"""What the tests against a real S3 server share: the server, a bucket in it, and the settings of a store over it."""

from __future__ import annotations

from typing import Any

import botocore.session
from botocore.config import Config

from chiral.store.s3_settings import S3Settings
from interop.versitygw import REGION, Server

BUCKET = "chiral-blocks"


def client_of(server: Server, max_pool_connections: int = 16) -> Any:
    """A plain client, for what a store never does itself and to compare with."""
    return botocore.session.Session().create_client(
        "s3",
        region_name=REGION,
        endpoint_url=server.endpoint,
        aws_access_key_id=server.access_key,
        aws_secret_access_key=server.secret_key,
        config=Config(s3={"addressing_style": "path"}, proxies={}, max_pool_connections=max_pool_connections),
    )


def make_bucket(server: Server) -> None:
    """Make the bucket that the settings name."""
    client = client_of(server)
    client.create_bucket(Bucket=BUCKET)
    client.close()


def settings_for(server: Server, **others: Any) -> S3Settings:
    """The settings of a store in the server's bucket."""
    given: dict[str, Any] = {
        "endpoint": server.endpoint,
        "bucket": BUCKET,
        "region": REGION,
        "access_key": server.access_key,
        "secret_key": server.secret_key,
        "timeout_s": 5.0,
        "attempts": 2,
    }
    return S3Settings(**given | others)
