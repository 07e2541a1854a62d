"""From text as people have it to sentences that a model reads, and back."""
