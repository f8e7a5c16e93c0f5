"""The shapes of real APIs' URLs pass byte for byte: what a caller sends, and the request line that the target reads.

Belongs here: gateway-api.md 2 and 5 on targets, as a table. Does not: what is refused (tests/test_paths.py).
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import pytest_twisted

from tests.callers import call, in_thread
from tests.running_gateway import KEY, MadeProxy, RunningGateway
from tests.targets import Connection, Target

SHAPES = (
    # API, the target's base path, method, what follows the proxy's address, what arrives
    # Slashes that are data.
    ("GitLab", "/api/v4", "GET", "/projects/group%2Fproject", "/api/v4/projects/group%2Fproject"),
    ("GitLab", "/api/v4", "GET", "/projects/g%2Fs%2fp/repository/files/src%2Fmain%2Epy/raw?ref=a/b",
     "/api/v4/projects/g%2Fs%2fp/repository/files/src%2Fmain%2Epy/raw?ref=a/b"),
    ("GitLab", "/api/v4", "DELETE", "/projects/42/repository/branches/feature%2Fx%23y",
     "/api/v4/projects/42/repository/branches/feature%2Fx%23y"),
    ("npm", "", "GET", "/@scope%2Fname", "/@scope%2Fname"),
    ("npm", "", "GET", "/@scope%2fname", "/@scope%2fname"),
    ("npm", "", "GET", "/@scope/name/-/name-1.0.0-beta+1.tgz", "/@scope/name/-/name-1.0.0-beta+1.tgz"),
    ("npm", "", "GET", "/-/v1/search?text=@scope/name&size=20", "/-/v1/search?text=@scope/name&size=20"),
    ("Google Cloud Storage", "/storage/v1", "GET", "/b/bucket/o/a%2Fb%20c%2Fd.txt?alt=media",
     "/storage/v1/b/bucket/o/a%2Fb%20c%2Fd.txt?alt=media"),
    ("Vault", "/v1", "GET", "/secret/metadata/?list=true", "/v1/secret/metadata/?list=true"),
    ("Vault", "/v1", "GET", "/secret/data/a%2Fb?version=2", "/v1/secret/data/a%2Fb?version=2"),
    ("GitHub", "", "GET", "/repos/o/r/contents/a%20b/c%23.md?ref=heads/x",
     "/repos/o/r/contents/a%20b/c%23.md?ref=heads/x"),
    ("GitHub", "", "GET", "/repos/o/r/compare/main...feature%2Fx", "/repos/o/r/compare/main...feature%2Fx"),
    ("GitHub", "", "GET", "/search/issues?q=repo:o/r+is:open+label:%22good+first%22",
     "/search/issues?q=repo:o/r+is:open+label:%22good+first%22"),
    # Object keys are almost anything.
    ("S3", "", "PUT", "/bucket/a%20b+c%2Bd%26e/%E2%82%AC.txt", "/bucket/a%20b+c%2Bd%26e/%E2%82%AC.txt"),
    ("S3", "", "GET", "/bucket/!-_.*'()/key%3Fwith%3Dmarks%25", "/bucket/!-_.*'()/key%3Fwith%3Dmarks%25"),
    ("S3", "", "GET", "/bucket/dir//file", "/bucket/dir//file"),
    ("S3", "", "GET", "/bucket/dir/", "/bucket/dir/"),
    ("S3", "", "GET", "/bucket/...hidden../.x", "/bucket/...hidden../.x"),
    ("S3", "", "GET", "/bucket/a:b@c;d=e,f&g$h", "/bucket/a:b@c;d=e,f&g$h"),
    ("S3", "", "GET", '/bucket/"<a>`{b}|^[c]', '/bucket/"<a>`{b}|^[c]'),
    ("S3", "", "GET", "/bucket/%01%7f%0a", "/bucket/%01%7f%0a"),
    ("S3", "", "GET", "/bucket?list-type=2&prefix=a%2Fb&delimiter=/&continuation-token=1%2Bx%2F%3D%3D",
     "/bucket?list-type=2&prefix=a%2Fb&delimiter=/&continuation-token=1%2Bx%2F%3D%3D"),
    ("S3", "", "PUT", "/bucket/key?acl", "/bucket/key?acl"),
    ("S3", "", "PUT", "/bucket/key?partNumber=1&uploadId=VXB%2Fb..", "/bucket/key?partNumber=1&uploadId=VXB%2Fb.."),
    ("S3, presigned", "", "GET",
     "/b/k?X-Amz-Credential=AK%2F20260101%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Signature=ab",
     "/b/k?X-Amz-Credential=AK%2F20260101%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Signature=ab"),
    # Parentheses, quotes, dollars.
    ("OData", "/odata", "GET", "/Products('a''b%27')?$filter=Name%20eq%20'Milk'&$select=Name,Price",
     "/odata/Products('a''b%27')?$filter=Name%20eq%20'Milk'&$select=Name,Price"),
    ("OData", "/odata", "GET", "/Orders(OrderID=1,ProductID=2)/$value", "/odata/Orders(OrderID=1,ProductID=2)/$value"),
    ("OData", "/odata", "GET", "/P?$expand=Items($filter=Price%20gt%205;$select=Name)&$count=true",
     "/odata/P?$expand=Items($filter=Price%20gt%205;$select=Name)&$count=true"),
    ("Microsoft Graph", "/v1.0", "PUT", "/me/drive/root:/Documents/a%20b.docx:/content",
     "/v1.0/me/drive/root:/Documents/a%20b.docx:/content"),
    ("Azure Tables", "", "GET", "/Customers(PartitionKey='a',RowKey='b%2Fc')",
     "/Customers(PartitionKey='a',RowKey='b%2Fc')"),
    ("Azure", "", "GET", "/subscriptions/s/providers/Microsoft.Compute/virtualMachines?api-version=2024-07-01&$top=5",
     "/subscriptions/s/providers/Microsoft.Compute/virtualMachines?api-version=2024-07-01&$top=5"),
    ("Azure OpenAI", "/openai", "POST", "/deployments/gpt-4o/chat/completions?api-version=2024-10-21",
     "/openai/deployments/gpt-4o/chat/completions?api-version=2024-10-21"),
    ("Azure Blob, signed", "", "GET", "/c/b?sv=2022-11-02&sp=r&se=2026-01-01T00%3A00%3A00Z&sig=ab%2Bc%2Fd%3D",
     "/c/b?sv=2022-11-02&sp=r&se=2026-01-01T00%3A00%3A00Z&sig=ab%2Bc%2Fd%3D"),
    ("Salesforce", "/services/data/v60.0", "GET", "/query/?q=SELECT+Id+FROM+Account+WHERE+Name='x'",
     "/services/data/v60.0/query/?q=SELECT+Id+FROM+Account+WHERE+Name='x'"),
    # Colons and exclamation marks.
    ("Google Pub/Sub", "/v1", "POST", "/projects/p/topics/t:publish", "/v1/projects/p/topics/t:publish"),
    ("Google Sheets", "/v4", "PUT", "/spreadsheets/I/values/Sheet1!A1:D5?valueInputOption=RAW",
     "/v4/spreadsheets/I/values/Sheet1!A1:D5?valueInputOption=RAW"),
    ("Google Sheets", "/v4", "POST", "/spreadsheets/I/values/'My%20Sheet'!A1%3AB2:append",
     "/v4/spreadsheets/I/values/'My%20Sheet'!A1%3AB2:append"),
    ("Gemini", "/v1beta", "POST", "/models/gemini-pro:streamGenerateContent?alt=sse",
     "/v1beta/models/gemini-pro:streamGenerateContent?alt=sse"),
    ("Google Calendar", "", "GET", "/calendars/primary/events?timeMin=2026-01-01T00:00:00%2B01:00",
     "/calendars/primary/events?timeMin=2026-01-01T00:00:00%2B01:00"),
    ("Docker registry", "/v2", "GET", "/library/nginx/manifests/sha256:0a1b",
     "/v2/library/nginx/manifests/sha256:0a1b"),
    ("Kubernetes", "", "GET", "/api/v1/namespaces/ns/pods/https:p:8080/proxy/",
     "/api/v1/namespaces/ns/pods/https:p:8080/proxy/"),
    ("Matrix", "/_matrix/client/v3", "GET", "/rooms/!abc:example.org/state/m.room.name/",
     "/_matrix/client/v3/rooms/!abc:example.org/state/m.room.name/"),
    ("Matrix", "/_matrix/client/v3", "GET", "/directory/room/%23room%3Aexample.org",
     "/_matrix/client/v3/directory/room/%23room%3Aexample.org"),
    # Underscores, stars, commas, minuses.
    ("Elasticsearch", "", "POST", "/index-*/_search?q=user:kim%20AND%20age:%3E30",
     "/index-*/_search?q=user:kim%20AND%20age:%3E30"),
    ("Elasticsearch", "", "GET", "/_all,-idx/_search", "/_all,-idx/_search"),
    ("Elasticsearch", "", "GET", "/%3Clogs-%7Bnow%2Fd%7D%3E/_search", "/%3Clogs-%7Bnow%2Fd%7D%3E/_search"),
    ("Solr", "/solr", "GET", "/c/select?q=*:*&fq={!term%20f=x}y", "/solr/c/select?q=*:*&fq={!term%20f=x}y"),
    ("CouchDB", "", "GET", "/_users/org.couchdb.user%3Abob", "/_users/org.couchdb.user%3Abob"),
    ("CouchDB", "", "GET", "/db/_design/d/_view/v?startkey=[%22a%22,{}]",
     "/db/_design/d/_view/v?startkey=[%22a%22,{}]"),
    # Dots and extensions.
    ("Firebase", "", "PATCH", "/users/jack/name.json?orderBy=%22$key%22&print=pretty",
     "/users/jack/name.json?orderBy=%22$key%22&print=pretty"),
    ("Firebase", "", "GET", "/.json?shallow=true", "/.json?shallow=true"),
    ("Twilio", "/2010-04-01", "POST", "/Accounts/AC1/Messages.json", "/2010-04-01/Accounts/AC1/Messages.json"),
    ("Twilio", "/2010-04-01", "GET", "/Accounts/AC1/Calls.json?To=%2B15551234567&StartTime%3E=2026-01-01",
     "/2010-04-01/Accounts/AC1/Calls.json?To=%2B15551234567&StartTime%3E=2026-01-01"),
    ("Twilio Lookup", "/v2", "GET", "/PhoneNumbers/+15551234567", "/v2/PhoneNumbers/+15551234567"),
    ("OpenID", "", "GET", "/.well-known/openid-configuration", "/.well-known/openid-configuration"),
    ("Slack", "/api", "POST", "/chat.postMessage", "/api/chat.postMessage"),
    # Other encodings and sub-delims.
    ("Discord", "/api/v10", "PUT", "/channels/1/messages/2/reactions/%F0%9F%94%A5/@me",
     "/api/v10/channels/1/messages/2/reactions/%F0%9F%94%A5/@me"),
    ("Wikipedia", "", "GET", "/wiki/Caf%C3%A9_%28%e2%82%ac%29", "/wiki/Caf%C3%A9_%28%e2%82%ac%29"),
    ("MediaWiki", "/w", "GET", "/api.php?titles=A|B&continue=-||", "/w/api.php?titles=A|B&continue=-||"),
    ("unreserved", "", "GET", "/~user/%7Euser/a-b_c.d", "/~user/%7Euser/a-b_c.d"),
    ("sub-delims", "", "GET", "/a!$&'()*+,;=:@b?c!$&'()*+,;=:@/d", "/a!$&'()*+,;=:@b?c!$&'()*+,;=:@/d"),
    ("matrix parameters", "", "GET", "/maps;lat=50;long=20/tile;z=3;", "/maps;lat=50;long=20/tile;z=3;"),
    ("escapes of escapes", "", "GET", "/a%252Fb%25", "/a%252Fb%25"),
    # Queries.
    ("an empty query", "", "GET", "/a?", "/a?"),
    ("? twice", "", "GET", "/a??b=c", "/a??b=c"),
    ("? in the query", "", "GET", "/a?b=c?d=e/f", "/a?b=c?d=e/f"),
    ("empty and repeated", "", "GET", "/a?b=1&b=2&&=&c&d=", "/a?b=1&b=2&&=&c&d="),
    ("Stripe", "/v1", "GET", "/charges?expand[]=data.customer&created[gte]=1&a[b][]=%5B",
     "/v1/charges?expand[]=data.customer&created[gte]=1&a[b][]=%5B"),
    ("plus and spaces", "", "GET", "/a?q=a+b%20c%2Bd", "/a?q=a+b%20c%2Bd"),
    ("a URL", "", "GET", "/a?u=https://x.test/../y?z=%2e%2e/", "/a?u=https://x.test/../y?z=%2e%2e/"),
    ("semicolons", "", "GET", "/a?b=1;c=2", "/a?b=1;c=2"),
    ("escaped names", "", "GET", "/a?%61=%62&%E2%82%AC", "/a?%61=%62&%E2%82%AC"),
    ("bad escapes in the query", "", "GET", "/a?b=100%&c=%zz", "/a?b=100%&c=%zz"),
    # Where the base ends and the rest begins.
    ("no rest", "", "GET", "", "/"),
    ("no rest", "/v1", "GET", "", "/v1"),
    ("no rest, a query", "/v1", "GET", "?a=b", "/v1?a=b"),
    ("no rest, an empty query", "", "GET", "?", "/?"),
    ("the root", "/v1", "GET", "/", "/v1/"),
    ("a base with a slash", "/v1/", "GET", "/a", "/v1/a"),
    ("a base with escapes", "/a%2Fb/c%20d", "GET", "/e", "/a%2Fb/c%20d/e"),
    # Methods.
    ("WebDAV", "", "PROPFIND", "/dav/a%20b/", "/dav/a%20b/"),
    ("WebDAV", "", "REPORT", "/dav/calendars/me/", "/dav/calendars/me/"),
)  # fmt: skip

RAW_PATHS = (
    ("S3, a key that begins with a slash", "", "GET", "//key", "//key"),
    ("S3, a backslash", "", "GET", "/bucket/a%5Cb%5cc", "/bucket/a%5Cb%5cc"),
    ("Windows shares", "/files", "GET", "/share%5Cfolder%5Cfile", "/files/share%5Cfolder%5Cfile"),
)
"""For these the target needs `targetRawPaths`."""


class Lines(Target):
    """A target that keeps each request's first line as it came."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        super().__init__(self._serve_lines)

    def _serve_lines(self, connection: Connection) -> None:
        while (received := connection.request()) is not None:
            self.lines.append(received.line)
            connection.answer(b"ok")


