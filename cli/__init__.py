"""The `footfall` command."""
