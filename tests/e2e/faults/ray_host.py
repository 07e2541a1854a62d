"""A Ray Serve of its own that can be told to deploy other settings.

python -m tests.e2e.faults.ray_host SETTINGS FOLDER: says when it serves; then for each line read, a
settings file, it deploys that and says what came of it, as JSON. It ends as `seq2serve serve --ray`
does, at SIGTERM.
"""

import json
import sys
from collections.abc import Mapping
from pathlib import Path

from ray import serve

from serving import replica
from serving.announcement import address, announcement
from serving.models import check
from serving.settings import ServeSettings, load


def main() -> None:
    """Serve until told to stop."""
    settings = load(Path(sys.argv[1]))
    try:
        replica._start(settings, sys.argv[2])
        where = address(settings.host, settings.port)
        print(announcement(check(settings), where), flush=True)
        for line in sys.stdin:
            settings = load(Path(line.strip()))
            print(json.dumps(_deploy(settings)), flush=True)
    except KeyboardInterrupt:
        pass
    finally:
        replica._stop(settings)


def _deploy(settings: ServeSettings) -> Mapping[str, str]:
    """What Ray Serve says of the application in the end."""
    try:
        serve.run(replica.application(settings), name=replica.APP)
    except Exception as error:
        failure = type(error).__name__
    else:
        failure = ""
    found = serve.status().applications[replica.APP]
    messages = [found.message, *(one.message for one in found.deployments.values())]
    return {"failure": failure, "status": found.status.value, "message": " ".join(messages)}


if __name__ == "__main__":
    main()
