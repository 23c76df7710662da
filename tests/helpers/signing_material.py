"""Certificates and keys made for the tests: valid for signing, in no list of trust."""

import datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_DAY = datetime.timedelta(days=1)
_UNUSED = {
    "content_commitment": False,
    "key_encipherment": False,
    "data_encipherment": False,
    "key_agreement": False,
    "encipher_only": False,
    "decipher_only": False,
}
KEYS = {
    "P-256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "P-384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "P-224": lambda: ec.generate_private_key(ec.SECP224R1()),
    "RSA": lambda: rsa.generate_private_key(65537, 2048),
    "Ed25519": ed25519.Ed25519PrivateKey.generate,
}


def write_material(folder: Path, kind: str = "P-256", *, until_days: int = 30) -> tuple[Path, Path]:
    """Write chain.pem (the signer's certificate, then the root's) and key.pem to a folder."""
    root, key = KEYS["P-256"](), KEYS[kind]()
    top = _begun("root", root.public_key(), 3650, certifies=True).sign(root, hashes.SHA256())
    leaf = (
        _begun("signer", key.public_key(), until_days, certifies=False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(root.public_key()), False)
        .sign(root, hashes.SHA256())
    )
    chain, secret = folder / "chain.pem", folder / "key.pem"
    pem = serialization.Encoding.PEM
    chain.write_bytes(leaf.public_bytes(pem) + top.public_bytes(pem))
    form, locked = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    secret.write_bytes(key.private_bytes(pem, form, locked))
    return chain, secret


def _begun(name: str, key, days: int, *, certifies: bool) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    signs = {"digital_signature": not certifies, "key_cert_sign": certifies, "crl_sign": certifies}
    return (
        x509.CertificateBuilder()
        .subject_name(_named(name))
        .issuer_name(_named("root"))
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - 60 * _DAY)
        .not_valid_after(now + days * _DAY)
        .add_extension(x509.BasicConstraints(certifies, None), True)
        .add_extension(x509.KeyUsage(**_UNUSED, **signs), True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), False)
    )


def _named(name: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "homing tests"),
            x509.NameAttribute(NameOID.COMMON_NAME, name),
        ]
    )
