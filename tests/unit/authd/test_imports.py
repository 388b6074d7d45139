"""Files of tokens: what each format becomes, and what is refused."""

import base64
import contextlib
import hashlib
import hmac

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from authd.imports import FORMATS, BadFile
from authd.imports.pskc import ROUNDS_MOST

SECRET = b"12345678901234567890"

# RFC 6030, figures 2 (plain), 6 (pre-shared key) and 7 (passphrase), with the parts that do not matter left out.
PLAIN = """<?xml version="1.0" encoding="UTF-8"?>
<KeyContainer Version="1.0" Id="exampleID1" xmlns="urn:ietf:params:xml:ns:keyprov:pskc">
  <KeyPackage>
    <DeviceInfo><Manufacturer>iana.dummy</Manufacturer><SerialNo>987654321</SerialNo>
      <UserId>{user}</UserId></DeviceInfo>
    <Key Id="12345678" Algorithm="urn:ietf:params:xml:ns:keyprov:pskc:{kind}">
      <Issuer>Issuer-A</Issuer>
      <AlgorithmParameters>{suite}<ResponseFormat Length="8" Encoding="DECIMAL"/></AlgorithmParameters>
      <Data><Secret><PlainValue>MTIzNDU2Nzg5MDEyMzQ1Njc4OTA=</PlainValue></Secret>
        <Counter><PlainValue>42</PlainValue></Counter>
        <TimeInterval><PlainValue>60</PlainValue></TimeInterval></Data>
    </Key>
  </KeyPackage>
</KeyContainer>"""
AES = '<xenc:EncryptionMethod Algorithm="http://www.w3.org/2001/04/xmlenc#aes128-cbc"/>'
ENCRYPTED = """<?xml version="1.0" encoding="UTF-8"?>
<pskc:KeyContainer Version="1.0" xmlns:pskc="urn:ietf:params:xml:ns:keyprov:pskc"
  xmlns:ds="http://www.w3.org/2000/09/xmldsig#" xmlns:xenc="http://www.w3.org/2001/04/xmlenc#"
  xmlns:xenc11="http://www.w3.org/2009/xmlenc11#"
  xmlns:pkcs5="http://www.rsasecurity.com/rsalabs/pkcs/schemas/pkcs-5v2-0#">
  <pskc:EncryptionKey>{key}</pskc:EncryptionKey>
  <pskc:MACMethod Algorithm="http://www.w3.org/2000/09/xmldsig#hmac-sha1"><pskc:MACKey>{aes}
    <xenc:CipherData><xenc:CipherValue>{mac_key}</xenc:CipherValue></xenc:CipherData></pskc:MACKey></pskc:MACMethod>
  <pskc:KeyPackage>
    <pskc:DeviceInfo><pskc:SerialNo>987654321</pskc:SerialNo></pskc:DeviceInfo>
    <pskc:Key Id="12345678" Algorithm="urn:ietf:params:xml:ns:keyprov:pskc:hotp">
      <pskc:AlgorithmParameters><pskc:ResponseFormat Encoding="DECIMAL" Length="8"/></pskc:AlgorithmParameters>
      <pskc:Data><pskc:Secret><pskc:EncryptedValue>{aes}
        <xenc:CipherData><xenc:CipherValue>{secret}</xenc:CipherValue></xenc:CipherData></pskc:EncryptedValue>
        <pskc:ValueMAC>{mac}</pskc:ValueMAC></pskc:Secret>
        <pskc:Counter><pskc:PlainValue>0</pskc:PlainValue></pskc:Counter></pskc:Data>
    </pskc:Key>
  </pskc:KeyPackage>
</pskc:KeyContainer>"""
PRE_SHARED = "12345678901234567890123456789012"
FIGURE_6 = ENCRYPTED.format(
    key="<ds:KeyName>Pre-shared-key</ds:KeyName>",
    aes=AES,
    mac_key="ESIzRFVmd4iZABEiM0RVZgKn6WjLaTC1sbeBMSvIhRejN9vJa2BOlSaMrR7I5wSX",
    secret="AAECAwQFBgcICQoLDA0OD+cIHItlB3Wra1DUpxVvOx2lef1VmNPCMl8jwZqIUqGv",
    mac="Su+NvtQfmvfJzF6bmQiJqoLRExc=",
)
FIGURE_7 = ENCRYPTED.format(
    key="""<xenc11:DerivedKey>
      <xenc11:KeyDerivationMethod Algorithm="http://www.rsasecurity.com/rsalabs/pkcs/schemas/pkcs-5v2-0#pbkdf2">
        <pkcs5:PBKDF2-params><Salt><Specified>Ej7/PEpyEpw=</Specified></Salt>
          <IterationCount>1000</IterationCount><KeyLength>16</KeyLength><PRF/></pkcs5:PBKDF2-params>
      </xenc11:KeyDerivationMethod></xenc11:DerivedKey>""",
    aes=AES,
    mac_key="2GTTnLwM3I4e5IO5FkufoOEiOhNj91fhKRQBtBJYluUDsPOLTfUvoU2dStyOwYZx",
    secret="oTvo+S22nsmS2Z/RtcoF8Hfh+jzMe0RkiafpoDpnoZTjPYZu6V+A4aEn032yCr4f",
    mac="LP6xMvjtypbfT9PdkJhBZ+D6O4w=",
)


