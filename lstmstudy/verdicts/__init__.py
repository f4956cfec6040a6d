"""From outcomes to a verdict on every claim, with everything that it rests on."""
