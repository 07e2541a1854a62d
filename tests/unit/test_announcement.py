"""The line that says where a server is."""

import json
import shlex

from serving.announcement import address, announcement
from tests.fake_bundle import fake_bundle


def test_the_command_in_it_is_a_request() -> None:
    manifests = [fake_bundle(name="a", source_language="de").manifest, fake_bundle().manifest]
    line = announcement(manifests, "http://127.0.0.1:8000")
    assert "\n" not in line
    assert line.startswith("Serving a, fake at http://127.0.0.1:8000; try: ")
    curl, *_, data = shlex.split(line.partition("try: ")[2])
    assert curl == "curl"
    assert json.loads(data) == {"text": "Ein Mann spielt Gitarre.", "source": "de", "target": "en"}


def test_ipv6_stands_in_brackets() -> None:
    assert address("::1", 80) == "http://[::1]:80"
    assert address("127.0.0.1", 80) == "http://127.0.0.1:80"
