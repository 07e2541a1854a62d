"""The Python client: `pip install seq2serve[client]`.

    from serving.client import Client

    with Client("http://127.0.0.1:8000") as client:
        print(client.translate("Jane visite l'Afrique.", source="fr", target="en").text)

`AsyncClient` has the same calls for event loops. Both try again where that helps (see `Retries`),
and raise the errors of `serving.client.errors`. This package imports neither torch, Ray nor ONNX
Runtime.
"""

from serving.client.answers import (
    Answer,
    Candidate,
    Detected,
    DetectedItem,
    Dictionary,
    Document,
    Done,
    Event,
    Glossary,
    Model,
    Sentence,
    Translation,
    Usage,
    Warnings,
)
from serving.client.async_client import AsyncClient
from serving.client.client import Client
from serving.client.errors import (
    ClientError,
    DocumentError,
    FailedError,
    ForbiddenError,
    KeyRefusedError,
    NotFoundError,
    OverloadedError,
    ProblemError,
    QuotaError,
    RefusedError,
    TimedOutError,
    UnreachableError,
)
from serving.client.exchange import Retries

__all__ = [
    "Answer", "AsyncClient", "Candidate", "Client", "ClientError", "Detected", "DetectedItem",
    "Dictionary", "Document", "DocumentError", "Done", "Event", "FailedError", "ForbiddenError",
    "Glossary", "KeyRefusedError", "Model", "NotFoundError", "OverloadedError", "ProblemError",
    "QuotaError", "RefusedError", "Retries", "Sentence", "TimedOutError", "Translation",
    "UnreachableError", "Usage", "Warnings",
]  # fmt: skip
