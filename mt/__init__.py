"""What training and serving share: words, ids, bundles and search. No deep learning here."""
