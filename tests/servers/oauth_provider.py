"""A little OAuth2 server on loopback: authorization code, state, PKCE; run as a program.

`/authorize` takes everybody for the person with the claims that are given, as a server does whose
browser is signed in there already; PUT gives others. Codes hold once, only with the verifier of
their challenge, and for who knows the secret, told in the header or in the form.
"""

import argparse
import base64
import hashlib
import json
import secrets
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlencode, urlsplit

CLIENT, SECRET = "gateway", "the secret of the gateway"
_codes: dict[str, dict[str, str]] = {}
_tokens: set[str] = set()


class Handler(BaseHTTPRequestHandler):
    """Answers the three addresses."""

    claims: dict[str, object]

    def do_GET(self) -> None:
        """Authorize, or say who the bearer of a token is."""
        parts = urlsplit(self.path)
        query = {key: values[0] for key, values in parse_qs(parts.query).items()}
        if parts.path == "/authorize":
            assert query["client_id"] == CLIENT
            assert query["response_type"] == "code"
            assert query["code_challenge_method"] == "S256"
            code = secrets.token_urlsafe(12)
            _codes[code] = query
            answer = {"code": code, "state": query["state"]}
            self.send_response(302)
            self.send_header("Location", f"{query['redirect_uri']}?{urlencode(answer)}")
            self.end_headers()
        elif self.headers.get("Authorization", "").removeprefix("Bearer ") in _tokens:
            self._json(200, self.claims)
        else:
            self._json(401, {"error": "invalid_token"})

    def do_POST(self) -> None:
        """Exchange a code for a token."""
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        given = {key: values[0] for key, values in parse_qs(body).items()}
        asked = _codes.pop(given.get("code", ""), None)
        basic = base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
        digest = hashlib.sha256(given.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).decode().rstrip("=")
        told = (given.get("client_id"), given.get("client_secret"))
        right = (
            asked is not None
            and (self.headers.get("Authorization") == f"Basic {basic}" or told == (CLIENT, SECRET))
            and given.get("redirect_uri") == asked["redirect_uri"]
            and challenge == asked["code_challenge"]
        )
        if not right:
            self._json(400, {"error": "invalid_grant"})
            return
        token = secrets.token_urlsafe(12)
        _tokens.add(token)
        self._json(200, {"access_token": token, "token_type": "Bearer", "expires_in": 60})

    def do_PUT(self) -> None:
        """Take everybody for somebody else from now on."""
        type(self).claims = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self._json(200, {})

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def _json(self, status: int, body: object) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


def main() -> None:
    """Serve on a free port and print it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("claims", type=json.loads)
    Handler.claims = parser.parse_args().claims
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    print(server.server_port, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
