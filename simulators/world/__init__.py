"""Who lives in a simulated municipality, who works there, and what happens to them; pure, in virtual time."""
