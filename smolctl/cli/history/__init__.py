"""The commands that show, turn on and off, and delete what history keeps."""
