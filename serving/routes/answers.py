"""From translations and manifests to the bodies that the HTTP interface answers with."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from serving.dispatch import Answer, usage
from serving.precision import precision_for
from serving.routes.stream_schemas import DetectedEventBody, DoneBody, SentenceBody, WarningsBody
from serving.routing import AUTO
from serving.schemas import (
    CandidateBody,
    DetectedBody,
    DetectResponse,
    ModelBody,
    SentenceWordsBody,
    TranslateRequest,
    TranslateResponse,
    TranslationBody,
    WordPairBody,
)
from serving.text.detection import Detection
from serving.text.word_details import words_of
from serving.translation import Piece, Translation, join
from serving.translator import Translator

_DIGITS = 4  # of a probability
_DOUBTFUL = 0.1  # confidence: of one word, or of a language that no model knows
_DOUBT = "its language cannot be told for sure; name the source"


def translate_response(answers: Sequence[Answer], request: TranslateRequest) -> TranslateResponse:
    """One translation for each text, with as much detail as the request asked for."""
    found = [answer.translation for answer in answers]
    return TranslateResponse(
        translations=[_translation_body(answer, request) for answer in answers],
        model=_named([answer.model for answer in answers]),
        usage=usage(request.text, found),
    )


def sentence_body(item: int, number: int, piece: Piece, request: TranslateRequest) -> SentenceBody:
    """One piece of a translation, with as much detail as the request asked for."""
    alone = join([replace(piece, before="", after="")])
    return SentenceBody(
        item=item,
        sentence=number,
        before=piece.before,
        text=piece.text,
        after=piece.after,
        **_details(alone, request),
    )


def detected_event(item: int, found: Detection) -> DetectedEventBody:
    """The language of one text."""
    return DetectedEventBody(item=item, **_detected(found).model_dump())


def language_doubts(spoken: Detection, model: str | None, request: TranslateRequest) -> list[str]:
    """A warning where a model translates from a language that is no more than a guess."""
    guessed = request.source == AUTO and spoken.confidence < _DOUBTFUL
    return [_DOUBT] if guessed and model is not None else []


def warnings_body(item: int, warnings: Sequence[str]) -> WarningsBody:
    """What is doubtful about one text's translation."""
    return WarningsBody(item=item, warnings=list(warnings))


def done_body(
    models: Sequence[str | None], found: Sequence[Translation], request: TranslateRequest
) -> DoneBody:
    """What a stream ends with: by which models, and what it cost."""
    return DoneBody(model=_named(models), usage=usage(request.text, found))


def detect_response(found: Sequence[Detection]) -> DetectResponse:
    """One language for each text."""
    return DetectResponse(detections=[_detected(one) for one in found])


def model_body(translator: Translator) -> ModelBody:
    """The public facts of an open model."""
    manifest, engine = translator.manifest, translator.engine.settings
    return ModelBody(
        name=manifest.name,
        family=manifest.family,
        source=manifest.source_language,
        target=manifest.target_language,
        parameters=manifest.parameters,
        vocab_size=manifest.vocab_size,
        max_source_tokens=manifest.max_source_tokens,
        max_target_tokens=manifest.max_target_tokens,
        precision=precision_for(manifest, engine.precision, engine.device),
        scores=manifest.scores,
        data=manifest.data.name,
        licence=manifest.data.licence,
    )


def _named(models: Sequence[str | None]) -> str:
    return ", ".join(dict.fromkeys(model for model in models if model))


def _translation_body(answer: Answer, request: TranslateRequest) -> TranslationBody:
    translation = answer.translation
    return TranslationBody(
        text=translation.text,
        warnings=[*language_doubts(answer.spoken, answer.model, request), *translation.warnings]
        or None,
        memory=answer.from_memory or None,
        detected=_detected(answer.spoken) if request.source == AUTO else None,
        **_details(translation, request),
    )


def _details(translation: Translation, request: TranslateRequest) -> dict[str, Any]:
    """What is only answered where it is asked for."""
    best, *_ = translation.candidates
    return {
        "score": best.score if request.return_scores else None,
        "candidates": _candidates(translation, request) if _asks_for_several(request) else None,
        "alignments": _alignments(translation) if request.return_alignments else None,
        "words": _words(translation, 0) if request.return_words else None,
    }


def _detected(found: Detection) -> DetectedBody:
    return DetectedBody(language=found.language, confidence=round(found.confidence, 4))


def _asks_for_several(request: TranslateRequest) -> bool:
    return max(request.n_best or 1, request.samples or 1) > 1


def _candidates(translation: Translation, request: TranslateRequest) -> list[CandidateBody]:
    return [
        CandidateBody(
            text=one.text,
            score=one.score if request.return_scores else None,
            words=_words(translation, i) if request.return_words else None,
        )
        for i, one in enumerate(translation.candidates)
    ]


def _alignments(translation: Translation) -> list[WordPairBody]:
    return [WordPairBody(source=pair.source, target=pair.target) for pair in translation.alignment]


def _words(translation: Translation, candidate: int) -> list[SentenceWordsBody]:
    return [
        SentenceWordsBody(
            source=list(one.source),
            target=list(one.target),
            probabilities=[
                None if sure is None else round(sure, _DIGITS) for sure in one.probabilities
            ],
            attention=[
                [round(weight, _DIGITS) for weight in row] for row in one.attention.tolist()
            ],
        )
        for one in words_of(translation, candidate)
    ]
