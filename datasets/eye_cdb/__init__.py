"""eyeCDB: faces with the eyes covered."""
