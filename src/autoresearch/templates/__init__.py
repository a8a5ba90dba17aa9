"""Templates: studies that `init` copies into a new repository. Nothing here is imported; the files are data."""
