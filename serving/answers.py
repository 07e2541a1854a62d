"""From translations and manifests to the bodies that the HTTP interface answers with."""

from collections.abc import Sequence

from serving.detection import Detection
from serving.dispatch import AUTO, Answer, usage
from serving.schemas import (
    CandidateBody,
    DetectedBody,
    ModelBody,
    SentenceWordsBody,
    TranslateRequest,
    TranslateResponse,
    TranslationBody,
    WordPairBody,
)
from serving.translation import Translation
from serving.translator import Translator
from serving.word_details import words_of

_DIGITS = 4  # of a probability


def translate_response(answers: Sequence[Answer], request: TranslateRequest) -> TranslateResponse:
    """One translation for each text, with as much detail as the request asked for."""
    found = [answer.translation for answer in answers]
    models = dict.fromkeys(answer.model for answer in answers if answer.model)
    return TranslateResponse(
        translations=[_translation_body(answer, request) for answer in answers],
        model=", ".join(models),
        usage=usage(request.text, found),
    )


def model_body(translator: Translator) -> ModelBody:
    """The public facts of an open model."""
    manifest = translator.manifest
    return ModelBody(
        name=manifest.name,
        family=manifest.family,
        source=manifest.source_language,
        target=manifest.target_language,
        parameters=manifest.parameters,
        vocab_size=manifest.vocab_size,
        max_source_tokens=manifest.max_source_tokens,
        max_target_tokens=manifest.max_target_tokens,
        precision=translator.engine.settings.precision or manifest.default_precision,
        scores=manifest.scores,
        data=manifest.data.name,
        licence=manifest.data.licence,
    )


def _translation_body(answer: Answer, request: TranslateRequest) -> TranslationBody:
    translation = answer.translation
    best, *_ = translation.candidates
    return TranslationBody(
        text=translation.text,
        score=best.score if request.return_scores else None,
        candidates=_candidates(translation, request) if _asks_for_several(request) else None,
        alignments=_alignments(translation) if request.return_alignments else None,
        words=_words(translation, 0) if request.return_words else None,
        warnings=list(translation.warnings) or None,
        detected=_detected(answer.spoken) if request.source == AUTO else None,
    )


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
