"""A real Prometheus on a free port, that watches one server."""

import os
import shutil
import socket
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
import pytest
import yaml

SCRAPE_S = 0.5
PATIENCE_S = 120.0

needs_prometheus = pytest.mark.skipif(
    shutil.which("prometheus") is None or shutil.which("promtool") is None,
    reason="no Prometheus here: apt-get install prometheus",
)


class Prometheus:
    """Runs within the block, with the rules of deploy/."""

    def __init__(self, target: str, rules: Path, folder: Path) -> None:
        config = folder / "prometheus.yaml"
        scrape = {"job_name": "seq2serve", "static_configs": [{"targets": [target]}]}
        interval = {"scrape_interval": f"{SCRAPE_S * 1000:.0f}ms"}
        values = {"global": interval, "scrape_configs": [scrape], "rule_files": [str(rules)]}
        config.write_text(yaml.safe_dump(values))
        with socket.create_server(("127.0.0.1", 0)) as probe:
            address = f"127.0.0.1:{probe.getsockname()[1]}"
        self._url = f"http://{address}/api/v1"
        self._log = (folder / "log").open("w")
        self._process = subprocess.Popen(
            [
                "prometheus",
                f"--config.file={config}",
                f"--storage.tsdb.path={folder / 'data'}",
                f"--web.listen-address={address}",
            ],
            stdout=self._log,
            stderr=self._log,
            env=os.environ | {"GOMAXPROCS": "1"},
        )

    def query(self, expression: str) -> list[dict[str, Any]]:
        """Samples at this moment."""
        found: list[dict[str, Any]] = self._get("query", query=expression)["result"]
        return found

    def rules(self) -> list[dict[str, Any]]:
        """Every rule and how it fares."""
        return [rule for group in self._get("rules")["groups"] for rule in group["rules"]]

    def wait_for_scrapes(self, count: int) -> None:
        """Until the server was asked so often, from now on."""
        seen = "count_over_time(up[1h])"
        wanted = self._count(seen) + count
        deadline = time.monotonic() + PATIENCE_S
        while self._count(seen) < wanted:
            assert time.monotonic() < deadline, Path(self._log.name).read_text()
            time.sleep(SCRAPE_S / 2)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._process.wait()
        self._log.close()

    def _count(self, expression: str) -> float:
        try:
            return sum(float(sample["value"][1]) for sample in self.query(expression))
        except httpx.TransportError:
            return 0.0  # it is still starting

    def _get(self, path: str, **parameters: str) -> Any:
        answer = httpx.get(f"{self._url}/{path}", params=parameters, timeout=PATIENCE_S)
        if answer.status_code == 503:
            raise httpx.TransportError("starting")
        body = answer.json()
        assert body["status"] == "success", body
        return body["data"]
