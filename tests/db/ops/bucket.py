"""A server of S3's kind: it checks who asks by the signature that AWS describes (SigV4), and keeps what it is sent in memory."""

import hashlib
import hmac
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, quote, unquote, urlsplit
from xml.sax.saxutils import escape

KEY, SECRET, REGION = "AKIAEXAMPLE", "a secret / of+theirs", "eu-central-1"
_SIGNED = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<key>[^/]+)/(?P<day>\d{8})/(?P<region>[^/]+)/s3/aws4_request, ?"
    r"SignedHeaders=(?P<headers>[^,]+), ?Signature=(?P<signature>[0-9a-f]{64})"
)


class Bucket(ThreadingHTTPServer):
    """One bucket, `backups`."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Asked)
        self.kept: dict[str, bytes] = {}
        self.parts: dict[str, dict[int, bytes]] = {}

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Asked(BaseHTTPRequestHandler):
    """One request."""

    server: Bucket
    protocol_version = "HTTP/1.1"

    def log_message(self, *said: object) -> None: ...

    def handle_one(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        url = urlsplit(self.path)
        bucket, _, key = unquote(url.path).lstrip("/").partition("/")
        if refusal := self.refusal(body):
            self.refuse(403, refusal)
        elif bucket != "backups":
            self.refuse(404, "NoSuchBucket")
        else:
            getattr(self, f"on_{self.command.lower()}")(key, dict(parse_qsl(url.query, keep_blank_values=True)), body)

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = handle_one  # noqa: N815 (the names that http.server looks for)

    def refusal(self, body: bytes) -> str | None:
        found = _SIGNED.fullmatch(self.headers.get("Authorization", ""))
        if found is None or found["key"] != KEY or found["region"] != REGION:
            return "InvalidAccessKeyId"
        if hashlib.sha256(body).hexdigest() != (said := self.headers["x-amz-content-sha256"]) and said != "UNSIGNED-PAYLOAD":
            return "XAmzContentSHA256Mismatch"
        url, names = urlsplit(self.path), found["headers"].split(";")
        pairs = sorted((quote(k, "-_.~"), quote(v, "-_.~")) for k, v in parse_qsl(url.query, keep_blank_values=True))
        canonical = [self.command, url.path, "&".join(f"{k}={v}" for k, v in pairs)]
        canonical += [f"{name}:{self.headers[name].strip()}" for name in names] + ["", found["headers"], said]
        scope = f"{found['day']}/{REGION}/s3/aws4_request"
        digest = hashlib.sha256("\n".join(canonical).encode()).hexdigest()
        words = "\n".join(["AWS4-HMAC-SHA256", self.headers["x-amz-date"], scope, digest])
        key = f"AWS4{SECRET}".encode()
        for step in (found["day"], REGION, "s3", "aws4_request"):
            key = hmac.digest(key, step.encode(), "sha256")
        right = hmac.new(key, words.encode(), "sha256").hexdigest()
        return None if hmac.compare_digest(right, found["signature"]) else "SignatureDoesNotMatch"

    def on_put(self, key: str, query: dict[str, str], body: bytes) -> None:
        if "uploadId" in query:
            self.server.parts[query["uploadId"]][int(query["partNumber"])] = body
        else:
            self.server.kept[key] = body
        self.answer(200, headers={"ETag": f'"{hashlib.md5(body, usedforsecurity=False).hexdigest()}"'})

    def on_post(self, key: str, query: dict[str, str], body: bytes) -> None:
        if "uploads" in query:
            self.server.parts["one"] = {}
            words = f"<Bucket>backups</Bucket><Key>{escape(key)}</Key><UploadId>one</UploadId>"
            return self.answer(200, f"<InitiateMultipartUploadResult>{words}</InitiateMultipartUploadResult>")
        self.server.kept[key] = b"".join(piece for _, piece in sorted(self.server.parts.pop(query["uploadId"]).items()))
        words = f'<Bucket>backups</Bucket><Key>{escape(key)}</Key><ETag>"x"</ETag>'
        return self.answer(200, f"<CompleteMultipartUploadResult>{words}</CompleteMultipartUploadResult>")

    def on_get(self, key: str, query: dict[str, str], body: bytes) -> None:
        if key:
            return self.on_head(key, query, body)
        found = sorted(name for name in self.server.kept if name.startswith(query.get("prefix", "")))
        words = "".join(
            f"<Contents><Key>{escape(name)}</Key><LastModified>2026-11-30T00:00:00.000Z</LastModified><ETag>x</ETag>"
            f"<Size>{len(self.server.kept[name])}</Size></Contents>"
            for name in found
        )
        return self.answer(
            200, f"<ListBucketResult><Name>backups</Name><IsTruncated>false</IsTruncated>{words}</ListBucketResult>"
        )

    def on_head(self, key: str, query: dict[str, str], body: bytes) -> None:
        if key not in self.server.kept:
            return self.refuse(404, "NoSuchKey")
        headers = {"ETag": '"x"', "Last-Modified": "Mon, 30 Nov 2026 00:00:00 GMT"}
        return self.answer(200, self.server.kept[key], headers=headers)

    def on_delete(self, key: str, query: dict[str, str], body: bytes) -> None:
        self.server.kept.pop(key, None)
        self.answer(204)

    def refuse(self, status: int, code: str) -> None:
        self.answer(status, f"<Error><Code>{code}</Code><Message>No: {code}</Message></Error>")

    def answer(self, status: int, body: str | bytes = b"", *, headers: dict[str, str] | None = None) -> None:
        data = body.encode() if isinstance(body, str) else body
        self.send_response(status)
        for name, value in {"Content-Length": str(len(data)), "Content-Type": "application/xml", **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)


@contextmanager
def serving() -> Iterator[Bucket]:
    """The server while the block lasts."""
    server = Bucket()
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
