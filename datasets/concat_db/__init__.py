"""ConcatDB: faces with the upper half covered."""
