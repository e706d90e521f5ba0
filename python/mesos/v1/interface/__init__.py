"""The v1 messages: one module a file, as in Apache's own eggs."""
