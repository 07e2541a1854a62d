"""CTranslate2 behind FastAPI, as its users run it: asynchronous batches, one worker.

python -m tests.benchmarks.ctranslate2_app RUN FOLDER COMPUTE_TYPE PORT

Request and answer are those of LibreTranslate, so that nothing is measured but engine and waiting.
"""

import asyncio
import sys
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel

from mt.tokenizer import Tokenizer
from tests.benchmarks.ctranslate2_peer import converted
from training.models.transformer import Transformer
from training.trained import load_trained


class Request(BaseModel):
    """A text; other keys are passed over."""

    q: str
    beam_size: int = 5


def create_app(translator: Any, tokenizer: Tokenizer) -> FastAPI:
    """The one route."""
    app = FastAPI()

    @app.post("/translate")
    async def translate(request: Request) -> dict[str, str]:
        pieces = [f"t{i}" for i in tokenizer.encode_source(request.q)[:-1]]
        [waiting] = translator.translate_batch(
            [[*pieces, "</s>"]], beam_size=request.beam_size, length_penalty=1.0, asynchronous=True
        )
        found = await asyncio.to_thread(waiting.result)
        ids = [int(piece[1:]) for piece in found.hypotheses[0] if piece[0] == "t"]
        return {"translatedText": tokenizer.decode(ids)}

    return app


def main() -> None:
    run, folder, compute_type, port = sys.argv[1:]
    trained = load_trained(Path(run))
    if not isinstance(trained.model, Transformer):
        raise SystemExit("CTranslate2 has Transformers only")
    translator = converted(trained.model, Path(folder), compute_type, threads=1)
    app = create_app(translator, trained.tokenizer)
    uvicorn.run(app, port=int(port), log_level="warning", access_log=False)


if __name__ == "__main__":
    main()
