"""Many prompts for one model: rows in, results out."""
