"""From a table to a profile: what its columns are, what the series is like, and how large a study fits."""
