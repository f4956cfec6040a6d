"""The guide's claims: what each says in numbers, and what the outcomes say of it."""
