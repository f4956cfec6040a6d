"""What a study consists of, as ``params/`` has it: profiles, grids, designs, searches and what they found."""