@pytest.fixture(scope="module")
def target() -> Iterator[Lines]:
    with Lines() as running:
        yield running


PROXIES: dict[tuple[str, bool], MadeProxy] = {}
"""By the target's base path and whether it takes raw paths; each is made once."""


async def proxy_to(gateway: RunningGateway, target: Lines, base: str, raw_paths: bool = False) -> MadeProxy:
    if (base, raw_paths) not in PROXIES:
        PROXIES[base, raw_paths] = await gateway.proxy(
            target.url + base, target={"targetRawPaths": raw_paths}, proxyAlias=f"shape-{len(PROXIES)}"
        )
    return PROXIES[base, raw_paths]


async def line_at(gateway: RunningGateway, target: Lines, method: str, path: str, key: str | None = KEY) -> str:
    """The request target that arrives, or the status of a refusal."""
    target.lines.clear()
    headers = [("X-Api-Key", key)] if key is not None else []
    answer = await in_thread(call, gateway.address, method, path, headers)
    if answer.status != 200:
        assert target.lines == []
        return str(answer.status)
    (line,) = target.lines
    assert line.startswith(method + " ")
    assert line.endswith(" HTTP/1.1")
    return line.removeprefix(method + " ").removesuffix(" HTTP/1.1")


def named(row: tuple[str, ...]) -> str:
    return f"{row[0]} {row[3]}"


