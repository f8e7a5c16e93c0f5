"""`awsSigV4` signs what reaches the target as botocore's own signer does, byte for byte, and as AWS's page shows.

Belongs here: requests through a gateway in memory, signed once more by botocore. Does not: what its Config refuses
beyond the samples (tests/testing/samples.py), what a target answers.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any

import botocore.auth
import pytest
from attrs import field, frozen
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from rrgate.api import Exchange, Kind, NoConfig, Parts, Plugin
from rrgate.testing import MemoryGateway, Received
from rrgate_plugins.signature_v4 import Signer, strict_path, strict_query

KEY_ID, SECRET, TOKEN = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "IQoJb3JpZ2luX2VjE//token=="
Headers = Mapping[str, str] | list[tuple[str, str]]
JSON_1_0 = {"Content-Type": "application/x-amz-json-1.0"}
FORM = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}


@frozen
class Ask:
    method: str
    path: str
    headers: Headers = field(factory=dict)
    body: bytes | list[bytes] | None = None


HOSTS = {
    "s3": "examplebucket.s3.eu-west-1.amazonaws.com",
    "dynamodb": "dynamodb.eu-west-1.amazonaws.com",
    "sts": "sts.eu-west-1.amazonaws.com",
    "execute-api": "a1b2c3.execute-api.eu-west-1.amazonaws.com",
    "sqs": "sqs.eu-west-1.amazonaws.com",
    "lambda": "lambda.eu-west-1.amazonaws.com",
}
ODD_PATHS = [
    "/",
    "",
    "/plain/path",
    "/a%20b",
    "/a%2Fb",
    "/a%2fb",
    "/%E2%82%AC/%c3%a9",
    "/a//b",
    "/a///b//",
    "/~user/%7Euser",
    "/a:b@c!d$e&f'g(h)i*j+k,l;m=n",
    "/%25/%2525",
    "/trailing/",
    "/a.b-c_d~e",
    "/a%5B0%5D",
]
ODD_QUERIES = [
    "?b=2&a=1",
    "?a=2&a=1&a=",
    "?a=&b",
    "?acl",
    "?Z=1&a=1&A=1&_=1",
    "?q=a%20b+c",
    "?q=%E2%82%AC&q=%c3%a9",
    "?marker=a/b:c,d&max-keys=2",
    "?a=b=c==&d=%3D",
    "?a=1&&b=2&",
    "?%61=1&a%2Fb=1",
    "?a-b=1&a=2&a.b=3&a%20=4",
    "?",
]
FIELDS: list[Headers] = [
    {"X-Amz-Meta-Note": "a   b\t c"},
    [("X-Amz-Meta-A", "1"), ("x-amz-meta-a", "2"), ("X-AMZ-META-B", "")],
    {"Accept-Encoding": "gzip, br", "User-Agent": "aws-cli/2", "traceparent": "00-1", "X-Amzn-Trace-Id": "Root=1"},
    {"Content-Type": "text/plain;  charset=utf-8", "If-None-Match": '"a  b"'},
    {"X-Under_score": "1", "x-amz-acl": "private"},
]
ASKS = {
    "s3": [
        *(Ask("GET", path) for path in ODD_PATHS),
        *(Ask("GET", f"/list{query}") for query in ODD_QUERIES),
        *(Ask("HEAD", "/a", headers) for headers in FIELDS),
        Ask("PUT", "/a%20key", {"Content-Type": "text/plain", "x-amz-storage-class": "STANDARD_IA"}, b"the body"),
        Ask("PUT", "/empty", {}, b""),
        Ask("PUT", "/chunked", {}, [b"in ", b"pieces"]),
        Ask("DELETE", "/a//b?versionId=null"),
    ],
    "execute-api": [
        *(Ask("GET", path) for path in ODD_PATHS),
        *(Ask("GET", f"/prod{query}") for query in ODD_QUERIES),
        *(Ask("POST", "/prod/x", headers, b"{}") for headers in FIELDS),
        Ask("PATCH", "/prod/%20?a=%20", {"Content-Type": "application/json"}, b'{"a":"\xe2\x82\xac"}'),
    ],
    "dynamodb": [
        Ask("POST", "/", {**JSON_1_0, "X-Amz-Target": "DynamoDB_20120810.GetItem"}, b'{"TableName":"t"}'),
        Ask("POST", "/", {**JSON_1_0, "X-Amz-Target": "DynamoDB_20120810.Query"}, bytes(70_000)),
        Ask("POST", "/", {**JSON_1_0, "X-Amz-Target": "DynamoDB_20120810.ListTables"}, b"{}"),
    ],
    "sts": [
        Ask("POST", "/", FORM, b"Action=GetCallerIdentity&Version=2011-06-15"),
        Ask("GET", "/?Action=GetCallerIdentity&Version=2011-06-15"),
        Ask("GET", "/?Version=2011-06-15&Action=AssumeRole&RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fr"),
    ],
    "sqs": [
        Ask("POST", "/", {**JSON_1_0, "X-Amz-Target": "AmazonSQS.SendMessage"}, b'{"MessageBody":"hi"}'),
        Ask("POST", "/123456789012/queue/", FORM, b"Action=SendMessage&MessageBody=a+b%20c"),
        Ask("GET", "/123456789012/queue?Action=ReceiveMessage&AttributeName.1=All"),
    ],
    "lambda": [
        Ask("POST", "/2015-03-31/functions/arn%3Aaws%3Alambda%3Aeu-west-1%3A1%3Afunction%3Af/invocations", {}, b"{}"),
        Ask("POST", "/2015-03-31/functions/f:PROD/invocations?Qualifier=%24LATEST", {"X-Amz-Log-Type": "Tail"}, b""),
        Ask("GET", "/2015-03-31/functions/?MaxItems=1"),
    ],
}
CASES = [(service, ask) for service, asks in ASKS.items() for ask in asks]
SIGNED = ("authorization", "x-amz-date", "x-amz-content-sha256", "x-amz-security-token")


def secret(service: str, **more: Any) -> dict[str, Any]:
    return {
        "accessKeyId": KEY_ID,
        "secretAccessKey": SECRET,
        "region": "eu-west-1",
        "service": service,
        **more,
    }


def received(service: str, ask: Ask, plugins: list[type[Plugin]] | None = None, **more: Any) -> Received:
    """What reaches a service of AWS when `ask` comes to a gateway."""
    scheme = more.pop("scheme", "https")
    settings = more.pop("settings", {})
    gateway = MemoryGateway(plugins or [])
    target = {"targetAllowPlaintext": True} if scheme == "http" else {}
    proxy = gateway.proxy(
        towards=("awsSigV4", secret(service, **more)), url=f"{scheme}://{HOSTS[service]}", target=target, **settings
    )
    call = gateway.call(ask.method, proxy, ask.path, ask.headers, ask.body)
    gateway.clock.advance(0)
    assert call.answer.status == 200, call.answer.body
    return gateway.target_at(HOSTS[service]).last


def signed_by_botocore(
    monkeypatch: pytest.MonkeyPatch, service: str, seen: Received, *, scheme: str = "https", **context: Any
) -> dict[str, str]:
    """The headers that botocore adds to what was received."""
    token = seen["X-Amz-Security-Token"] or None
    signer = botocore.auth.S3SigV4Auth if service == "s3" else botocore.auth.SigV4Auth
    query = f"?{seen.query}" if seen.query else ""
    request = AWSRequest(seen.method, f"{scheme}://{HOSTS[service]}{seen.path}{query}", data=seen.body)
    request.context.update(context)
    for name, value in seen.fields:
        if name.lower() not in (*SIGNED, "content-length", "transfer-encoding", "host", "requestrocket-hops"):
            request.headers[name] = value
    now = datetime.datetime.strptime(seen["X-Amz-Date"], "%Y%m%dT%H%M%SZ")
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda: now)
    signer(Credentials(KEY_ID, SECRET, token), service, "eu-west-1").add_auth(request)
    return {name: request.headers[name] or "" for name in SIGNED}


def test_there_are_enough_of_them() -> None:
    assert len(CASES) >= 50
    assert len(ASKS) >= 5


@pytest.mark.parametrize(("service", "ask"), CASES, ids=lambda value: f"{value}"[:60])
def test_as_botocore_signs(monkeypatch: pytest.MonkeyPatch, service: str, ask: Ask) -> None:
    cases: list[dict[str, Any]] = [{}, {"sessionToken": TOKEN}]
    for more in cases:
        seen = received(service, ask, **more)
        assert {name: seen[name] for name in SIGNED} == signed_by_botocore(monkeypatch, service, seen)
        assert seen["X-Amz-Security-Token"] == more.get("sessionToken", "")


def test_injected_headers_parameters_and_data_are_signed(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = {
        "proxyAdditionalHeaders": {"x-amz-meta-of": "ours", "Cache-Control": "no-cache"},
        "proxyAdditionalQueryParams": {"z y": "ö&"},
        "proxyAdditionalData": {"added": 1},
    }
    ask = Ask("POST", "/a?b=1", {"X-Amz-Meta-Of": "theirs", "Content-Type": "application/json"}, b'{"own":1}')
    for service in ("s3", "execute-api"):
        seen = received(service, ask, settings=settings)
        assert seen.body == b'{"own":1,"added":1}'
        assert seen.query == "b=1&z%20y=%C3%B6%26"
        assert ";x-amz-meta-of" in seen["Authorization"]
        assert {name: seen[name] for name in SIGNED} == signed_by_botocore(monkeypatch, service, seen)


class Shouting(Plugin):
    """Changes bodies on their way, after all has been prepared."""

    name = "shouting"
    kind = Kind.OWN
    Config = NoConfig

    @classmethod
    def for_proxy(cls, parts: Parts) -> NoConfig:
        return NoConfig()

    def on_request_body(self, ex: Exchange, chunk: bytes, last: bool) -> bytes:
        return chunk.upper()


def test_a_body_that_is_changed_late_is_signed_as_it_goes_out(monkeypatch: pytest.MonkeyPatch) -> None:
    for service in ("s3", "lambda"):
        seen = received(service, Ask("POST", "/a", {}, b"quiet"), [Shouting])
        assert seen.body == b"QUIET"
        assert {name: seen[name] for name in SIGNED} == signed_by_botocore(monkeypatch, service, seen)


def test_the_time_of_each_request_is_signed(monkeypatch: pytest.MonkeyPatch) -> None:
    gateway = MemoryGateway()
    proxy = gateway.proxy(towards=("awsSigV4", secret("lambda")), url=f"https://{HOSTS['lambda']}")
    stamps = []
    for seconds in (0, 0.4, 1, 86_400):
        gateway.clock.advance(seconds)
        gateway.call("GET", proxy, "/a")
        gateway.clock.advance(0)
        seen = gateway.target_at(HOSTS["lambda"]).last
        stamps.append(seen["X-Amz-Date"])
        assert {name: seen[name] for name in SIGNED} == signed_by_botocore(monkeypatch, "lambda", seen)
    assert stamps == ["20231114T221320Z", "20231114T221320Z", "20231114T221321Z", "20231115T221321Z"]


class Counting(Plugin):
    """Writes the header in which the gateway counts, which is then not sent as written."""

    name = "counting"
    kind = Kind.OWN
    Config = NoConfig

    @classmethod
    def for_proxy(cls, parts: Parts) -> NoConfig:
        return NoConfig()

    def prepare(self, ex: Exchange) -> None:
        ex.to_target.set_header(b"requestrocket-hops", b"7")


def test_what_is_written_when_it_is_sent_is_not_signed(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = received("lambda", Ask("GET", "/a"), [Counting])
    assert seen["requestrocket-hops"] == "1"
    assert {name: seen[name] for name in SIGNED} == signed_by_botocore(monkeypatch, "lambda", seen)


THEIRS = {
    "Authorization": "AWS4-HMAC-SHA256 Credential=theirs",
    "X-Amz-Date": "20200101T000000Z",
    "X_Amz_Security_Token": "theirs",
    "X-Amz-Content-SHA256": "theirs",
    "Date": "theirs",
}
THEIR_QUERY = "?X-Amz-Signature=theirs&x-amz-credential=theirs&X%2DAmz-Date=theirs&a=1&X-Amz-Security-Token=theirs"


@pytest.mark.parametrize("service", ["s3", "dynamodb"])
def test_a_caller_s_own_signature_is_cut(monkeypatch: pytest.MonkeyPatch, service: str) -> None:
    seen = received(service, Ask("GET", f"/{THEIR_QUERY}&X-Amz-Expires=1&X-Amz-SignedHeaders=host", THEIRS))
    assert "theirs" not in seen.raw.decode("latin-1")
    assert seen.query == "a=1"
    assert {name: seen[name] for name in SIGNED} == signed_by_botocore(monkeypatch, service, seen)


def test_unsigned_payloads_stream_to_s3_over_tls(monkeypatch: pytest.MonkeyPatch) -> None:
    long = bytes(17 * 1024 * 1024)
    ask = Ask("PUT", "/a", {"x-amz-acl": "private"}, long)
    seen = received("s3", ask, unsignedPayload=True, settings={"proxyMaxRequestBytes": len(long)})
    assert (seen.body, seen["Content-Length"]) == (long, str(len(long)))
    assert seen["X-Amz-Content-Sha256"] == "UNSIGNED-PAYLOAD"
    theirs = signed_by_botocore(
        monkeypatch, "s3", seen, payload_signing_enabled=False, has_streaming_input=True,
        client_config=type("Config", (), {"s3": {"payload_signing_enabled": False}}),
    )  # fmt: skip
    assert {name: seen[name] for name in SIGNED} == theirs


def test_over_plain_http_the_payload_is_signed(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = received("s3", Ask("PUT", "/a", {}, b"body"), unsignedPayload=True, scheme="http")
    assert len(seen["X-Amz-Content-Sha256"]) == 64
    assert {name: seen[name] for name in SIGNED} == signed_by_botocore(monkeypatch, "s3", seen, scheme="http")


CHUNKS = {"Content-Encoding": "aws-chunked", "X-Amz-Content-Sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER"}


def test_chunks_without_signatures_pass_where_payloads_are_not_signed() -> None:
    seen = received("s3", Ask("PUT", "/a", CHUNKS, b"0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n"), unsignedPayload=True)
    assert seen["X-Amz-Content-Sha256"] == "STREAMING-UNSIGNED-PAYLOAD-TRAILER"


@pytest.mark.parametrize("unsigned", [False, True])
@pytest.mark.parametrize("how", ["STREAMING-UNSIGNED-PAYLOAD-TRAILER", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"])
def test_chunks_that_the_caller_signed_are_refused(how: str, unsigned: bool) -> None:
    if unsigned and how == CHUNKS["X-Amz-Content-Sha256"]:
        return
    gateway = MemoryGateway()
    proxy = gateway.proxy(towards=("awsSigV4", secret("s3", unsignedPayload=unsigned)))
    call = gateway.call("PUT", proxy, "/a", {**CHUNKS, "X-Amz-Content-Sha256": how}, b"0\r\n\r\n")
    assert (call.answer.status, gateway.target.received) == (400, [])
    assert "cannot be signed again" in call.answer.document["message"]


@pytest.mark.parametrize("body", [bytes(16 * 1024 * 1024 + 1), [bytes(1 << 20)] * 17])
def test_a_body_that_is_too_long_to_be_signed_is_refused(body: Any) -> None:
    gateway = MemoryGateway()
    proxy = gateway.proxy(towards=("awsSigV4", secret("lambda")), proxyMaxRequestBytes=1 << 30)
    call = gateway.call("POST", proxy, "/a", {}, body)
    assert (call.answer.status, gateway.target.received) == (413, [])


def test_the_port_is_signed_where_it_is_sent() -> None:
    gateway = MemoryGateway()
    proxy = gateway.proxy(towards=("awsSigV4", secret("s3")), url="https://minio.test:9000/base%20path/")
    gateway.call("GET", proxy, "/a")
    gateway.clock.advance(0)
    seen = gateway.target_at("minio.test").last
    signer = Signer(KEY_ID, SECRET, "eu-west-1", "s3", encode_path_twice=False)
    stamp, payload = seen["X-Amz-Date"].encode(), seen["X-Amz-Content-Sha256"].encode()
    fields = [(b"host", b"minio.test:9000"), (b"x-amz-date", stamp), (b"x-amz-content-sha256", payload)]
    assert (seen["Host"], seen.path) == ("minio.test:9000", "/base%20path/a")
    signed = signer.sign(stamp, b"GET", b"/base%20path/a", b"", fields, payload)
    assert seen["Authorization"] == signed.decode()


# The examples of AWS's "Authenticating Requests: Using the Authorization Header", Amazon S3 API Reference.
EMPTY = b"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
OF_AWS = [
    (b"GET", b"/test.txt", b"", [(b"range", b"bytes=0-9")], EMPTY,
     "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"),
    (b"PUT", b"/test%24file.text", b"",
     [(b"date", b"Fri, 24 May 2013 00:00:00 GMT"), (b"x-amz-storage-class", b"REDUCED_REDUNDANCY")],
     b"44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072",
     "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"),
    (b"GET", b"/", b"lifecycle", [], EMPTY, "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"),
    (b"GET", b"/", b"max-keys=2&prefix=J", [], EMPTY,
     "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path", "query", "fields", "payload", "signature"), OF_AWS)
def test_as_aws_documents(
    method: bytes, path: bytes, query: bytes, fields: list[tuple[bytes, bytes]], payload: bytes, signature: str
) -> None:
    signer = Signer(
        "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "us-east-1", "s3", encode_path_twice=False
    )
    stamp = b"20130524T000000Z"
    sent = [
        (b"host", b"examplebucket.s3.amazonaws.com"),
        (b"x-amz-content-sha256", payload),
        (b"x-amz-date", stamp),
        *fields,
    ]
    assert signer.sign(stamp, method, path, query, sent, payload).decode().endswith(f"Signature={signature}")


@pytest.mark.parametrize(
    ("path", "strict"),
    [
        (b"/a:b", b"/a%3Ab"),
        (b"/a+b", b"/a%2Bb"),
        (b"/%7ea/%2f", b"/~a/%2F"),
        (b"/%25%2F", b"/%25%2F"),
        (b"//", b"//"),
    ],
)
def test_strict_paths(path: bytes, strict: bytes) -> None:
    assert strict_path(path) == strict
    assert strict_path(strict) == strict


@pytest.mark.parametrize(
    ("query", "strict"),
    [
        (b"a=b c", b"a=b%20c"),
        (b"a=b+c&d", b"a=b%20c&d"),
        (b"a=/~&%2B=%2b", b"a=%2F~&%2B=%2B"),
        (b"&a=1&&", b"a=1"),
        (b"a==", b"a=%3D"),
        (b"=", b"="),
    ],
)
def test_strict_queries(query: bytes, strict: bytes) -> None:
    assert strict_query(query) == strict
    assert strict_query(strict) == strict
