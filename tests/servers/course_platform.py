"""A little course platform on loopback that speaks LTI 1.3; run as a program.

`/authorize` answers a tool's question for somebody whose email is the login hint, with a form that
brings a signed token back to the tool. `/keys` publishes the key of the signatures. A login hint of
`forged:EMAIL` is signed with a key that is not published.
"""

import json
import secrets
import time
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

CLIENT = "brain-gateway"
_CLAIM = "https://purl.imsglobal.org/spec/lti/claim"
_KEY_ID = "one"
_KEY, _FORGED = (rsa.generate_private_key(public_exponent=65537, key_size=2048) for _ in range(2))
_CALLBACK = "/lti13/oauth_callback"


class Handler(BaseHTTPRequestHandler):
    """Answers the two addresses."""

    def do_GET(self) -> None:
        """Publish the key, or send somebody to the tool."""
        parts = urlsplit(self.path)
        if parts.path == "/keys":
            key = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(_KEY.public_key()))
            named = {**key, "kid": _KEY_ID, "use": "sig", "alg": "RS256"}
            self._answer("application/json", json.dumps({"keys": [named]}))
            return
        query = {key: values[0] for key, values in parse_qs(parts.query).items()}
        assert query["client_id"] == CLIENT
        assert query["response_type"] == "id_token"
        assert query["redirect_uri"].endswith(_CALLBACK)
        fields = {"id_token": self._token(query), "state": query["state"]}
        shown = "".join(f'<input name="{k}" value="{escape(v)}">' for k, v in fields.items())
        form = f'<form action="{escape(query["redirect_uri"])}" method="post">{shown}</form>'
        self._answer("text/html", form)

    def _token(self, query: dict[str, str]) -> str:
        who = query["login_hint"]
        now = int(time.time())
        link = {"id": "lesson-1", "title": "First look"}
        claims = {
            "iss": f"http://{self.headers['Host']}",
            "aud": CLIENT,
            "sub": secrets.token_hex(4),
            "iat": now,
            "exp": now + 300,
            "nonce": query["nonce"],
            "email": who.removeprefix("forged:"),
            f"{_CLAIM}/version": "1.3.0",
            f"{_CLAIM}/message_type": "LtiResourceLinkRequest",
            f"{_CLAIM}/deployment_id": "1",
            f"{_CLAIM}/target_link_uri": query["redirect_uri"].removesuffix(_CALLBACK),
            f"{_CLAIM}/resource_link": link,
            f"{_CLAIM}/roles": [],
        }
        key = _FORGED if who.startswith("forged:") else _KEY
        return jwt.encode(claims, key, algorithm="RS256", headers={"kid": _KEY_ID})

    def _answer(self, kind: str, text: str) -> None:
        content = text.encode()
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def main() -> None:
    """Serve on a free port and print it."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    print(server.server_port, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
