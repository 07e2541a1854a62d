"""Files of texts beside their translations, which corpora and the server both read."""
