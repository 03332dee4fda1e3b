"""How long a command takes before it does anything: against a bare Python."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks import first_request, goals
from benchmarks.timing import Contender, race

if TYPE_CHECKING:
    from collections.abc import Mapping

_ROUNDS = 15
_FEW, _MANY = 10, 1000
_PEERS = ("docker", "llm", "ollama")
_TYPES = "application/vnd.docker.ai"


def run(folder: Path) -> None:
    """Time `--version`, `ls` and help, and how long `run` takes until a worker has its request."""
    smolctl = str(Path(sys.executable).with_name("smolctl"))
    listing = (smolctl, "model", "ls")
    few, many = (_environment(folder / str(count), count) for count in (_FEW, _MANY))
    bare, version = "python -c pass", "smolctl --version"
    names = [f"smolctl model ls, {count:,} models" for count in (_FEW, _MANY)]
    results = race(
        "Start-up",
        [
            Contender(bare, (sys.executable, "-c", "pass")),
            Contender(version, (smolctl, "--version")),
            Contender(names[0], listing, few),
            Contender(names[1], listing, many),
            Contender("  the same, of one repository", (*listing, "ai/model0"), few),
            Contender("smolctl model run --help", (smolctl, "model", "run", "-h")),
            *(
                Contender(f"{peer} --version", (peer, "--version"), needs=(peer,))
                for peer in _PEERS
            ),
        ],
        rounds=_ROUNDS,
    )
    seconds = {name: measured.seconds for name, measured in results.items()}
    goals.VERSION.judge(seconds[version] / seconds[bare])
    goals.LISTING.judge(seconds[names[0]] / seconds[bare])
    goals.MANY.judge(seconds[names[1]] / seconds[names[0]])
    first_request.run(folder / "request", smolctl, rounds=_ROUNDS)


def _environment(folder: Path, count: int) -> Mapping[str, str]:
    """Make a cache of `count` models with five tags a repository, and return its environment."""
    blobs = folder / "models" / "blobs" / "sha256"
    blobs.mkdir(parents=True)
    (folder / "run").mkdir(mode=0o700)

    def blob(kind: str, document: Mapping[str, Any]) -> dict[str, Any]:
        content = json.dumps(document).encode()
        digest = hashlib.sha256(content).hexdigest()
        (blobs / digest).write_bytes(content)
        return {"mediaType": kind, "digest": f"sha256:{digest}", "size": len(content)}

    entries = []
    for number in range(count):
        facts = {"format": "gguf", "quantization": "Q4_K_M", "parameters": f"{number} M"}
        times = {"created": "2025-03-24T11:33:01Z"}
        layer = {"mediaType": f"{_TYPES}.gguf.v3", "digest": f"sha256:{number:064x}", "size": 1}
        config = blob(f"{_TYPES}.model.config.v0.1+json", {"config": facts, "descriptor": times})
        kind = "application/vnd.oci.image.manifest.v1+json"
        manifest = {"schemaVersion": 2, "mediaType": kind, "config": config, "layers": [layer]}
        name = f"ai/model{number // 5}:tag{number}"
        annotations = {"org.opencontainers.image.ref.name": name}
        entries.append({**blob(kind, manifest), "annotations": annotations})
    index = {"schemaVersion": 2, "manifests": entries}
    (folder / "models" / "index.json").write_text(json.dumps(index))
    (folder / "models" / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
    return {
        **os.environ,
        "SMOLCTL_HOME": str(folder / "models"),
        "XDG_RUNTIME_DIR": str(folder / "run"),
        "XDG_STATE_HOME": str(folder / "state"),
    }
