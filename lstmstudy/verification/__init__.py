"""Whether stored numbers are those that training gives."""
