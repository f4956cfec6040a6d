"""Outcomes on disk: whole or not there, and never lost."""
