"""The cryptography of Web Push: a text sealed for one browser, and a signed word of who sends it.

RFC 8291 (message encryption), RFC 8188 (aes128gcm) and RFC 8292 (VAPID).
"""

import base64
import os
import time

import orjson
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

RECORD = 4_096
# A record holds the text, one byte that ends it, and a tag of 16; push services take no second one.
TEXT_LIMIT = RECORD - 86 - 1 - 16
TOKEN_SECONDS = 12 * 3_600


def plain(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def raw(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def point(key: ec.EllipticCurvePrivateKey) -> bytes:
    """The public half of a key as 65 bytes."""
    return key.public_key().public_bytes(
        serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
    )


def _derive(length: int, salt: bytes, material: bytes, info: bytes) -> bytes:
    return HKDF(algorithm=hashes.SHA256(), length=length, salt=salt, info=info).derive(material)


def seal(*, text: bytes, p256dh: str, auth: str) -> bytes:
    """The body that only this browser can read. ValueError when the text is too long."""
    if len(text) > TEXT_LIMIT:
        raise ValueError(f"the notification is larger than {TEXT_LIMIT} bytes")
    theirs = raw(p256dh)
    browser = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), theirs)
    once = ec.generate_private_key(ec.SECP256R1())
    ours = point(once)
    shared = once.exchange(ec.ECDH(), browser)
    material = _derive(32, raw(auth), shared, b"WebPush: info\0" + theirs + ours)
    salt = os.urandom(16)
    key = _derive(16, salt, material, b"Content-Encoding: aes128gcm\0")
    nonce = _derive(12, salt, material, b"Content-Encoding: nonce\0")
    sealed = AESGCM(key).encrypt(nonce, text + b"\x02", None)
    return salt + RECORD.to_bytes(4, "big") + bytes([len(ours)]) + ours + sealed


class Vapid:
    """Signs who sends, for one push service at a time; a word is good for half a day."""

    def __init__(self, *, private: str, contact: str) -> None:
        key = serialization.load_pem_private_key(private.encode(), password=None)
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise ValueError("not a key of this curve")
        self._key, self._contact = key, contact
        self._public = plain(point(key))
        self._known: dict[str, tuple[float, str]] = {}

    def header(self, origin: str) -> str:
        """The Authorization header for a push service."""
        until, word = self._known.get(origin, (0.0, ""))
        if until < time.time() + 60:
            until = time.time() + TOKEN_SECONDS
            word = self._word(origin, int(until))
            self._known[origin] = (until, word)
        return f"vapid t={word},k={self._public}"

    def _word(self, origin: str, until: int) -> str:
        head = plain(orjson.dumps({"typ": "JWT", "alg": "ES256"}))
        said = plain(orjson.dumps({"aud": origin, "exp": until, "sub": self._contact}))
        signature = self._key.sign(f"{head}.{said}".encode(), ec.ECDSA(hashes.SHA256()))
        r, s = utils.decode_dss_signature(signature)
        return f"{head}.{said}.{plain(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"