def only(name: str, text: str, key: str | None = None) -> tuple[str | None, dict[str, object]]:
    [one] = FORMATS[name](text.encode(), key)
    return one.account, one.fields


# PSKC -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("suite", "algorithm"),
    [("", "SHA1"), ("<Suite>HMAC-SHA256</Suite>", "SHA256"), ("<Suite>SHA512</Suite>", "SHA512"), ("<Suite/>", "SHA1")],
)
def test_plain_pskc(suite: str, algorithm: str) -> None:
    base = {"secret": "hex:" + SECRET.hex(), "algorithm": algorithm, "label": "987654321", "digits": 8}
    account, fields = only("pskc", PLAIN.format(kind="hotp", user="bob@provider.example", suite=suite))
    assert (account, fields) == ("bob@provider.example", {"kind": "hotp", **base, "counter": 42})
    account, fields = only("pskc", PLAIN.format(kind="totp", user="CN=Bob,DC=example-bank", suite=suite))
    assert (account, fields) == (None, {"kind": "totp", **base, "period": 60})


@pytest.mark.parametrize(("text", "key"), [(FIGURE_6, PRE_SHARED), (FIGURE_7, "qwerty")], ids=["figure 6", "figure 7"])
def test_encrypted_pskc(text: str, key: str) -> None:
    _, fields = only("pskc", text, key)
    assert fields["secret"] == "hex:" + SECRET.hex()
    wrong = "00" * 16 if key == PRE_SHARED else "qwertz"
    for other in (None, wrong, ""):
        with pytest.raises(BadFile):
            only("pskc", text, other)


def test_a_changed_value_is_noticed_by_its_mac() -> None:
    blob = bytearray(base64.b64decode("AAECAwQFBgcICQoLDA0OD+cIHItlB3Wra1DUpxVvOx2lef1VmNPCMl8jwZqIUqGv"))
    blob[3] ^= 1  # of the initialisation vector: it would decrypt to another secret
    changed = FIGURE_6.replace(base64.b64encode(bytes.fromhex("000102")).decode()[:4], "AAED", 1)
    for text in (changed, FIGURE_6.replace("AAECAwQFBgcICQoLDA0OD", base64.b64encode(bytes(blob)).decode()[:21])):
        assert text != FIGURE_6
        with pytest.raises(BadFile, match="MAC"):
            only("pskc", text, PRE_SHARED)
    for removed in (
        "Su+NvtQfmvfJzF6bmQiJqoLRExc=",
        FIGURE_6[FIGURE_6.index("<pskc:MACM") : FIGURE_6.index("<pskc:KeyP")],
    ):
        with pytest.raises(BadFile):
            only("pskc", FIGURE_6.replace(removed, ""), PRE_SHARED)


BOMB = """<?xml version="1.0"?><!DOCTYPE k [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">
<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;">]><KeyContainer>&c;</KeyContainer>"""


