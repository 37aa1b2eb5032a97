"""Talks to a Jupyter kernel through the websocket of its server."""

import json
import uuid
from typing import Any

import websocket


def run_code(address: str, headers: dict[str, str], code: str, patience_s: float) -> str:
    """Run code in a kernel; return what it printed, or the last line of its error.

    Args:
        address: Of the kernel: `http://127.0.0.1:8000/user/ana/api/kernels/ID`.
        headers: Of the request, with what lets it in.
        code: What to run.
        patience_s: How long each of its messages may take.
    """
    place = f"{address.replace('http', 'ws', 1)}/channels"
    connection = websocket.create_connection(place, header=headers, timeout=patience_s)
    try:
        return _execute(connection, code)
    finally:
        connection.close()


def _execute(connection: Any, code: str) -> str:
    sent = uuid.uuid4().hex
    content = {"code": code, "silent": False, "store_history": False, "stop_on_error": True}
    header = {"msg_id": sent, "msg_type": "execute_request", "version": "5.3"}
    header |= {"username": "", "session": uuid.uuid4().hex, "date": ""}
    connection.send(
        json.dumps(
            {
                "header": header,
                "parent_header": {},
                "metadata": {},
                "content": content,
                "channel": "shell",
            }
        )
    )
    printed = ""
    while True:
        message = json.loads(connection.recv())
        if message["parent_header"].get("msg_id") != sent:
            continue
        kind, content = message["msg_type"], message["content"]
        if kind == "stream":
            printed += content["text"]
        if kind == "error":
            return printed + f"{content['ename']}: {content['evalue']}"
        if kind == "status" and content["execution_state"] == "idle":
            return printed.strip()