@pytest.mark.parametrize("row", SHAPES, ids=named)
@pytest_twisted.ensureDeferred
async def test_it_arrives_as_it_was_sent(gateway: RunningGateway, target: Lines, row: tuple[str, ...]) -> None:
    _, base, method, rest, arrives = row
    proxy = await proxy_to(gateway, target, base)
    assert await line_at(gateway, target, method, proxy.path + rest) == arrives


@pytest.mark.parametrize("row", SHAPES, ids=named)
@pytest_twisted.ensureDeferred
async def test_by_alias_too(gateway: RunningGateway, target: Lines, row: tuple[str, ...]) -> None:
    _, base, method, rest, arrives = row
    proxy = await proxy_to(gateway, target, base)
    alias = gateway.gateway.directory.proxies[proxy.id].alias
    assert await line_at(gateway, target, method, f"/api/{proxy.client}/{alias}{rest}") == arrives


@pytest.mark.parametrize("row", RAW_PATHS, ids=named)
@pytest_twisted.ensureDeferred
async def test_raw_paths(gateway: RunningGateway, target: Lines, row: tuple[str, ...]) -> None:
    _, base, method, rest, arrives = row
    proxy = await proxy_to(gateway, target, base, raw_paths=True)
    assert await line_at(gateway, target, method, proxy.path + rest) == arrives
    proxy = await proxy_to(gateway, target, base)
    assert await line_at(gateway, target, method, proxy.path + rest) == "400"