@pytest.mark.parametrize(
    "text",
    [
        "",
        "junk",
        "<a/>",
        "<KeyContainer>",
        BOMB,
        '<!DOCTYPE k SYSTEM "file:///etc/passwd"><KeyContainer/>',
        '<!DOCTYPE k [<!ENTITY x SYSTEM "http://localhost/">]><KeyContainer>&x;</KeyContainer>',
        PLAIN.format(kind="ocra", user="", suite=""),
        PLAIN.format(kind="hotp", user="", suite="<Suite>MD5</Suite>"),
        PLAIN.format(kind="hotp", user="", suite="").replace("DECIMAL", "HEXADECIMAL"),
        PLAIN.format(kind="hotp", user="", suite="").replace('"8"', '"eight"'),
        PLAIN.format(kind="hotp", user="", suite="").replace(">42<", ">-1<"),
        PLAIN.format(kind="hotp", user="", suite="").replace("MTIzNDU2", "!!"),
        PLAIN.format(kind="hotp", user="", suite="").replace("<Data>", "<Other>").replace("</Data>", "</Other>"),
        FIGURE_7.replace(">1000<", f">{ROUNDS_MOST + 1}<"),
        FIGURE_7.replace(">16<", ">999999999<"),
        FIGURE_7.replace("#pbkdf2", "#scrypt"),
        FIGURE_6.replace("hmac-sha1", "hmac-md5"),
        FIGURE_6.replace("aes128-cbc", "tripledes-cbc"),
    ],
)
def test_what_is_no_pskc(text: str) -> None:
    with pytest.raises(BadFile):
        FORMATS["pskc"](text.encode(), "00" * 16)


# KSM ------------------------------------------------------------------------------------------------

KSM = "# ykksm 1\n# made by hand\n4711,cccccccccccb,010203040506,{key},000000000000,2012-01-01T00:00:00,\n"


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("extra", ["", ",42"])
def test_ksm(end: str, extra: str) -> None:
    text = KSM.format(key="00" * 16).rstrip("\n") + extra + "\n"
    account, fields = only("ksm", text.replace("\n", end))
    assert account is None
    assert fields == {
        "kind": "yubikey",
        "public_id": "cccccccccccb",
        "private_id": "010203040506",
        "aes_key": "00" * 16,
        "label": "4711",
    }


@pytest.mark.parametrize(
    "text", ["", "4711,c,1,2,3,4,5\n", "# ykksm 2\n", KSM.format(key="zz"), "# ykksm 1\n1,2,3\n", "# ykksm 1\n\xff\n"]
)
def test_what_is_no_ksm(text: str) -> None:
    with pytest.raises(BadFile):
        assert FORMATS["ksm"](text.encode("latin-1"), None) is None


# privacyIDEA ----------------------------------------------------------------------------------------


def test_the_export_of_privacyidea() -> None:
    """As its BeautifulSoup writes it: names in lower case, and no MAC worth its name."""
    text = (
        FIGURE_6.replace("pskc:", "")
        .replace("xmlns:pskc", "xmlns")
        .replace("Su+NvtQfmvfJzF6bmQiJqoLRExc=", "TODOmissing")
    )
    for name in ("KeyContainer", "KeyPackage", "SerialNo", "EncryptedValue", "CipherData", "CipherValue", "PlainValue"):
        text = text.replace(name, name.lower())
    text = text.replace('xmlns="urn', 'xmlns:pskc="urn').replace("</algorithm", "</algorithm")
    _, fields = only("privacyidea", text, PRE_SHARED)
    assert fields["secret"] == "hex:" + SECRET.hex()
    with pytest.raises(BadFile):
        only("pskc", text, PRE_SHARED)


@pytest.mark.parametrize(
    ("line", "account", "fields"),
    [
        ("S1,{k}", None, {"kind": "hotp", "algorithm": "SHA1"}),
        ("S1, {k}, totp, 8, 60", None, {"kind": "totp", "algorithm": "SHA1", "digits": 8, "period": 60}),
        ("S1,{k},hotp,6,30", None, {"kind": "hotp", "algorithm": "SHA1", "digits": 6}),
        ("S1,{k},TOTP,6,30,b@d.ex", "b@d.ex", {"kind": "totp", "algorithm": "SHA1", "digits": 6, "period": 30}),
        ("S1,{k},totp,bob@provider.example", "bob@provider.example", {"kind": "totp", "algorithm": "SHA1"}),
    ],
)  # fmt: skip
def test_oath_csv(line: str, account: str | None, fields: dict[str, object]) -> None:
    key = SECRET.hex()
    expected = {"secret": f"hex:{key}", "label": "S1", **fields}
    assert only("privacyidea", "# a comment\n\n" + line.format(k=key) + "\n") == (account, expected)


