"""AI models: what reads sentences and emits machine code."""
