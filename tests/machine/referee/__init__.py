"""Another implementation of the core runs the same bytes; what both leave behind must agree."""
