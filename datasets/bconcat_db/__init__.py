"""BConcatDB: faces with the lower half covered."""
