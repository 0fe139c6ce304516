"""Asking an application over HTTP without a cluster."""

from __future__ import annotations

import base64
from typing import Any
from urllib.parse import quote

import numpy as np
import numpy.typing as npt
from fastapi.testclient import TestClient


class Asking:
    """A client whose every answer must be a 200, as JSON."""

    def __init__(self, client: TestClient) -> None:
        self.client = client

    def user(self, user_id: str, what: str, **parameters: Any) -> dict[str, Any]:
        """GET something about a user."""
        return self.get(f"/v1/users/{quote(user_id, safe='')}/{what}", **parameters)

    def get(self, path: str, **parameters: Any) -> dict[str, Any]:
        response = self.client.get(path, params=parameters)
        assert response.status_code == 200, response.text
        answer: dict[str, Any] = response.json()
        return answer

    def post(self, path: str, **body: Any) -> dict[str, Any]:
        response = self.client.post(path, json=body)
        assert response.status_code == 200, response.text
        answer: dict[str, Any] = response.json()
        return answer


def vector_of(answer: dict[str, Any]) -> npt.NDArray[np.float32]:
    """The vector of a profile's answer."""
    return np.frombuffer(base64.b64decode(answer["vector"]), "<f4")


def error_of(response: Any) -> dict[str, Any]:
    """The error, after a check that the body holds that and nothing else."""
    assert response.headers["content-type"] == "application/json"
    body = response.json()
    assert list(body) == ["error"] and sorted(body["error"]) == ["code", "message", "parameter"]
    error: dict[str, Any] = body["error"]
    return error
