"""Parallel text to bundle: corpora, subwords, models, training, scores and export."""
