"""One connection to the model server: reads requests, and sends what the reply function makes of them."""

import json
import logging
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler
from socket import MSG_PEEK, socket
from typing import Any

from socrates.llm.demo.protocol import (
    Answer,
    Drop,
    Failure,
    InvalidRequestError,
    ModelRequest,
    Raw,
    Replier,
    Reply,
    StreamError,
)
from socrates.llm.demo.tokens import PrefixCache
from socrates.llm.demo.traffic import Traffic
from socrates.llm.demo.wire import Message, as_error, as_json, events, message_of, with_fault

LARGEST_BODY = 32 * 1024 * 1024
"""Bytes of a request; the Messages API's own limit."""

_PATH = "/v1/messages"
_READ_AT_ONCE = 1024 * 1024

_log = logging.getLogger("socrates.llm.demo")


class Handler(BaseHTTPRequestHandler):
    """The requests of one connection, one after the other."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # head and body are two writes: the second would wait 40 ms for an acknowledgement
    connection: socket

    def __init__(self, reply: Replier, prefixes: PrefixCache, traffic: Traffic, *connection: Any) -> None:
        self._reply = reply
        self._prefixes = prefixes
        self._traffic = traffic
        self._number = 0
        super().__init__(*connection)

    def do_POST(self) -> None:
        """Answer a request for a message."""
        self._number = self._traffic.next_number()
        request = self._read()
        if isinstance(request, Failure):
            self._send_failure(request)
        else:
            with self._traffic.working_on(request):
                self._send(self._reply_to(request), request)
        self._traffic.count_answered()

    def do_GET(self) -> None:
        """There is nothing to get."""
        self._number = self._traffic.next_number()
        self.close_connection = True  # a body, if there is one, stays unread
        self._send_failure(self._no_endpoint())
        self._traffic.count_answered()

    do_DELETE = do_PATCH = do_PUT = do_GET

    def log_message(self, format: str, *args: Any) -> None:
        """To the log, where the base class writes to standard error."""
        _log.debug(format, *args)

    def _read(self) -> ModelRequest | Failure:
        body = self._read_body()
        if isinstance(body, Failure):
            return body
        if self.path.partition("?")[0] != _PATH:
            return self._no_endpoint()
        key = self._key()
        if not key:
            return Failure(401, "authentication_error", "x-api-key header is required")
        try:
            return ModelRequest.read(json.loads(body), dict(self.headers), key)
        except InvalidRequestError as invalid:
            return Failure(400, "invalid_request_error", str(invalid))
        except (ValueError, RecursionError) as malformed:
            return Failure(400, "invalid_request_error", f"the body is not JSON: {malformed}")

    def _key(self) -> str:
        """The caller's key: the API's own header, or the one by which `anthropic` 2.12 sends it."""
        bearer = self.headers.get("authorization", "").removeprefix("Bearer ")
        return str(self.headers.get("x-api-key", bearer)).strip()

    def _read_body(self) -> bytes | Failure:
        length = self.headers.get("content-length", "")
        if not (length.isascii() and length.isdigit()):
            self.close_connection = True  # where the next request begins is not known
            return Failure(400, "invalid_request_error", "content-length: a number of bytes is required")
        if int(length) > LARGEST_BODY:
            self._pass_over(int(length))
            return Failure(413, "request_too_large", f"a request may have {LARGEST_BODY} bytes, this one has {length}")
        return self._exactly(int(length))

    def _exactly(self, length: int) -> bytes:
        data = self.rfile.read(length)
        if len(data) < length:
            raise ConnectionAbortedError(f"the request ends after {len(data)} of {length} bytes")
        return data

    def _pass_over(self, length: int) -> None:
        """Read a body that is too large: a client that is still sending would be reset before it reads the answer."""
        self.close_connection = True
        while length > 0 and (data := self.rfile.read(min(length, _READ_AT_ONCE))):
            length -= len(data)

    def _no_endpoint(self) -> Failure:
        return Failure(404, "not_found_error", f"{self.command} {self.path}: there is no such endpoint")

    def _reply_to(self, request: ModelRequest) -> Reply:
        try:
            return self._reply(request)
        except Exception as bug:  # noqa: BLE001 - a bug in a test's script must reach the test, not just end a thread
            _log.exception("the reply function failed at the task %r", request.task)
            return Failure(500, "api_error", f"the reply function of this server failed: {bug!r}")

    def _send(self, reply: Reply, request: ModelRequest) -> None:
        match reply:
            case Failure():
                self._send_failure(reply)
            case Raw():
                self._send_body(reply.status, reply.body, {"content-type": reply.content_type})
            case Drop(after_bytes=None, after_pieces=None):
                self.close_connection = True
            case StreamError() if not request.stream:
                self._send_failure(Failure(500, reply.type, reply.message))
            case Drop() if not request.stream:
                self.close_connection = True
                body = as_json(self._message(reply.answer, request))
                self._send_head(200, {"content-type": "application/json", "content-length": str(len(body))})
                self.wfile.write(body[: reply.after_bytes or 0])
            case Answer() if not request.stream:
                self._send_body(200, as_json(self._message(reply, request)), {"content-type": "application/json"})
            case Answer() | Drop() | StreamError():
                self._send_stream(reply, request)

    def _send_failure(self, failure: Failure) -> None:
        headers = {"content-type": "application/json", **failure.headers}
        if failure.retry_after is not None:
            headers["retry-after"] = f"{failure.retry_after:g}"
        self._send_body(failure.status, as_error(failure.type, failure.message, self._request_id), headers)

    def _send_stream(self, reply: Answer | Drop | StreamError, request: ModelRequest) -> None:
        answer = reply if isinstance(reply, Answer) else reply.answer
        message = self._message(answer, request)
        self._send_head(200, {"content-type": "text/event-stream; charset=utf-8", "transfer-encoding": "chunked"})
        for event in with_fault(reply, events(message), self._request_id):
            if event.piece is not None and event.piece > 0:
                self._wait(answer.delay_between)
            self.wfile.write(b"%x\r\n%b\r\n" % (len(event.data), event.data))
        if isinstance(reply, Drop):
            self.close_connection = True
        else:
            self.wfile.write(b"0\r\n\r\n")

    def _message(self, answer: Answer, request: ModelRequest) -> Message:
        """The message of an answer, at the time when it is due."""
        self._wait(answer.delay)
        use = self._prefixes.use(f"{request.key_digest} {request.model}", request.cached_prefixes)
        return message_of(answer, request, f"msg_demo_{self._number:06}", use)

    def _wait(self, seconds: float) -> None:
        """Wait as long as the client does: its end, or the server's, is seen as the end of what can be received.

        What a client sends before it has its answer ends the wait early; an HTTP client that is in use sends nothing.
        """
        if seconds <= 0:
            return
        self.connection.settimeout(seconds)
        try:
            if not self.connection.recv(1, MSG_PEEK):
                raise ConnectionAbortedError("nobody waits for the answer any more")
        except TimeoutError:
            return
        finally:
            self.connection.settimeout(None)

    def _send_body(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        self._send_head(status, {**headers, "content-length": str(len(body))})
        self.wfile.write(body)

    def _send_head(self, status: int, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in {"request-id": self._request_id, **headers}.items():
            self.send_header(name, value)
        if self.close_connection:
            self.send_header("connection", "close")
        self.end_headers()

    @property
    def _request_id(self) -> str:
        return f"req_demo_{self._number:06}"
