"""The half of our hub that takes files: as much of the protocol as huggingface_hub's upload_folder speaks
without its Rust client (HF_HUB_DISABLE_XET): create, preupload, LFS batch, PUT, commit.
"""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

TOKEN = "hf_of_nobody"


class Uploads:
    """What was sent.

    Attributes:
        made: repositories that were created: hub id -> the request.
        received: SHA-256 -> bytes of large files.
        refused: hub ids that answer 403.
    """

    def __init__(self) -> None:
        self.made: dict[str, dict[str, Any]] = {}
        self.received: dict[str, bytes] = {}
        self.refused: set[str] = set()

    def post(
        self, path: str, body: bytes, authorised: str, files: dict[str, dict[str, bytes]], own: str
    ) -> tuple[int, dict[str, Any]]:
        """Status and JSON answer to a POST; ``own`` is the server's address, ``files`` what repositories
        hold.
        """
        if authorised != f"Bearer {TOKEN}":
            return 401, {"error": "Invalid user token"}
        if path == "/api/validate-yaml":
            return 200, {"errors": [], "warnings": []}
        if path == "/api/repos/create":
            asked = json.loads(body)
            hub_id = f"{asked['organization']}/{asked['name']}"
            if hub_id in self.refused:
                return 403, {"error": "You have no right to create it"}
            self.made.setdefault(hub_id, asked)
            files.setdefault(hub_id, {})
            return 200, {"url": f"{own}/{hub_id}"}
        if path.endswith(".git/info/lfs/objects/batch"):
            return 200, {"transfer": "basic", "objects": [self._wanted(o, own) for o in _objects(body)]}
        hub_id, _, verb = path.removeprefix("/api/models/").rpartition("/")[0].rpartition("/")
        if verb == "preupload":
            told = json.loads(body)["files"]
            return 200, {"files": [_mode(file) for file in told]}
        return 200, self._commit(hub_id, body, files, own)

    def put(self, path: str, body: bytes) -> int:
        """A large file; 400 where it is not what its name says."""
        oid = path.rpartition("/")[2]
        if hashlib.sha256(body).hexdigest() != oid:
            return 400
        self.received[oid] = body
        return 200

    def _wanted(self, told: dict[str, Any], own: str) -> dict[str, Any]:
        if told["oid"] in self.received:
            return dict(told)
        return {**told, "actions": {"upload": {"href": f"{own}/lfs/{told['oid']}"}}}

    def _commit(
        self, hub_id: str, body: bytes, files: dict[str, dict[str, bytes]], own: str
    ) -> dict[str, Any]:
        for line in body.splitlines():
            entry = json.loads(line)
            value = entry["value"]
            if entry["key"] == "file":
                files[hub_id][value["path"]] = base64.b64decode(value["content"])
            elif entry["key"] == "lfsFile":
                files[hub_id][value["path"]] = self.received[value["oid"]]
        return {"commitUrl": f"{own}/{hub_id}/commit/{'c' * 40}", "commitOid": "c" * 40}


def _objects(body: bytes) -> list[dict[str, Any]]:
    return list(json.loads(body)["objects"])


def _mode(file: dict[str, Any]) -> dict[str, Any]:
    large = file["path"].endswith(".safetensors")
    return {"path": file["path"], "uploadMode": "lfs" if large else "regular", "shouldIgnore": False}