@pytest.mark.parametrize("row", [row for row in SHAPES if row[3].partition("?")[2]], ids=named)
@pytest_twisted.ensureDeferred
async def test_of_a_query_only_the_credential_is_cut(
    gateway: RunningGateway, target: Lines, row: tuple[str, ...]
) -> None:
    """Put before, between or behind the caller's own parameters, in any spelling."""
    _, base, method, rest, arrives = row
    proxy = await proxy_to(gateway, target, base)
    path, _, query = rest.partition("?")
    parts = query.split("&")
    for place in range(len(parts) + 1):
        for credential in (f"Authorization={KEY}", f"x%5Fapi-KEY={KEY}"):
            shown = "&".join([*parts[:place], credential, *parts[place:]])
            sent = await line_at(gateway, target, method, f"{proxy.path}{path}?{shown}", key=None)
            assert sent == arrives


@pytest.mark.parametrize("row", SHAPES, ids=named)
@pytest_twisted.ensureDeferred
async def test_a_parameter_of_ours_comes_behind(gateway: RunningGateway, target: Lines, row: tuple[str, ...]) -> None:
    _, base, method, rest, arrives = row
    proxy = await proxy_to(gateway, target, base)
    await gateway.change("proxies", proxy.id, proxyAdditionalQueryParams={"zz-ours": "a b"})
    try:
        sent = await line_at(gateway, target, method, proxy.path + rest)
    finally:
        await gateway.change("proxies", proxy.id, proxyAdditionalQueryParams={})
    path, _, query = arrives.partition("?")
    assert sent == (f"{path}?{query}&zz-ours=a%20b" if query else f"{path}?zz-ours=a%20b")
