"""SIP without I/O: tolerant parser, strict writer, digest, transactions and dialogs (RFC 3261, GB/T 28181 clause 9)."""
