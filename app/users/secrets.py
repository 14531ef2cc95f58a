"""Everything that must not be guessable: password hashes, random tokens, derived codes, signed tokens."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from functools import lru_cache
from typing import Any

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import OctKey, OKPKey

from app.core.settings import Settings

_CODE_LETTERS = 16  # 16 base32 letters = 80 bits
ISSUER = "fieldloop"


@lru_cache(maxsize=4)
def _hasher(profile: str) -> PasswordHasher:
    if profile == "test":
        return PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    return PasswordHasher()


@lru_cache(maxsize=4)
def _dummy_hash(profile: str) -> str:
    return _hasher(profile).hash(secrets.token_urlsafe(16))


def hash_password(password: str, profile: str) -> str:
    """Return the argon2id hash. ``profile``: "standard", or "test" for a cheap one."""
    return _hasher(profile).hash(password)


def password_fits(password_hash: str | None, password: str, profile: str) -> bool:
    """Verify a password. Without a hash the same work is done and the answer is no, so that time tells nothing."""
    try:
        fits = _hasher(profile).verify(password_hash or _dummy_hash(profile), password)
    except (VerificationError, InvalidHashError):
        return False
    return fits and password_hash is not None


def random_token() -> str:
    """Return a fresh token of 256 random bits."""
    return secrets.token_urlsafe(32)


def token_hash(token: str) -> str:
    """Return the SHA-256 under which a random token or a code is stored."""
    return hashlib.sha256(token.encode()).hexdigest()


def derived_code(settings: Settings, purpose: str, subject_id: str) -> str:
    """Return a code of 80 bits that only this server can make for this subject, and can make again.

    Source: product decision on coupons; base32 of HMAC-SHA-256 (RFC 2104, RFC 4648), cut.
    """
    digest = hmac.new(settings.secret_key.encode(), f"{purpose}:{subject_id}".encode(), hashlib.sha256).digest()
    return base64.b32encode(digest).decode()[:_CODE_LETTERS]


def make_access_token(settings: Settings, *, user_id: str, session_id: str, issued_s: float) -> str:
    """Sign an access token (JWT, HS256): ``sub``, ``sid``, ``iat`` (with fraction), ``exp``."""
    claims = {
        "iss": ISSUER,
        "aud": "fieldloop-api",
        "sub": user_id,
        "sid": session_id,
        "iat": issued_s,
        "exp": int(issued_s) + settings.access_token_s,
        "jti": secrets.token_urlsafe(12),
    }
    return jwt.encode({"alg": "HS256", "typ": "at+jwt", "kid": "1"}, claims, _signing_key(settings))


def read_access_token(settings: Settings, token: str, now_s: float) -> dict[str, Any] | None:
    """Return the claims of a valid access token, else None. Only HS256, our issuer, audience and type pass."""
    if len(token) > 4096:
        return None
    try:
        found = jwt.decode(token, _signing_key(settings), algorithms=["HS256"])
    except (JoseError, ValueError, TypeError, KeyError):
        return None
    claims = found.claims
    proper = (
        found.header.get("typ") == "at+jwt"
        and found.header.get("kid") == "1"
        and claims.get("iss") == ISSUER
        and claims.get("aud") == "fieldloop-api"
        and isinstance(claims.get("sub"), str)
        and isinstance(claims.get("sid"), str)
        and isinstance(claims.get("iat"), int | float)
        and isinstance(claims.get("exp"), int)
        and claims["iat"] <= now_s + 60
        and now_s < claims["exp"]
    )
    return dict(claims) if proper else None


@lru_cache(maxsize=4)
def _signing_key_of(secret_key: str) -> OctKey:
    return OctKey.import_key(hashlib.sha256(b"access-token:" + secret_key.encode()).digest())


def _signing_key(settings: Settings) -> OctKey:
    return _signing_key_of(settings.secret_key)


@lru_cache(maxsize=4)
def vapid_public_key(private_key: str) -> str:
    """Return the public half of a VAPID key as a browser takes it: an uncompressed point in base64url (RFC 8292)."""
    number = int.from_bytes(base64.urlsafe_b64decode(private_key + "=" * (-len(private_key) % 4)), "big")
    public = ec.derive_private_key(number, ec.SECP256R1()).public_key()
    return _base64url(public.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint))


def is_p256_point(raw: bytes) -> bool:
    """Tell whether bytes are an uncompressed point on P-256, as browsers send their public keys (RFC 8291, section 3.1)."""
    try:
        ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), raw)
    except ValueError:
        return False
    return len(raw) == 65


def _base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


@lru_cache(maxsize=4)
def _coupon_key_of(secret_key: str) -> OKPKey:
    seed = hashlib.sha256(b"coupon-signing:" + secret_key.encode()).digest()
    public = Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()
    return OKPKey.import_key({"kty": "OKP", "crv": "Ed25519", "d": _base64url(seed), "x": _base64url(public)})


def sign_coupon(settings: Settings, payload: bytes) -> str:
    """Sign what a station's phone checks offline: a JWS (EdDSA, Ed25519) over ``payload``."""
    return jws.serialize_compact(
        {"alg": "Ed25519", "typ": "coupon"}, payload, _coupon_key_of(settings.secret_key), algorithms=["Ed25519"]
    )


def coupon_public_key(settings: Settings) -> dict[str, Any]:
    """Return the public JWK that verifies coupon tokens."""
    return dict(_coupon_key_of(settings.secret_key).as_dict(private=False))
