"""What outlives a request: keys and what they have used, glossaries, memory, documents."""
