"""The proof: entries as canonical bytes, chained. No I/O."""
