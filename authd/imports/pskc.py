"""PSKC, RFC 6030: HOTP and TOTP tokens as their makers deliver them.

Values are plain, or encrypted with AES-CBC under a pre-shared key (section 6.1) or one derived from a passphrase by
PBKDF2 (6.2). AES-CBC alone does not notice changes, so an encrypted value without a MAC that fits is refused
(6.1.1); only privacyIDEA's export is read without (`exact=False`), whose MACs are no MACs.

The parser is Python's own (expat). A document type is refused before anything is built: without one there are no
entities, so nothing can be blown up or fetched.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from xml.etree.ElementTree import Element, ParseError, fromstring
from xml.parsers import expat

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7

from authd.imports.rows import FILE_LIMIT, BadFile, Imported, holder, whole

CIPHERS = {"aes128-cbc": 16, "aes192-cbc": 24, "aes256-cbc": 32}
MACS = {"hmac-sha1": "sha1", "hmac-sha256": "sha256"}
BLOCK = 16
ROUNDS_MOST = 1_000_000
ALGORITHMS = ("SHA1", "SHA256", "SHA512")


@dataclass(frozen=True)
class Opener:
    """How the encrypted values of a file are opened."""

    key: bytes | None = field(repr=False)
    mac_key: bytes | None = field(repr=False)
    mac: str
    exact: bool

    def opened(self, value: Element, mac: str, place: str) -> bytes:
        """An EncryptedValue; BadFile."""
        name = method(value)
        if self.key is None or len(self.key) != CIPHERS.get(name):
            raise BadFile(f"{place}: its values are encrypted ({name}); a key of that size is needed")
        blob = decoded(text_at(value, "cipherdata", "ciphervalue"), place)
        if self.exact:
            if self.mac_key is None:
                raise BadFile(f"{place}: an encrypted value without a MAC")
            found = hmac.digest(self.mac_key, blob, self.mac)
            if not hmac.compare_digest(found, decoded(mac, place)):
                raise BadFile(f"{place}: the MAC does not fit: another key, or the file was changed")
        return decrypted(self.key, blob, place)


def parse(data: bytes, key: str | None = None, *, exact: bool = True) -> list[Imported]:
    """All keys of a container. `key`: the pre-shared one in hex, or the passphrase. BadFile."""
    root = tree(data)
    if local(root) != "keycontainer":
        raise BadFile("not a KeyContainer (RFC 6030)")
    opener = opener_of(root, key, exact)
    packages = [package for package in root if local(package) == "keypackage"]
    return [imported(package, number, opener) for number, package in enumerate(packages, 1)]


def tree(data: bytes) -> Element:
    """The document, if it has no document type."""
    if len(data) > FILE_LIMIT:
        raise BadFile(f"larger than {FILE_LIMIT >> 20} MiB")

    def refuse(*_: Any) -> None:
        raise BadFile("it has a document type; no PSKC file has")

    first = expat.ParserCreate()
    first.StartDoctypeDeclHandler = refuse
    try:
        first.Parse(data, True)
        return fromstring(data)  # noqa: S314
    except (expat.ExpatError, ParseError) as error:
        raise BadFile(f"not XML: {error}") from None


def imported(package: Element, number: int, opener: Opener) -> Imported:
    """One key with its device."""
    serial = text_at(package, "deviceinfo", "serialno")
    place = f"key {number}" + (f" ({serial})" if serial else "")
    key, data = at(package, "key"), at(package, "key", "data")
    if key is None or data is None:
        raise BadFile(f"{place}: expected Key and Data")
    kind = attribute(key, "algorithm").lower().rpartition(":")[2]
    if kind not in ("hotp", "totp"):
        raise BadFile(f"{place}: only HOTP and TOTP are known")
    form = at(key, "algorithmparameters", "responseformat")
    if form is not None and attribute(form, "encoding").upper() not in ("", "DECIMAL"):
        raise BadFile(f"{place}: only decimal codes are known")
    fields: dict[str, Any] = {
        "kind": kind,
        "secret": "hex:" + value(data, "secret", opener, place).hex(),
        "algorithm": algorithm(at(key, "algorithmparameters", "suite"), place),
        "label": serial,
    }
    if form is not None and attribute(form, "length"):
        fields["digits"] = whole(attribute(form, "length"), place)
    numbers = {"period": "timeinterval"} if kind == "totp" else {"counter": "counter"}
    for name, element in numbers.items():
        if at(data, element) is not None:
            fields[name] = number_of(data, element, opener, place)
    owner = text_at(key, "userid") or text_at(package, "deviceinfo", "userid")
    return Imported(place, holder(owner), fields)


def algorithm(suite: Element | None, place: str) -> str:
    """The hash that a Suite names; SHA-1 where there is none (RFC 6030, 4.3.4)."""
    if suite is None:
        return "SHA1"
    told = ((suite.text or "").strip() or attribute(suite, "hashalgo")).upper().replace("-", "").removeprefix("HMAC")
    if told not in ("", *ALGORITHMS):
        raise BadFile(f"{place}: an unknown hash")
    return told or "SHA1"


def value(data: Element, name: str, opener: Opener, place: str) -> bytes:
    """A value in base64, or encrypted."""
    plain, secret = text_at(data, name, "plainvalue"), at(data, name, "encryptedvalue")
    if secret is not None:
        return opener.opened(secret, text_at(data, name, "valuemac") or text_at(data, "valuemac"), place)
    return decoded(plain, place)


def number_of(data: Element, name: str, opener: Opener, place: str) -> int:
    """Numbers are decimal where they are plain, big-endian where they are encrypted (RFC 6030, 4.2)."""
    if at(data, name, "encryptedvalue") is not None:
        return int.from_bytes(value(data, name, opener, place))
    return whole(text_at(data, name, "plainvalue"), place)


def opener_of(root: Element, key: str | None, exact: bool) -> Opener:
    """The keys of a container."""
    secret = derived(root, key) if at(root, "encryptionkey", "derivedkey") is not None else given(key)
    mac = at(root, "macmethod")
    name = attribute(mac, "algorithm").rpartition("#")[2] if mac is not None else ""
    if mac is None or secret is None or not exact:
        return Opener(secret, None, "", exact)
    if name not in MACS:
        raise BadFile("MACMethod: only HMAC-SHA1 and HMAC-SHA256 are known")
    wrapped = at(mac, "mackey")
    mac_key = (
        secret
        if wrapped is None
        else decrypted(secret, decoded(text_at(wrapped, "cipherdata", "ciphervalue"), "MACKey"), "MACKey")
    )
    return Opener(secret, mac_key, MACS[name], exact)


def given(key: str | None) -> bytes | None:
    """A pre-shared key."""
    if key is None:
        return None
    try:
        return bytes.fromhex(key)
    except ValueError:
        raise BadFile("the key: expected hex digits") from None


def derived(root: Element, passphrase: str | None) -> bytes | None:
    """A key from a passphrase: PBKDF2 with HMAC-SHA1 (RFC 6030, 6.2)."""
    if passphrase is None:
        return None
    parameters = at(root, "encryptionkey", "derivedkey", "keyderivationmethod")
    if parameters is None or not attribute(parameters, "algorithm").lower().endswith("pbkdf2"):
        raise BadFile("EncryptionKey: only PBKDF2 is known")
    inner = next((one for one in parameters if local(one) == "pbkdf2-params"), parameters)
    salt = decoded(text_at(inner, "salt", "specified") or text_at(inner, "salt"), "Salt")
    rounds, size = (whole(text_at(inner, name), name) for name in ("iterationcount", "keylength"))
    if not 0 < rounds <= ROUNDS_MOST or size not in CIPHERS.values():
        raise BadFile("EncryptionKey: impossible parameters")
    return hashlib.pbkdf2_hmac("sha1", passphrase.encode("utf-8"), salt, rounds, size)


def decrypted(key: bytes, blob: bytes, place: str) -> bytes:
    """XML Encryption's CBC: the initialisation vector first, padding last."""
    if len(blob) < 2 * BLOCK or len(blob) % BLOCK or len(key) not in CIPHERS.values():
        raise BadFile(f"{place}: cannot be decrypted with this key")
    decryptor = Cipher(algorithms.AES(key), modes.CBC(blob[:BLOCK])).decryptor()
    padded = decryptor.update(blob[BLOCK:]) + decryptor.finalize()
    unpadder = PKCS7(BLOCK * 8).unpadder()
    try:
        return unpadder.update(padded) + unpadder.finalize()
    except ValueError:
        raise BadFile(f"{place}: cannot be decrypted with this key") from None


def decoded(text: str, place: str) -> bytes:
    try:
        found = base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        found = b""
    if not found:
        raise BadFile(f"{place}: expected base64")
    return found


def method(value: Element) -> str:
    found = at(value, "encryptionmethod")
    return attribute(found, "algorithm").rpartition("#")[2].lower() if found is not None else ""


def at(element: Element, *path: str) -> Element | None:
    """The first element on this path of names; namespaces and case do not matter."""
    found: Element | None = element
    for name in path:
        found = next((child for child in children(found) if local(child) == name), None)
        if found is None:
            return None
    return found


def children(element: Element | None) -> Iterator[Element]:
    return iter(element) if element is not None else iter(())


def text_at(element: Element, *path: str) -> str:
    found = at(element, *path)
    return (found.text or "").strip() if found is not None else ""


def attribute(element: Element, name: str) -> str:
    return next((value for key, value in element.attrib.items() if key.rpartition("}")[2].lower() == name), "")


def local(element: Element) -> str:
    """Its name without the namespace, in lower case."""
    return str(element.tag).rpartition("}")[2].lower()