@pytest.mark.parametrize(("size", "algorithm"), [(20, "SHA1"), (32, "SHA256"), (64, "SHA512")])
def test_the_length_of_a_key_tells_its_hash(size: int, algorithm: str) -> None:
    assert only("privacyidea", f"S1,{'ab' * size},totp")[1]["algorithm"] == algorithm


@pytest.mark.parametrize(
    ("line", "label"),
    [
        ("Yubico OTP,12/11/2013 11:10,1,vvgutbiedkvi,ab86c04de6a3,d26a7c0f85fdda28bd816e406342b214,,,0,0,0,0,0", ""),
        ("508326,vvgutbiedkvi,ab86c04de6a3,d26a7c0f85fdda28bd816e406342b214,,2013-12-12T08:43:17,", "508326"),
    ],
)
def test_the_logs_of_yubicos_tool(line: str, label: str) -> None:
    fields = {"kind": "yubikey", "public_id": "vvgutbiedkvi", "private_id": "ab86c04de6a3"}
    expected = {**fields, "aes_key": "d26a7c0f85fdda28bd816e406342b214", "label": label}
    assert only("privacyidea", line) == (None, expected)


@pytest.mark.parametrize(
    "line",
    [
        "S1",
        "@",
        "S1,@",
        "S1,xyz",
        "S1,00,ocra",
        "S1,00,totp,six",
        "Static Password,1,1,,x,0e8e,,,0",
        "508326,,,9e2f,,2013,",
    ],
)
def test_what_is_no_line_of_privacyidea(line: str) -> None:
    with pytest.raises(BadFile, match="line 1"):
        FORMATS["privacyidea"](line.encode(), None)


# Our own table --------------------------------------------------------------------------------------


def test_a_table() -> None:
    text = """account,kind,secret,digits,counter,pin,public_id,private_id,aes_key,label
bob@provider.example,hotp,GEZDGNBV,8,5,,,,,"a, label"
,yubikey,,,,,cccccccccccb,010203040506,00112233445566778899aabbccddeeff,
bob@provider.example,motp,0123456789abcdef,,,6666,,,,
"""
    hotp, yubikey, motp = FORMATS["csv"](text.encode("utf-8-sig"), None)
    assert (hotp.account, hotp.place) == ("bob@provider.example", "line 2")
    assert hotp.fields == {"kind": "hotp", "secret": "GEZDGNBV", "digits": 8, "counter": 5, "label": "a, label"}
    assert yubikey.account is None
    assert yubikey.fields["aes_key"] == "00112233445566778899aabbccddeeff"
    assert motp.fields == {"kind": "motp", "secret": "0123456789abcdef", "pin": "6666"}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# nothing\n",
        "account,secret\n",
        "kind,kind\n",
        "kind,colour\n",
        "kind,digits\ntotp\n",
        "kind,digits\ntotp,x\n",
    ],
)
def test_what_is_no_table(text: str) -> None:
    with pytest.raises(BadFile):
        FORMATS["csv"](text.encode(), None)


# Whatever it is -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FORMATS)
@given(data=st.one_of(st.binary(max_size=200), st.text(max_size=200).map(str.encode)))
@settings(max_examples=50, deadline=None)
def test_any_file_is_read_or_refused(name: str, data: bytes) -> None:
    with contextlib.suppress(BadFile):
        FORMATS[name](data, "00" * 16)


@pytest.mark.parametrize("name", FORMATS)
def test_a_file_without_end_is_refused(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("authd.imports.rows.FILE_LIMIT", 100)
    monkeypatch.setattr("authd.imports.pskc.FILE_LIMIT", 100)
    start = {"ksm": b"# ykksm 1\n", "csv": b"kind\n", "pskc": b"<", "privacyidea": b""}[name]
    with pytest.raises(BadFile, match="MiB"):
        FORMATS[name](start + b"x" * 200, None)


def test_no_secret_shows() -> None:
    [one] = FORMATS["ksm"](KSM.format(key="5e" * 16).encode(), None)
    assert "5e5e" not in repr(one)


def test_the_mac_is_what_the_rfc_computes() -> None:
    key, blob = (
        bytes.fromhex("1122334455667788990011223344556677889900"),
        base64.b64decode("AAECAwQFBgcICQoLDA0OD+cIHItlB3Wra1DUpxVvOx2lef1VmNPCMl8jwZqIUqGv"),
    )
    assert base64.b64encode(hmac.digest(key, blob, hashlib.sha1)).decode() == "Su+NvtQfmvfJzF6bmQiJqoLRExc="
