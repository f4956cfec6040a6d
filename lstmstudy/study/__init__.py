"""What a notebook works with: a study, and comparisons of its arms."""
