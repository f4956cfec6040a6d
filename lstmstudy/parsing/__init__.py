"""What others wrote, read within bounds and checked: YAML, archives, sections of settings."""
