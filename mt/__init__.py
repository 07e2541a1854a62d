"""What training and serving share: words, ids, bundles and search. Imports no deep-learning library."""
