"""Bulk work: large files cut into shards, each translated once, by this process or by Ray Data."""
