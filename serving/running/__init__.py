"""Parts of the engine: who waits, who runs where, what is counted."""
