"""The guide's claims: what each says, and the arms that it needs."""
