"""The three databases as TFDS builders, one folder each."""
