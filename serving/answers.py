"""From translations and manifests to the bodies that the HTTP interface answers with."""

from collections.abc import Sequence

from serving.schemas import (
    CandidateBody,
    ModelBody,
    TranslateRequest,
    TranslateResponse,
    TranslationBody,
    Usage,
    WordPairBody,
)
from serving.translation import Translation
from serving.translator import Translator


def translate_response(
    translations: Sequence[Translation], request: TranslateRequest, model: str
) -> TranslateResponse:
    """One answer for each text, with as much detail as the request asked for."""
    usage = Usage(
        source_tokens=sum(translation.source_tokens for translation in translations),
        output_tokens=sum(translation.output_tokens for translation in translations),
        characters=sum(len(text) for text in request.text),
    )
    bodies = [_translation_body(translation, request) for translation in translations]
    return TranslateResponse(translations=bodies, model=model, usage=usage)


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


def _translation_body(translation: Translation, request: TranslateRequest) -> TranslationBody:
    best, *_ = translation.candidates
    return TranslationBody(
        text=translation.text,
        score=best.score if request.return_scores else None,
        candidates=_candidates(translation, request) if _asks_for_several(request) else None,
        alignments=_alignments(translation) if request.return_alignments else None,
    )


def _asks_for_several(request: TranslateRequest) -> bool:
    return max(request.n_best or 1, request.samples or 1) > 1


def _candidates(translation: Translation, request: TranslateRequest) -> list[CandidateBody]:
    return [
        CandidateBody(text=one.text, score=one.score if request.return_scores else None)
        for one in translation.candidates
    ]


def _alignments(translation: Translation) -> list[WordPairBody]:
    return [WordPairBody(source=pair.source, target=pair.target) for pair in translation.alignment]
