"""Where sentence pairs come from: readers, the registry, the embedded corpus, cleaning."""
