"""Which name spaces of DHT values this node knows, and how its own records in them are renewed."""

from __future__ import annotations

from dataclasses import dataclass

from chiral.dag import metadata_validator
from chiral.dag.metadata_validator import MetadataValidator
from chiral.errors import UsageError
from chiral.host.signing import verify_signature
from chiral.interface.public_key import Signer
from chiral.kad import public_key_record
from chiral.kad.public_key_record import PublicKeyValidator
from chiral.kad.validation import Validator, Validators
from chiral.routing.settings import KadSettings
from chiral.routing.value_republishing import Renewers


@dataclass(frozen=True, slots=True)
class ValueRules:
    """Values of every other name space are refused."""

    validators: Validators
    renewers: Renewers


def value_rules(settings: KadSettings, signer: Signer, *, announces: bool) -> ValueRules:
    """Public keys always, files' metadata unless it is off.

    A node that announces nothing keeps the metadata of others, and gives up its own from a time when it did.
    """
    validators: dict[str, Validator] = {public_key_record.NAMESPACE: PublicKeyValidator()}
    if settings.metadata == "off":
        return ValueRules(validators, {})
    validators[metadata_validator.NAMESPACE] = MetadataValidator(verify_signature)

    def renew(value: bytes, now: float) -> bytes:
        if not announces:
            raise UsageError("this node announces nothing")
        return metadata_validator.renew(value, signer, now)

    return ValueRules(validators, {metadata_validator.NAMESPACE: renew})
