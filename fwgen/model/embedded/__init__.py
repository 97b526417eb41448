"""The embedded model: a grammar that reads, and proven blocks that compose; no key, no network."""
